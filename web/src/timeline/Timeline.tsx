/** CPU over time: one area, or areas on top of each other when split by a label. Dragging selects a range. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { Timeline as TimelineData } from '../api/types';
import { useSettings } from '../components/settings';
import { t } from '../i18n';
import { formatClock, formatCores } from '../model/format';
import { seriesColours, stack } from './stack';

const HEIGHT_PX = 126;

interface TimelineProps {
  data: TimelineData;
  by: string | null;
  selected: [number, number] | null;
  onSelect(range: [number, number] | null): void;
}

export function Timeline({ data, by, selected, onSelect }: TimelineProps) {
  const { theme } = useSettings();
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [cursor, setCursor] = useState<number | null>(null);
  const handlers = useRef({ onSelect, selected });
  handlers.current = { onSelect, selected };
  const names = useMemo(() => data.series.map((s) => (by ? (s.labels[by] ?? t('timeline.none')) : t('timeline.total'))), [data, by]);
  const colours = useMemo(() => seriesColours(data.series.length, theme), [data.series.length, theme]);
  const shape = `${names.length}|${theme}`;

  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const style = getComputedStyle(document.documentElement);
    const made = new uPlot(
      options(element.clientWidth, colours, (name) => style.getPropertyValue(name).trim(), {
        cursor: (u) => setCursor(u.cursor.idx ?? null),
        select: (u) => {
          const { left, width } = u.select;
          if (width < 3) return;
          const [from, to] = [u.posToVal(left, 'x'), u.posToVal(left + width, 'x')];
          handlers.current.onSelect([Math.round(from * 1000), Math.round(to * 1000)]);
        },
        placed: (u) => placeSelection(u, handlers.current.selected),
      }),
      plotData(data),
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(plotData(data)), [data]);
  useEffect(() => {
    if (plot.current) placeSelection(plot.current, selected);
  }, [selected?.[0], selected?.[1], data, shape]);

  const shown = cursor !== null && cursor < (data.series[0]?.cpu.length ?? 0) ? cursor : null;
  return (
    <figure class="timeline" aria-label={t('timeline.label')}>
      <div class="timeline-plot" ref={host} onDblClick={() => onSelect(null)} />
      <figcaption class="timeline-legend">
        <span class="timeline-time">{shown === null ? t('timeline.hint') : formatClock(data.start_ms + shown * data.step_ms, false)}</span>
        {(by !== null || shown !== null) && data.series.map((series, i) => {
          const value = shown === null ? null : series.cpu[shown];
          return (
            <span key={names[i]} class="timeline-key">
              <i class="swatch" style={{ background: colours[i] }} />
              <span class="ellipsis">{names[i]}</span>
              {shown !== null && <b>{value === null || value === undefined ? '–' : formatCores(value)}</b>}
            </span>
          );
        })}
      </figcaption>
    </figure>
  );
}

function plotData(data: TimelineData): uPlot.AlignedData {
  const length = data.series[0]?.cpu.length ?? 0;
  const times = Array.from({ length }, (_, i) => (data.start_ms + i * data.step_ms) / 1000);
  return [times, ...stack(data.series.map((s) => s.cpu))] as uPlot.AlignedData;
}

function placeSelection(u: uPlot, selected: [number, number] | null): void {
  if (!selected) {
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    return;
  }
  const edge = u.over.clientWidth;
  const left = Math.min(edge, Math.max(0, u.valToPos(selected[0] / 1000, 'x')));
  const right = Math.min(edge, Math.max(0, u.valToPos(selected[1] / 1000, 'x')));
  u.setSelect({ left, top: 0, width: right - left, height: u.over.clientHeight }, false);
}

interface Hooks {
  cursor(u: uPlot): void;
  select(u: uPlot): void;
  placed(u: uPlot): void;
}

function options(width: number, colours: string[], css: (name: string) => string, hooks: Hooks): uPlot.Options {
  const axis = {
    stroke: css('--muted'),
    font: '11px Inter, "Segoe UI", Roboto, "Liberation Sans", sans-serif',
    grid: { stroke: css('--grid'), width: 1 },
    ticks: { show: false },
  };
  const single = colours.length === 1;
  return {
    width,
    height: HEIGHT_PX,
    padding: [8, 20, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, y: false, points: { show: single, size: 6 } },
    scales: { x: { time: true }, y: { range: (_u, _min, max) => [0, Math.max(max * 1.08, 0.01)] } },
    axes: [
      { ...axis, size: 22, gap: 4, space: 80, values: (_u, ticks) => ticks.map((s, i) => axisTime(s, ticks[i + 1] ?? ticks[i - 1])) },
      { ...axis, size: 44, space: 32, values: (_u, ticks) => ticks.map((v) => String(Number(v.toFixed(3)))) },
    ],
    series: [
      {},
      ...colours.map((colour) => ({
        stroke: colour,
        width: single ? 1.5 : 0.75,
        fill: single ? `color-mix(in srgb, ${colour} 16%, transparent)` : `color-mix(in srgb, ${colour} 62%, ${css('--surface')})`,
        points: { show: false },
        spanGaps: false,
      })),
    ],
    hooks: {
      setCursor: [hooks.cursor],
      setSelect: [hooks.select],
      setSize: [hooks.placed],
      ready: [hooks.placed],
    },
  };
}

/** Seconds only where the ticks are that close. */
function axisTime(seconds: number, next: number | undefined): string {
  const clock = formatClock(seconds * 1000, false);
  return next !== undefined && Math.abs(next - seconds) < 60 ? clock : clock.slice(0, 5);
}

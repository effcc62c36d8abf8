/** The whole tree in a few pixels, with the shown part framed; drag or click to move it. For trees too deep to see at once. */
import { useEffect, useRef } from 'preact/hooks';
import type { CallTree } from '../model/call-tree';
import { DrawList, layout, MERGED, type ValueRange } from './layout';
import type { Palette } from './palette';

const HEIGHT_PX = 40;

interface MinimapProps {
  tree: CallTree;
  palette: Palette;
  upward: boolean;
  range: ValueRange;
  onSpan(span: [number, number] | null): void;
}

export function Minimap({ tree, palette, upward, range, onSpan }: MinimapProps) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const total = tree.nodes.total[0];
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    // In a task of its own: the graph itself comes first.
    let timer: ReturnType<typeof setTimeout> | undefined;
    const observer = new ResizeObserver(() => {
      clearTimeout(timer);
      timer = setTimeout(() => paintMinimap(element, tree, palette, upward), 0);
    });
    observer.observe(element);
    return () => {
      observer.disconnect();
      clearTimeout(timer);
    };
  }, [tree, palette, upward]);

  const onPointerDown = (event: PointerEvent) => {
    const element = event.currentTarget as HTMLElement;
    const box = element.getBoundingClientRect();
    const at = (e: PointerEvent) => Math.min(1, Math.max(0, (e.clientX - box.left) / box.width));
    const from = at(event);
    element.setPointerCapture(event.pointerId);
    const finish = (end: PointerEvent) => {
      element.removeEventListener('pointerup', finish);
      const to = at(end);
      const width = (range.x1 - range.x0) / total;
      if (Math.abs(to - from) * box.width > 4) onSpan([Math.min(from, to), Math.max(from, to)]);
      else if (width < 1) {
        const left = Math.min(Math.max(0, from - width / 2), 1 - width);
        onSpan([left, left + width]);
      }
    };
    element.addEventListener('pointerup', finish);
  };
  const left = (range.x0 / total) * 100;
  const width = ((range.x1 - range.x0) / total) * 100;
  return (
    <div class="minimap" aria-hidden="true" onPointerDown={onPointerDown}>
      <canvas ref={canvas} style={{ height: `${HEIGHT_PX}px` }} />
      {width < 99.99 && <div class="minimap-window" style={{ left: `${left}%`, width: `${Math.max(width, 0.2)}%` }} />}
    </div>
  );
}

function paintMinimap(element: HTMLCanvasElement, tree: CallTree, palette: Palette, upward: boolean): void {
  const ctx = element.getContext('2d', { alpha: false });
  if (!ctx || element.clientWidth === 0) return;
  const ratio = window.devicePixelRatio || 1;
  element.width = Math.round(element.clientWidth * ratio);
  element.height = Math.round(HEIGHT_PX * ratio);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, 0, element.clientWidth, HEIGHT_PX);
  const list = new DrawList();
  layout(tree.nodes, { x0: 0, x1: tree.nodes.total[0] }, element.clientWidth, list);
  const rowPx = Math.min(4, HEIGHT_PX / (list.maxRow + 1));
  const colourOf = (node: number) => (node === MERGED ? palette.fills.length : palette.ofFrame[tree.nodes.frame[node]]);
  const byColour = Uint32Array.from({ length: list.count }, (_, i) => i).sort((a, b) => colourOf(list.node[a]) - colourOf(list.node[b]));
  let colour = -1;
  for (const i of byColour) {
    const wanted = colourOf(list.node[i]);
    if (wanted !== colour) ctx.fillStyle = palette.fills[(colour = wanted)] ?? palette.merged;
    const top = upward ? HEIGHT_PX - (list.row[i] + 1) * rowPx : list.row[i] * rowPx;
    ctx.fillRect(list.x[i], top, Math.max(list.width[i], 0.5), Math.max(rowPx - (rowPx > 2 ? 0.5 : 0), 0.4));
  }
}

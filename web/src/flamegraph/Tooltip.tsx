/** What the pointer is on. Follows the pointer, stays inside the window. */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { useSettings } from '../components/settings';
import { t } from '../i18n';
import type { CallTree } from '../model/call-tree';
import { formatCount, formatShare } from '../model/format';
import { formatInterval, formatMeasure, nodeFacts, type Measure } from './describe';
import { classColour } from './palette';

export interface Hover {
  tree: CallTree;
  node: number;
  /** Pointer in the window. */
  x: number;
  y: number;
  /** The bar on the canvas. */
  box: { left: number; top: number; width: number };
}

const GAP_PX = 16;

export function Tooltip({ tree, hover, whole, inverted }: { tree: CallTree; hover: Hover; whole: number; inverted: boolean }) {
  const { theme } = useSettings();
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const tip = element.current;
    if (!tip) return;
    const { width, height } = tip.getBoundingClientRect();
    const left = hover.x + GAP_PX + width > window.innerWidth ? hover.x - GAP_PX - width : hover.x + GAP_PX;
    const top = hover.y + GAP_PX + height > window.innerHeight ? hover.y - GAP_PX - height : hover.y + GAP_PX;
    tip.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
  });
  const facts = nodeFacts(tree, hover.node, whole);
  return (
    <div class="tooltip" ref={element} role="presentation">
      <div class="tooltip-name">{facts.name}</div>
      {facts.fullName && <div class="tooltip-full faint">{facts.fullName}</div>}
      <div class="tooltip-module">
        <i class="swatch" style={{ background: classColour(facts.className, theme) }} />
        {[facts.kind, facts.origin, facts.module].filter(Boolean).join(' · ')}
      </div>
      {facts.place && <div class="tooltip-place mono">{facts.place}</div>}
      <table class="tooltip-table">
        <thead>
          <tr>
            <td />
            <th>{t('measure.share')}</th>
            <th>{t('measure.interval')}</th>
            {facts.total.cpuNs !== null && <th>{t('measure.cpu')}</th>}
            <th>{t('measure.samples')}</th>
          </tr>
        </thead>
        <tbody>
          <MeasureRow label={t('measure.total')} measure={facts.total} />
          {!inverted && <MeasureRow label={t('measure.self')} measure={facts.self} />}
        </tbody>
      </table>
      {facts.ofCaller !== null && !inverted && <div class="tooltip-note">{t('measure.ofCaller', { share: formatShare(facts.ofCaller) })}</div>}
      {facts.notes.map((note) => (
        <div class="tooltip-note" key={note}>{note}</div>
      ))}
    </div>
  );
}

function MeasureRow({ label, measure }: { label: string; measure: Measure }) {
  return (
    <tr>
      <th>{label}</th>
      <td class="strong">{formatShare(measure.share)}</td>
      <td>{measure.interval ? formatInterval(measure.interval) : '–'}</td>
      {measure.cpuNs !== null && <td>{formatMeasure(measure)}</td>}
      <td>{measure.samples === null ? formatCount(measure.value) : formatCount(Math.round(measure.samples))}</td>
    </tr>
  );
}

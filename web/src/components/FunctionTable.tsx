/** The table of functions: the same facts as the graph, sortable, and readable without seeing it. Only visible rows are in the page. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { classColour } from '../flamegraph/palette';
import { formatInterval, formatMeasure, frameName, measure } from '../flamegraph/describe';
import { t } from '../i18n';
import { modulePath, placeText, type CallTree } from '../model/call-tree';
import { baseName, formatShare } from '../model/format';
import { FRAME_CLASS_NAMES, frameClasses } from '../model/frame-class';
import type { FunctionTable } from '../model/functions';
import type { SortColumn, ViewState } from '../model/url-state';
import { useSettings } from './settings';

const ROW_PX = 28;
const HEAD_PX = 30;
const OVERSCAN = 12;

interface FunctionTableProps {
  tree: CallTree;
  table: FunctionTable;
  /** 1 for each function the search matches; null = no search. */
  matching: Uint8Array | null;
  selected: number;
  sort: ViewState['sort'];
  compact: boolean;
  onSort(sort: ViewState['sort']): void;
  onSelect(fn: number): void;
  onOpen(fn: number): void;
}

export function FunctionTableView(props: FunctionTableProps) {
  const { tree, table, matching, selected, sort, compact } = props;
  const body = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const [cursor, setCursor] = useState(0);
  const rows = useMemo(() => orderRows(tree, table, matching, sort), [tree, table, matching, sort.column, sort.descending]);
  useEffect(() => {
    const element = body.current;
    if (!element) return;
    const measureView = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(measureView);
    observer.observe(element);
    element.addEventListener('scroll', measureView, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener('scroll', measureView);
    };
  }, []);
  const first = Math.max(0, Math.floor(view.top / ROW_PX) - OVERSCAN);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / ROW_PX) + OVERSCAN);
  const at = Math.min(cursor, Math.max(0, rows.length - 1));

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== event.currentTarget) return;
    const page = Math.max(1, Math.floor(view.height / ROW_PX) - 1);
    const moves: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length };
    if (event.key in moves) {
      const next = Math.min(rows.length - 1, Math.max(0, at + moves[event.key]));
      setCursor(next);
      const element = body.current;
      if (element && next * ROW_PX < element.scrollTop) element.scrollTop = next * ROW_PX;
      else if (element && HEAD_PX + (next + 1) * ROW_PX > element.scrollTop + element.clientHeight) element.scrollTop = HEAD_PX + (next + 1) * ROW_PX - element.clientHeight;
    } else if (event.key === 'Enter' && rows.length > 0) props.onOpen(table.fn[rows[at]]);
    else if (event.key === ' ' && rows.length > 0) props.onSelect(table.fn[rows[at]]);
    else return;
    event.preventDefault();
  };
  const whole = tree.nodes.total[0];
  return (
    <div class={`functions ${compact ? 'compact' : ''}`} role="table" aria-label={t('table.label')} aria-rowcount={rows.length + 1}>
      <div class="functions-body" ref={body} tabIndex={0} role="rowgroup" aria-label={t('table.keys')} onKeyDown={onKeyDown}>
        <div class="functions-head" role="row">
          {(['self', 'total', 'name', ...(compact ? [] : ['place', 'module'])] as SortColumn[]).map((column) => (
            <SortHeader key={column} column={column} sort={sort} onSort={props.onSort} />
          ))}
        </div>
        <div style={{ height: `${rows.length * ROW_PX}px`, position: 'relative' }}>
          {Array.from({ length: Math.max(0, last - first) }, (_, k) => {
            const i = first + k;
            const row = rows[i];
            return (
              <Row
                key={table.fn[row]} tree={tree} fn={table.fn[row]} place={placeText(tree.frames, table.place[row])} self={table.self[row]} total={table.total[row]} whole={whole} index={i} compact={compact}
                selected={table.fn[row] === selected} cursor={i === at}
                onSelect={() => (setCursor(i), props.onSelect(table.fn[row]))} onOpen={() => props.onOpen(table.fn[row])}
              />
            );
          })}
        </div>
        {rows.length === 0 && <div class="empty">{t('table.nothing')}</div>}
      </div>
    </div>
  );
}

function SortHeader({ column, sort, onSort }: { column: SortColumn; sort: ViewState['sort']; onSort(sort: ViewState['sort']): void }) {
  const active = sort.column === column;
  const startsDescending = column === 'self' || column === 'total';
  return (
    <div role="columnheader" class={`col-${column}`} aria-sort={active ? (sort.descending ? 'descending' : 'ascending') : 'none'}>
      <button type="button" class="sort" onClick={() => onSort({ column, descending: active ? !sort.descending : startsDescending })}>
        {t(`table.${column}`)} <span class="arrow">{active ? (sort.descending ? '↓' : '↑') : ''}</span>
      </button>
    </div>
  );
}

interface RowProps {
  tree: CallTree;
  fn: number;
  /** `file:line`, or empty. */
  place: string;
  self: number;
  total: number;
  whole: number;
  index: number;
  compact: boolean;
  selected: boolean;
  cursor: boolean;
  onSelect(): void;
  onOpen(): void;
}

function Row({ tree, fn, place, self, total, whole, index, compact, selected, cursor, onSelect, onOpen }: RowProps) {
  const { theme } = useSettings();
  const frame = tree.frames.fnFrame[fn];
  const className = FRAME_CLASS_NAMES[frameClasses(tree.frames)[frame]];
  const name = frameName(tree, frame);
  const module = modulePath(tree.frames, frame);
  return (
    <div role="row" aria-rowindex={index + 2} aria-selected={selected} class={`functions-row ${selected ? 'selected' : ''} ${cursor ? 'cursor' : ''}`} style={{ top: `${index * ROW_PX}px`, height: `${ROW_PX}px` }} onClick={onSelect} onDblClick={onOpen}>
      <Amount tree={tree} value={self} whole={whole} compact={compact} column="col-self" />
      <Amount tree={tree} value={total} whole={whole} compact={compact} column="col-total" />
      <div role="cell" class="col-name mono" title={[tree.frames.name[frame], place, module].filter(Boolean).join('\n')}>
        <i class="swatch" style={{ background: classColour(className, theme) }} />
        <span class="ellipsis">{name}</span>
        <button type="button" class="ghost small row-action" tabIndex={-1} title={t('view.callers')} onClick={(event) => (event.stopPropagation(), onOpen())}>⇅</button>
      </div>
      {!compact && <div role="cell" class="col-place faint ellipsis mono" title={place}>{baseName(place)}</div>}
      {!compact && <div role="cell" class="col-module faint ellipsis" title={module}>{baseName(module)}</div>}
    </div>
  );
}

function Amount({ tree, value, whole, compact, column }: { tree: CallTree; value: number; whole: number; compact: boolean; column: string }) {
  const m = measure(tree, value, whole);
  return (
    <div role="cell" class={`amount ${column}`} title={m.interval ? t('measure.intervalOf', { interval: formatInterval(m.interval) }) : undefined}>
      <span class="amount-track"><span class="amount-bar" style={{ width: `${(m.share * 100).toFixed(2)}%` }} /></span>
      <span class="amount-share">{formatShare(m.share)}</span>
      {!compact && <span class="amount-value faint">{formatMeasure(m)}</span>}
    </div>
  );
}

/** Row numbers of the table in display order. */
function orderRows(tree: CallTree, table: FunctionTable, matching: Uint8Array | null, sort: ViewState['sort']): Uint32Array {
  const rows: number[] = [];
  for (let i = 0; i < table.fn.length; i++) if (!matching || matching[table.fn[i]]) rows.push(i);
  const sign = sort.descending ? -1 : 1;
  const text = (row: number) => {
    const frame = tree.frames.fnFrame[table.fn[row]];
    if (sort.column === 'name') return tree.frames.label[frame];
    return sort.column === 'place' ? placeText(tree.frames, table.place[row]) : modulePath(tree.frames, frame);
  };
  if (sort.column === 'self' || sort.column === 'total') {
    const values = table[sort.column];
    rows.sort((a, b) => sign * (values[a] - values[b]) || a - b);
  } else {
    const texts = new Map(rows.map((row) => [row, text(row)]));
    rows.sort((a, b) => {
      const [x, y] = [texts.get(a) ?? '', texts.get(b) ?? ''];
      return sign * (x < y ? -1 : x > y ? 1 : 0) || a - b;
    });
  }
  return Uint32Array.from(rows);
}

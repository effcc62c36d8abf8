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
    const draw = () => paintMinimap(element, tree, palette, upward);
    const observer = new ResizeObserver(draw);
    observer.observe(element);
    draw();
    return () => observer.disconnect();
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
  for (let i = 0; i < list.count; i++) {
    const node = list.node[i];
    ctx.fillStyle = node === MERGED ? palette.merged : palette.fills[palette.ofFrame[tree.nodes.frame[node]]];
    const top = upward ? HEIGHT_PX - (list.row[i] + 1) * rowPx : list.row[i] * rowPx;
    ctx.fillRect(list.x[i], top, Math.max(list.width[i], 0.5), Math.max(rowPx - (rowPx > 2 ? 0.5 : 0), 0.4));
  }
}

/**
 * Which bars are worth drawing: pre-order walk that skips every subtree narrower than half a pixel.
 *
 * Children are sorted by total, so the first child that is too narrow ends its row: it and its smaller siblings become
 * one muted block. The cost is proportional to what is visible, not to the size of the tree.
 */
import type { NodeColumns } from '../model/call-tree';

/** Narrowest bar that is drawn on its own, in CSS pixels. */
export const MIN_WIDTH = 0.5;
/** In `DrawList.node`: several nodes too narrow to draw. */
export const MERGED = -1;

export interface ValueRange {
  /** Left and right edge of what the canvas shows, in the units of `total`. */
  x0: number;
  x1: number;
}

/** Bars in pixels, grown as needed and reused between paints. */
export class DrawList {
  count = 0;
  maxRow = 0;
  node = new Int32Array(4096);
  x = new Float32Array(4096);
  width = new Float32Array(4096);
  row = new Uint16Array(4096);

  clear(): void {
    this.count = 0;
    this.maxRow = 0;
  }

  push(node: number, x: number, width: number, row: number): void {
    const i = this.count++;
    if (i === this.node.length) this.grow();
    this.node[i] = node;
    this.x[i] = x;
    this.width[i] = width;
    this.row[i] = row;
    if (row > this.maxRow) this.maxRow = row;
  }

  private grow(): void {
    const size = this.node.length * 2;
    const copy = <T extends Int32Array | Float32Array | Uint16Array>(to: T, from: T): T => (to.set(from), to);
    this.node = copy(new Int32Array(size), this.node);
    this.x = copy(new Float32Array(size), this.x);
    this.width = copy(new Float32Array(size), this.width);
    this.row = copy(new Uint16Array(size), this.row);
  }
}

export function layout(columns: NodeColumns, range: ValueRange, widthPx: number, out: DrawList): void {
  out.clear();
  const { count, x, total, self, size, depth, parent } = columns;
  const span = range.x1 - range.x0;
  if (span <= 0 || widthPx <= 0 || total[0] <= 0) return;
  const scale = widthPx / span;
  const least = MIN_WIDTH / scale;
  for (let i = 0; i < count; ) {
    const left = x[i];
    const right = left + total[i];
    if (right <= range.x0 || total[i] === 0) {
      i += size[i];
      continue;
    }
    const p = parent[i];
    if (left >= range.x1) {
      i = p < 0 ? count : p + size[p];
      continue;
    }
    const from = Math.max(left, range.x0);
    if (total[i] < least && p >= 0) {
      const to = Math.min(x[p] + total[p] - self[p], range.x1);
      out.push(MERGED, (from - range.x0) * scale, Math.max(to - from, 0) * scale, depth[i]);
      i = p + size[p];
      continue;
    }
    const to = Math.min(right, range.x1);
    out.push(i, (from - range.x0) * scale, (to - from) * scale, depth[i]);
    i++;
  }
}

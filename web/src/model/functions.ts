/** The table of functions: self and total of each, recursion counted once per stack. */
import { Kind, type CallTree } from './call-tree';

export interface FunctionTable {
  /** Function indices; parallel to `self` and `total`. Sorted by self, then total, largest first. */
  fn: Uint32Array;
  self: Float64Array;
  total: Float64Array;
  /** Where most of the function was, by its largest node: number of a place, see `NodeColumns.place`. */
  place: Uint32Array;
}

export function functionTable(tree: CallTree): FunctionTable {
  const { frames, nodes } = tree;
  const self = new Float64Array(frames.fnCount);
  const total = new Float64Array(frames.fnCount);
  const place = new Uint32Array(frames.fnCount);
  const largest = new Float64Array(frames.fnCount).fill(-1);
  const used = new Uint8Array(frames.fnCount);
  const active = new Uint32Array(frames.fnCount);
  const path = new Uint32Array(nodes.maxDepth + 1);
  let open = 0;
  for (let i = 0; i < nodes.count; i++) {
    while (open > nodes.depth[i]) active[path[--open]]--;
    const fn = frames.fn[nodes.frame[i]];
    path[open++] = fn;
    used[fn] = 1;
    self[fn] += nodes.self[i];
    if (nodes.total[i] > largest[fn]) {
      largest[fn] = nodes.total[i];
      place[fn] = nodes.place[i];
    }
    if (active[fn]++ === 0) total[fn] += nodes.total[i];
  }
  const order: number[] = [];
  for (let fn = 0; fn < frames.fnCount; fn++) {
    const isGroup = frames.kind[frames.fnFrame[fn]] === Kind.group;
    if (used[fn] && (!isGroup || self[fn] > 0)) order.push(fn);
  }
  order.sort((a, b) => self[b] - self[a] || total[b] - total[a] || a - b);
  const fn = Uint32Array.from(order);
  return { fn, self: Float64Array.from(fn, (f) => self[f]), total: Float64Array.from(fn, (f) => total[f]), place: Uint32Array.from(fn, (f) => place[f]) };
}

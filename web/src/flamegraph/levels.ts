/** Index of a tree by depth: finds what stands at a point and who stands beside it. */
import type { NodeColumns } from '../model/call-tree';

export interface Levels {
  /** First entry of each depth in `nodes`; one more entry marks the end. */
  start: Uint32Array;
  /** Nodes by depth, left to right. */
  nodes: Uint32Array;
}

export function buildLevels(columns: NodeColumns): Levels {
  const { count, depth, maxDepth } = columns;
  const start = new Uint32Array(maxDepth + 2);
  for (let i = 0; i < count; i++) start[depth[i] + 1]++;
  for (let d = 1; d < start.length; d++) start[d] += start[d - 1];
  const cursor = start.slice();
  const nodes = new Uint32Array(count);
  for (let i = 0; i < count; i++) nodes[cursor[depth[i]]++] = i;
  return { start, nodes };
}

/** The node at `depth` that covers `x`, or -1. */
export function hitTest(columns: NodeColumns, levels: Levels, depth: number, x: number): number {
  if (depth < 0 || depth > columns.maxDepth) return -1;
  let low = levels.start[depth];
  let high = levels.start[depth + 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (columns.x[levels.nodes[middle]] <= x) low = middle + 1;
    else high = middle;
  }
  // Empty nodes may share a left edge with the one that covers x: step back over them.
  for (let i = low - 1; i >= levels.start[depth]; i--) {
    const node = levels.nodes[i];
    if (x < columns.x[node] + columns.total[node]) return node;
    if (columns.total[node] > 0) break;
  }
  return -1;
}

/** The next node to the left (-1) or right (+1) at the same depth, or -1. */
export function beside(columns: NodeColumns, levels: Levels, node: number, direction: -1 | 1): number {
  const depth = columns.depth[node];
  let low = levels.start[depth];
  let high = levels.start[depth + 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (levels.nodes[middle] < node) low = middle + 1;
    else high = middle;
  }
  const at = low + direction;
  return at >= levels.start[depth] && at < levels.start[depth + 1] ? levels.nodes[at] : -1;
}

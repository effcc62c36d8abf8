/** Builds trees by merging paths: what folding and the callers/callees view are made of. */
import { deriveColumns, type CallTree, type NodeColumns } from './call-tree';

/** A growing tree of distinct paths. A parent always has a smaller index than its children. */
export class PathMerger {
  private readonly frame: number[] = [];
  private readonly parent: number[] = [];
  private readonly self: number[] = [];
  /** Of the largest node that was merged into each. */
  private readonly place: number[] = [];
  private readonly largest: number[] = [];
  private readonly children = new Map<number, number>();

  constructor(
    private readonly source: CallTree,
    rootFrame: number,
  ) {
    this.frame.push(rootFrame);
    this.parent.push(-1);
    this.self.push(0);
    this.place.push(0);
    this.largest.push(0);
  }

  /** The child of `parent` for the frame of `from`, a node of the source; made if it is new. */
  step(parent: number, from: number): number {
    const node = this.child(parent, this.source.nodes.frame[from]);
    this.at(node, from);
    return node;
  }

  /** The child of `parent` for a frame; made if it is new. */
  child(parent: number, frame: number): number {
    const key = parent * this.source.frames.count + frame;
    let node = this.children.get(key);
    if (node === undefined) {
      node = this.frame.length;
      this.frame.push(frame);
      this.parent.push(parent);
      this.self.push(0);
      this.place.push(0);
      this.largest.push(-1);
      this.children.set(key, node);
    }
    return node;
  }

  /** `from`, a node of the source, is a part of `node`. */
  at(node: number, from: number): void {
    const total = this.source.nodes.total[from];
    if (total <= this.largest[node]) return;
    this.largest[node] = total;
    this.place[node] = this.source.nodes.place[from];
  }

  add(node: number, value: number): void {
    this.self[node] += value;
  }

  finish(): CallTree {
    return { meta: this.source.meta, frames: this.source.frames, nodes: this.columns() };
  }

  /** Pre-order columns with the children of each node sorted by total, largest first. */
  private columns(): NodeColumns {
    const count = this.frame.length;
    const total = Float64Array.from(this.self);
    const childCount = new Uint32Array(count);
    for (let i = count - 1; i > 0; i--) {
      total[this.parent[i]] += total[i];
      childCount[this.parent[i]]++;
    }
    const { start, children } = groupChildren(this.parent, childCount);
    const names = this.source.frames.name;
    for (let i = 0; i < count; i++) {
      if (childCount[i] < 2) continue;
      children
        .subarray(start[i], start[i] + childCount[i])
        .sort((a, b) => total[b] - total[a] || compare(names[this.frame[a]], names[this.frame[b]]) || a - b);
    }
    const order = preOrder(start, children, childCount);
    const frame = new Uint32Array(count);
    const place = new Uint32Array(count);
    const self = new Float64Array(count);
    const counts = new Uint32Array(count);
    for (let i = 0; i < count; i++) {
      frame[i] = this.frame[order[i]];
      place[i] = this.place[order[i]];
      self[i] = this.self[order[i]];
      counts[i] = childCount[order[i]];
    }
    return deriveColumns(frame, place, self, counts);
  }
}

/**
 * The same paths with equal siblings merged and sorted, and without the frames that `leaveOut` names; `caller` is the one above
 * that is left.
 */
export function rebuild(tree: CallTree, leaveOut: (frame: number, caller: number) => boolean = () => false): CallTree {
  const { nodes } = tree;
  const merged = new PathMerger(tree, nodes.frame[0]);
  const at = new Int32Array(nodes.maxDepth + 1);
  const left = new Int32Array(nodes.maxDepth + 1).fill(nodes.frame[0]);
  for (let i = 0; i < nodes.count; i++) {
    const depth = nodes.depth[i];
    if (depth > 0) {
      const [frame, caller] = [nodes.frame[i], left[depth - 1]];
      const isOut = leaveOut(frame, caller);
      at[depth] = isOut ? at[depth - 1] : merged.step(at[depth - 1], i);
      left[depth] = isOut ? caller : frame;
    }
    merged.add(at[depth], nodes.self[i]);
  }
  return merged.finish();
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function groupChildren(parent: number[], childCount: Uint32Array): { start: Uint32Array; children: Uint32Array } {
  const count = parent.length;
  const start = new Uint32Array(count + 1);
  for (let i = 0; i < count; i++) start[i + 1] = start[i] + childCount[i];
  const cursor = start.slice();
  const children = new Uint32Array(Math.max(0, count - 1));
  for (let i = 1; i < count; i++) children[cursor[parent[i]]++] = i;
  return { start, children };
}

function preOrder(start: Uint32Array, children: Uint32Array, childCount: Uint32Array): Uint32Array {
  const order = new Uint32Array(childCount.length);
  const stack = [0];
  let at = 0;
  while (stack.length > 0) {
    const node = stack.pop() as number;
    order[at++] = node;
    for (let k = childCount[node] - 1; k >= 0; k--) stack.push(children[start[node] + k]);
  }
  return order;
}

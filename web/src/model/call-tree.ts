/**
 * The call tree as columns: one typed array per property, one entry per node, nodes in depth-first pre-order.
 *
 * There is no object per node. Trees derived from another (folded, callers, callees) share its frame table.
 */

/** Frame kinds of docs/tree-format.md. */
export const Kind = {
  native: 0,
  kernel: 1,
  go: 2,
  jit: 3,
  vdso: 4,
  runtime: 5,
  truncated: 6,
  event: 7,
  python: 8,
  java: 9,
  javascript: 10,
  group: 255,
} as const;

export type KindName = keyof typeof Kind;

const KIND_NAMES = new Map<number, KindName>(Object.entries(Kind).map(([name, value]) => [value, name as KindName]));

/** A kind that this version does not know reads as `native`. */
export function kindName(kind: number): KindName {
  return KIND_NAMES.get(kind) ?? 'native';
}

/** Whether a frame of this kind is code, and not a group or a note on the stack. */
export function isCode(kind: number): boolean {
  return kind !== Kind.group && kind !== Kind.truncated && kind !== Kind.event;
}

export const Flag = { inlined: 1, unnamed: 2, lowConfidence: 4 } as const;

export interface Meta {
  /** What is counted, for example `samples`. */
  valueKind: string;
  /** `count`, `nanoseconds`, `bytes`. */
  unit: string;
  /** Nanoseconds of CPU time that a value of 1 stands for; 0 where the value is no such count. */
  periodNs: number;
}

export interface ModuleInfo {
  path: string;
  buildId: string;
}

/** Where in the source something is. */
export interface Place {
  /** Empty if only the line is known. */
  file: string;
  /** From 1; 0 if unknown. */
  line: number;
}

/** Distinct frames, and the functions they belong to (equal name, kind and module). */
export interface FrameTable {
  readonly count: number;
  readonly name: string[];
  /** What is shown for the name. */
  readonly label: string[];
  readonly kind: Uint8Array;
  readonly flags: Uint8Array;
  /** Index into `modules`, plus 1; 0 = none. */
  readonly module: Uint32Array;
  readonly modules: ModuleInfo[];
  readonly places: Place[];
  /** Function index of each frame. */
  readonly fn: Uint32Array;
  readonly fnCount: number;
  /** One frame of each function: the one to show for it. */
  readonly fnFrame: Uint32Array;
}

export interface NodeColumns {
  readonly count: number;
  readonly frame: Uint32Array;
  /** Where most of the node was: index into `places`, plus 1; 0 = not known. */
  readonly place: Uint32Array;
  readonly self: Float64Array;
  readonly total: Float64Array;
  /** Nodes in the subtree, the node itself included. */
  readonly size: Uint32Array;
  readonly depth: Uint16Array;
  readonly parent: Int32Array;
  /** Left edge, in the same units as `total`: children stand left, the node's own value right of them. */
  readonly x: Float64Array;
  readonly maxDepth: number;
}

export interface CallTree {
  readonly meta: Meta;
  readonly frames: FrameTable;
  readonly nodes: NodeColumns;
}

/** Deepest tree that is drawn; deeper input is refused. */
export const MAX_DEPTH = 0xffff;

/** Fills in what the wire does not carry. `children` holds the number of direct children in pre-order. */
export function deriveColumns(frame: Uint32Array, place: Uint32Array, self: Float64Array, children: Uint32Array): NodeColumns {
  const count = frame.length;
  const total = Float64Array.from(self);
  const size = new Uint32Array(count).fill(1);
  const depth = new Uint16Array(count);
  const parent = new Int32Array(count).fill(-1);
  const x = new Float64Array(count);
  const maxDepth = assignParents(children, parent, depth);
  for (let i = count - 1; i > 0; i--) {
    const p = parent[i];
    total[p] += total[i];
    size[p] += size[i];
  }
  const next = new Float64Array(maxDepth + 2);
  for (let i = 0; i < count; i++) {
    const d = depth[i];
    const left = i === 0 ? 0 : next[d];
    x[i] = left;
    next[d] = left + total[i];
    next[d + 1] = left;
  }
  return { count, frame, place, self, total, size, depth, parent, x, maxDepth };
}

function assignParents(children: Uint32Array, parent: Int32Array, depth: Uint16Array): number {
  const count = children.length;
  const open: number[] = [];
  const missing: number[] = [];
  let maxDepth = 0;
  for (let i = 0; i < count; i++) {
    while (open.length > 0 && missing[missing.length - 1] === 0) {
      open.pop();
      missing.pop();
    }
    if (i > 0) {
      if (open.length === 0) throw new TreeError('the child counts end before the last node');
      parent[i] = open[open.length - 1];
      missing[missing.length - 1]--;
    }
    if (open.length > MAX_DEPTH) throw new TreeError(`the tree is deeper than ${MAX_DEPTH} frames`);
    depth[i] = open.length;
    if (open.length > maxDepth) maxDepth = open.length;
    open.push(i);
    missing.push(children[i]);
  }
  if (missing.some((m) => m > 0)) throw new TreeError('the child counts describe more nodes than there are');
  return maxDepth;
}

export class TreeError extends Error {
  override name = 'TreeError';
}

/** A frame that no stack has, but a view of it. */
export interface MadeFrame {
  name: string;
  kind: number;
  /** As in `FrameTable.module`. */
  module: number;
}

/** The table with frames behind its own, each a function of its own. */
export function withFrames(frames: FrameTable, made: MadeFrame[]): FrameTable {
  const names = made.map((frame) => frame.name);
  return {
    ...frames,
    count: frames.count + made.length,
    name: [...frames.name, ...names],
    label: [...frames.label, ...names],
    kind: Uint8Array.from([...frames.kind, ...made.map((frame) => frame.kind)]),
    flags: Uint8Array.from([...frames.flags, ...made.map(() => 0)]),
    module: Uint32Array.from([...frames.module, ...made.map((frame) => frame.module)]),
    fn: Uint32Array.from([...frames.fn, ...made.map((_, i) => frames.fnCount + i)]),
    fnCount: frames.fnCount + made.length,
    fnFrame: Uint32Array.from([...frames.fnFrame, ...made.map((_, i) => frames.count + i)]),
  };
}

/** The module's path of a frame; empty if it has none. */
export function modulePath(frames: FrameTable, frame: number): string {
  const m = frames.module[frame];
  return m === 0 ? '' : frames.modules[m - 1].path;
}

/** The place of that number, as `file:line`; empty if it is not known. */
export function placeText(frames: FrameTable, number: number): string {
  const place = frames.places[number - 1];
  if (!place) return '';
  return place.line > 0 ? `${place.file || '?'}:${place.line}` : place.file;
}

/** Frames from the root (exclusive) to `node` (inclusive). */
export function pathTo(nodes: NodeColumns, node: number): number[] {
  const path: number[] = [];
  for (let n = node; n > 0; n = nodes.parent[n]) path.push(n);
  return path.reverse();
}

/** CPU nanoseconds that `value` stands for, or null where the tree does not count CPU time. */
export function cpuNs(meta: Meta, value: number): number | null {
  if (meta.unit === 'nanoseconds') return value;
  return meta.periodNs > 0 ? value * meta.periodNs : null;
}

/** Samples that `value` stands for, or null where that cannot be told. */
export function sampleCount(meta: Meta, value: number): number | null {
  if (meta.unit === 'count') return value;
  return meta.unit === 'nanoseconds' && meta.periodNs > 0 ? value / meta.periodNs : null;
}

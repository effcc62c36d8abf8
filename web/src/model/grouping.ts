/** A tree of files, packages or modules in place of functions: neighbours in a stack that are of the same one are one node. */
import { PathMerger } from './assemble';
import { Kind, modulePath, type CallTree, type FrameTable } from './call-tree';
import { baseName } from './format';

export const GROUPINGS = ['function', 'file', 'package', 'module'] as const;
export type Grouping = (typeof GROUPINGS)[number];

export function groupTree(tree: CallTree, by: Grouping): CallTree {
  if (by === 'function') return tree;
  const { frames, nodes } = tree;
  const groups = new Groups(frames);
  const frame = new Uint32Array(nodes.count);
  for (let i = 0; i < nodes.count; i++) {
    const file = frames.places[nodes.place[i] - 1]?.file ?? '';
    frame[i] = isCode(frames.kind[nodes.frame[i]]) ? groups.of(nodes.frame[i], groupOf(by, frames, nodes.frame[i], file)) : nodes.frame[i];
  }
  const source: CallTree = { ...tree, frames: groups.table(), nodes: { ...nodes, frame } };
  const merged = new PathMerger(source, frame[0]);
  const at = new Int32Array(nodes.maxDepth + 1);
  const left = new Int32Array(nodes.maxDepth + 1).fill(frame[0]);
  for (let i = 0; i < nodes.count; i++) {
    const depth = nodes.depth[i];
    if (depth > 0) {
      const isSame = frame[i] === left[depth - 1] && frame[i] >= frames.count;
      at[depth] = isSame ? at[depth - 1] : merged.step(at[depth - 1], i);
      left[depth] = frame[i];
    }
    merged.add(at[depth], nodes.self[i]);
  }
  return merged.finish();
}

function isCode(kind: number): boolean {
  return kind !== Kind.group && kind !== Kind.truncated && kind !== Kind.event;
}

/** The name of the file, package or module; that of the module, or of the kind of code, where there is none. */
function groupOf(by: Grouping, frames: FrameTable, frame: number, file: string): string {
  const module = baseName(modulePath(frames, frame));
  const found = by === 'file' ? file : by === 'package' ? packageOf(frames.kind[frame], frames.name[frame], file) : '';
  return found || module || '[no file]';
}

/** The package, crate, namespace or folder of a function; empty if it has none. */
export function packageOf(kind: number, name: string, file: string): string {
  switch (kind) {
    case Kind.java:
      return name.split('.').slice(0, -2).join('.');
    case Kind.go: {
      const path = name.split(/[[(]/)[0];
      const dot = path.indexOf('.', path.lastIndexOf('/') + 1);
      return dot < 0 ? '' : path.slice(0, dot);
    }
    case Kind.python:
    case Kind.javascript:
      return installed(file) ?? folder(file);
    case Kind.native:
    case Kind.jit:
      return /^[<&]*(?:(?:mut|dyn|impl) )*([A-Za-z_]\w*)(?:::\w+)*::/.exec(name)?.[1] ?? '';
    default:
      return '';
  }
}

/** What was installed below `site-packages` or `node_modules`. */
function installed(file: string): string | null {
  const found = /.*\/(?:site-packages|dist-packages|node_modules)\/((?:@[^/]+\/)?[^/]+)/.exec(file);
  return found ? found[1].replace(/\.py$/, '') : null;
}

function folder(file: string): string {
  return file.includes('/') ? file.slice(0, file.lastIndexOf('/')) : file;
}

/** The frames of a tree, and groups behind them. */
class Groups {
  private readonly byKey = new Map<string, number>();
  private readonly names: string[] = [];
  /** The frame that a group was first met at, which lends it its kind. */
  private readonly first: number[] = [];

  constructor(private readonly frames: FrameTable) {}

  of(frame: number, name: string): number {
    const key = `${this.frames.kind[frame]} ${name}`;
    let group = this.byKey.get(key);
    if (group === undefined) {
      group = this.names.length;
      this.byKey.set(key, group);
      this.names.push(name);
      this.first.push(frame);
    }
    return this.frames.count + group;
  }

  table(): FrameTable {
    const { frames, names, first } = this;
    const rows = names.map((_, i) => i);
    return {
      ...frames,
      count: frames.count + names.length,
      name: [...frames.name, ...names],
      label: [...frames.label, ...names],
      kind: Uint8Array.from([...frames.kind, ...first.map((frame) => frames.kind[frame])]),
      flags: Uint8Array.from([...frames.flags, ...rows.map(() => 0)]),
      module: Uint32Array.from([...frames.module, ...first.map((frame) => frames.module[frame])]),
      fn: Uint32Array.from([...frames.fn, ...rows.map((i) => frames.fnCount + i)]),
      fnCount: frames.fnCount + names.length,
      fnFrame: Uint32Array.from([...frames.fnFrame, ...rows.map((i) => frames.count + i)]),
    };
  }
}

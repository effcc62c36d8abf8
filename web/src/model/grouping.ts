/** A tree of files, packages or modules in place of functions: neighbours in a stack that are of the same one are one node. */
import { rebuild } from './assemble';
import { isCode, Kind, modulePath, withFrames, type CallTree, type FrameTable, type MadeFrame } from './call-tree';
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
  const source: CallTree = { ...tree, frames: withFrames(frames, groups.made), nodes: { ...nodes, frame } };
  return rebuild(source, (of, caller) => of === caller && of >= frames.count);
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

/** Groups as frames behind those of a tree. */
class Groups {
  readonly made: MadeFrame[] = [];
  private readonly byKey = new Map<string, number>();

  constructor(private readonly frames: FrameTable) {}

  /** The frame of that group; the first of its frames lends it kind and module. */
  of(frame: number, name: string): number {
    const kind = this.frames.kind[frame];
    const key = `${kind} ${name}`;
    let group = this.byKey.get(key);
    if (group === undefined) {
      group = this.made.length;
      this.byKey.set(key, group);
      this.made.push({ name, kind, module: this.frames.module[frame] });
    }
    return this.frames.count + group;
  }
}

/** Leaves a tree with one's own functions alone: what others burned counts for the function of one's own that called them. */
import { PathMerger } from './assemble';
import { Kind, type CallTree, type FrameTable } from './call-tree';
import { ORIGINS, origins } from './origin';

/** Stands for stacks in which no function is one's own. */
export const OTHER_CODE = '[other code]';

export function ownCode(tree: CallTree): CallTree {
  const { nodes } = tree;
  const own = ORIGINS.indexOf('own');
  const origin = origins(tree);
  const { kind } = tree.frames;
  const source = { ...tree, frames: withOtherCode(tree.frames) };
  const merged = new PathMerger(source, nodes.frame[0]);
  const at = new Int32Array(nodes.maxDepth + 1);
  const hasOwn = new Uint8Array(nodes.maxDepth + 1);
  for (let i = 0; i < nodes.count; i++) {
    const [depth, frame] = [nodes.depth[i], nodes.frame[i]];
    if (depth > 0) {
      // Groups, and what says that a stack is incomplete, belong to nobody.
      const isNote = kind[frame] === Kind.group || kind[frame] === Kind.truncated || kind[frame] === Kind.event;
      const isOwn = !isNote && origin[frame] === own;
      at[depth] = isNote || isOwn ? merged.step(at[depth - 1], i) : at[depth - 1];
      hasOwn[depth] = isOwn || hasOwn[depth - 1] ? 1 : 0;
    }
    if (nodes.self[i] > 0) merged.add(hasOwn[depth] || depth === 0 ? at[depth] : merged.child(at[depth], tree.frames.count), nodes.self[i]);
  }
  return merged.finish();
}

/** With one more frame, the last. */
function withOtherCode(frames: FrameTable): FrameTable {
  const append = (column: Uint32Array, value: number) => Uint32Array.from([...column, value]);
  return {
    ...frames,
    count: frames.count + 1,
    name: [...frames.name, OTHER_CODE],
    label: [...frames.label, OTHER_CODE],
    kind: Uint8Array.from([...frames.kind, Kind.group]),
    flags: Uint8Array.from([...frames.flags, 0]),
    module: append(frames.module, 0),
    fn: append(frames.fn, frames.fnCount),
    fnCount: frames.fnCount + 1,
    fnFrame: append(frames.fnFrame, frames.count),
  };
}

/** Leaves a tree with one's own functions alone: what others burned counts for the function of one's own that called them. */
import { PathMerger } from './assemble';
import { isCode, Kind, withFrames, type CallTree } from './call-tree';
import { ORIGINS, origins } from './origin';

/** Stands for stacks in which no function is one's own. */
export const OTHER_CODE = '[other code]';

export function ownCode(tree: CallTree): CallTree {
  const { nodes } = tree;
  const own = ORIGINS.indexOf('own');
  const origin = origins(tree);
  const { kind } = tree.frames;
  const source = { ...tree, frames: withFrames(tree.frames, [{ name: OTHER_CODE, kind: Kind.group, module: 0 }]) };
  const merged = new PathMerger(source, nodes.frame[0]);
  const at = new Int32Array(nodes.maxDepth + 1);
  const hasOwn = new Uint8Array(nodes.maxDepth + 1);
  for (let i = 0; i < nodes.count; i++) {
    const [depth, frame] = [nodes.depth[i], nodes.frame[i]];
    if (depth > 0) {
      // Groups, and what says that a stack is incomplete, belong to nobody.
      const isNote = !isCode(kind[frame]);
      const isOwn = !isNote && origin[frame] === own;
      at[depth] = isNote || isOwn ? merged.step(at[depth - 1], i) : at[depth - 1];
      hasOwn[depth] = isOwn || hasOwn[depth - 1] ? 1 : 0;
    }
    if (nodes.self[i] > 0) merged.add(hasOwn[depth] || depth === 0 ? at[depth] : merged.child(at[depth], tree.frames.count), nodes.self[i]);
  }
  return merged.finish();
}

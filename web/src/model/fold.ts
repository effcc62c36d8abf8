/** Takes frames of some classes out of a tree: what they burned counts for their caller. */
import { rebuild } from './assemble';
import type { CallTree } from './call-tree';
import { FrameClass, frameClasses, type FrameClassName } from './frame-class';

export function foldTree(tree: CallTree, hidden: readonly FrameClassName[]): CallTree {
  if (hidden.length === 0) return tree;
  const classes = frameClasses(tree.frames);
  const out = new Set<number>(hidden.map((name) => FrameClass[name]));
  return rebuild(tree, (frame) => out.has(classes[frame]));
}

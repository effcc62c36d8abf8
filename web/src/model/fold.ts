/** Takes frames of some classes out of a tree: what they burned counts for their caller. */
import { rebuild } from './assemble';
import { Flag, type CallTree } from './call-tree';
import { FrameClass, frameClasses, type FrameClassName } from './frame-class';

export function foldTree(tree: CallTree, hidden: readonly FrameClassName[]): CallTree {
  if (hidden.length === 0) return tree;
  const classes = frameClasses(tree.frames);
  const out = new Set<number>(hidden.map((name) => FrameClass[name]));
  const { flags } = tree.frames;
  /** A runtime's frame stays where it says that the stack was guessed, and where it runs for nobody, as its collector does. */
  const stays = (frame: number, caller: number) => classes[frame] === FrameClass.runtime && (classes[caller] === FrameClass.group || (flags[frame] & Flag.lowConfidence) !== 0);
  return rebuild(tree, (frame, caller) => out.has(classes[frame]) && !stays(frame, caller));
}

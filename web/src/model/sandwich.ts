/**
 * Callers and callees of one function.
 *
 * Both trees stand for the outermost calls of the function, so a recursive function counts once per stack and each
 * tree's total is the function's total.
 */
import { PathMerger } from './assemble';
import type { CallTree } from './call-tree';

export interface Sandwich {
  /** Root: the function; below it who called it, then their callers. */
  callers: CallTree;
  /** Root: the function; below it what it called. */
  callees: CallTree;
}

export function sandwich(tree: CallTree, fn: number): Sandwich {
  const { frames, nodes } = tree;
  const root = frames.fnFrame[fn];
  const callers = new PathMerger(tree, root);
  const callees = new PathMerger(tree, root);
  for (let i = 0; i < nodes.count; ) {
    if (frames.fn[nodes.frame[i]] !== fn) {
      i++;
      continue;
    }
    callers.at(0, i);
    let at = 0;
    for (let p = nodes.parent[i]; p > 0; p = nodes.parent[p]) at = callers.step(at, p);
    callers.add(at, nodes.total[i]);
    addSubtree(callees, tree, i);
    i += nodes.size[i];
  }
  return { callers: callers.finish(), callees: callees.finish() };
}

function addSubtree(into: PathMerger, tree: CallTree, from: number): void {
  const { nodes } = tree;
  const base = nodes.depth[from];
  const at: number[] = [0];
  into.at(0, from);
  into.add(0, nodes.self[from]);
  for (let i = from + 1; i < from + nodes.size[from]; i++) {
    const level = nodes.depth[i] - base;
    at[level] = into.step(at[level - 1], i);
    into.add(at[level], nodes.self[i]);
  }
}

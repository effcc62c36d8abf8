/**
 * A short name for a node that holds in another tree of the same service: a hash of the frames from the root.
 * Links and live refresh find the zoomed frame again by it.
 */
import { modulePath, type CallTree } from './call-tree';

const OFFSET = 0x811c9dc5;
const PRIME = 0x01000193;

function hashText(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), PRIME);
  return h;
}

function combine(parent: number, frame: number): number {
  let h = Math.imul(parent ^ 0x9e3779b9, 0x85ebca6b) ^ frame;
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return h ^ (h >>> 13);
}

function frameHash(tree: CallTree, frame: number): number {
  const { name, kind, flags } = tree.frames;
  const seed = OFFSET ^ (kind[frame] << 8) ^ (flags[frame] & 3);
  return hashText(modulePath(tree.frames, frame), hashText(name[frame], seed));
}

/** Eight hexadecimal digits. */
export function nodePath(tree: CallTree, node: number): string {
  const path: number[] = [];
  for (let n = node; n > 0; n = tree.nodes.parent[n]) path.push(n);
  let h = 0;
  for (let i = path.length - 1; i >= 0; i--) h = combine(h, frameHash(tree, tree.nodes.frame[path[i]]));
  return (h >>> 0).toString(16).padStart(8, '0');
}

/** The node with this path, or 0 (the root) if the tree has none. */
export function findNode(tree: CallTree, path: string): number {
  const wanted = Number.parseInt(path, 16) | 0;
  const { nodes, frames } = tree;
  const hashes = new Int32Array(frames.count);
  for (let i = 0; i < frames.count; i++) hashes[i] = frameHash(tree, i);
  const at = new Int32Array(nodes.maxDepth + 1);
  for (let i = 1; i < nodes.count; i++) {
    const d = nodes.depth[i];
    at[d] = combine(at[d - 1], hashes[nodes.frame[i]]);
    if (at[d] === wanted) return i;
  }
  return 0;
}

/** What is computed from one tree: runs in a worker, or in the page where there is no worker (self-contained reports). */
import { decodeTree } from '../model/decode';
import type { CallTree } from '../model/call-tree';
import { foldTree } from '../model/fold';
import { FRAME_CLASS_NAMES, FrameClass, frameClasses, type FrameClassName } from '../model/frame-class';
import { functionTable, type FunctionTable } from '../model/functions';
import { sandwich, type Sandwich } from '../model/sandwich';
import { groupTree, type Grouping } from '../model/grouping';
import { ownCode } from '../model/own-code';
import { withShortNames } from '../model/short-names';
import { search, type SearchQuery, type SearchResult } from '../model/search';

/** What is made of a tree before it is shown. */
export interface Shape {
  fold: FrameClassName[];
  names: 'full' | 'short';
  code: 'all' | 'own';
  group: Grouping;
}

/** The operations the views ask for. All but `open` work on the tree that `open` gave last. */
export interface Analysis {
  open(bytes: Uint8Array, shape: Shape): Promise<OpenedTree>;
  functions(): Promise<FunctionTable>;
  search(query: SearchQuery): Promise<SearchResult | null>;
  sandwich(fn: number): Promise<Sandwich>;
}

export interface OpenedTree {
  tree: CallTree;
  /** Before folding, for the legend: what each class burns itself; for truncated stacks, what they weigh. */
  classValue: Float64Array;
}

export class LocalAnalysis implements Analysis {
  private bytes: Uint8Array | null = null;
  private base: CallTree | null = null;
  private view: CallTree | null = null;

  async open(bytes: Uint8Array, shape: Shape): Promise<OpenedTree> {
    if (this.bytes !== bytes || !this.base) {
      this.base = decodeTree(bytes);
      this.bytes = bytes;
    }
    const named = shape.names === 'short' ? withShortNames(this.base) : this.base;
    const chosen = foldTree(shape.code === 'own' ? ownCode(named) : named, shape.fold);
    this.view = groupTree(chosen, shape.group);
    return { tree: this.view, classValue: classValue(this.base) };
  }

  async functions(): Promise<FunctionTable> {
    return functionTable(this.tree());
  }

  async search(query: SearchQuery): Promise<SearchResult | null> {
    return search(this.tree(), query);
  }

  async sandwich(fn: number): Promise<Sandwich> {
    return sandwich(this.tree(), fn);
  }

  private tree(): CallTree {
    if (!this.view) throw new Error('no tree is open');
    return this.view;
  }
}

function classValue(tree: CallTree): Float64Array {
  const { nodes, frames } = tree;
  const classes = frameClasses(frames);
  const out = new Float64Array(FRAME_CLASS_NAMES.length);
  for (let i = 0; i < nodes.count; i++) {
    const name = classes[nodes.frame[i]];
    out[name] += name === FrameClass.truncated ? nodes.total[i] : nodes.self[i];
  }
  return out;
}

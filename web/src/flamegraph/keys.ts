/** What a key does in the flame graph: pure, so that it is tested without a browser. */
import type { CallTree } from '../model/call-tree';
import { beside, type Levels } from './levels';

export type KeyAction =
  | { do: 'focus'; node: number }
  | { do: 'zoom'; node: number }
  | { do: 'function'; node: number }
  | { do: 'search' }
  | { do: 'help' }
  | { do: 'hit'; step: 1 | -1 }
  | { do: 'scale'; factor: number }
  | { do: 'none' };

export interface KeyContext {
  tree: CallTree;
  levels: Levels;
  /** Focused node; -1 if none yet. */
  focus: number;
  /** Node that is zoomed to; 0 = the whole. */
  zoom: number;
  upward: boolean;
}

export function keyAction(key: string, context: KeyContext): KeyAction {
  const { tree, levels, zoom } = context;
  const { nodes } = tree;
  const focus = context.focus < 0 ? zoom : context.focus;
  const rootward = context.upward ? 'ArrowDown' : 'ArrowUp';
  const leafward = context.upward ? 'ArrowUp' : 'ArrowDown';
  const to = (node: number): KeyAction => (node < 0 ? { do: 'none' } : { do: 'focus', node });
  switch (key) {
    case rootward:
      return to(nodes.parent[focus]);
    case leafward:
      return to(nodes.size[focus] > 1 ? focus + 1 : -1);
    case 'ArrowLeft':
      return to(beside(nodes, levels, focus, -1));
    case 'ArrowRight':
      return to(beside(nodes, levels, focus, 1));
    case 'Home':
      return to(zoom);
    case 'End':
      return to(heaviestLeaf(tree, focus));
    case 'Enter':
    case ' ':
      return { do: 'zoom', node: focus };
    case 'Escape':
    case '0':
      return { do: 'zoom', node: 0 };
    case 'Backspace':
      return { do: 'zoom', node: Math.max(0, nodes.parent[zoom]) };
    case 'f':
      return focus > 0 ? { do: 'function', node: focus } : { do: 'none' };
    case '/':
      return { do: 'search' };
    case '?':
      return { do: 'help' };
    case 'n':
      return { do: 'hit', step: 1 };
    case 'N':
      return { do: 'hit', step: -1 };
    case '+':
    case '=':
      return { do: 'scale', factor: 0.6 };
    case '-':
      return { do: 'scale', factor: 1 / 0.6 };
    default:
      return { do: 'none' };
  }
}

/** Children are sorted by total: the first child is the heaviest. */
function heaviestLeaf(tree: CallTree, from: number): number {
  let node = from;
  while (tree.nodes.size[node] > 1) node++;
  return node;
}

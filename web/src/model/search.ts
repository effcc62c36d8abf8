/**
 * Search over frame names. The pattern is plain text or a regular expression; a capital letter makes it case-sensitive.
 * `mod:` in front searches the modules' paths instead.
 */
import { Kind, modulePath, type CallTree, type FrameTable } from './call-tree';

export interface SearchQuery {
  text: string;
  regex: boolean;
}

export interface SearchResult {
  /** 1 for each frame that matches. */
  frames: Uint8Array;
  /** 1 for each function that matches. */
  functions: Uint8Array;
  functionCount: number;
  /** Outermost matching nodes, largest first, at most `MAX_HITS`. */
  hits: Uint32Array;
  hitCount: number;
  /** Value of all stacks in which a frame matches. */
  matched: number;
}

export const MAX_HITS = 10_000;
const MODULE_PREFIX = 'mod:';

export class PatternError extends Error {
  override name = 'PatternError';
}

/** The predicate of a query, or null for an empty one. Throws `PatternError` for a bad expression. */
export function compilePattern(query: SearchQuery): { test: (text: string) => boolean; onModule: boolean } | null {
  const onModule = query.text.startsWith(MODULE_PREFIX);
  const text = onModule ? query.text.slice(MODULE_PREFIX.length) : query.text;
  if (text === '') return null;
  const caseSensitive = /\p{Lu}/u.test(query.regex ? text.replace(/\\./g, '') : text);
  if (!query.regex) {
    const needle = caseSensitive ? text : text.toLowerCase();
    return { onModule, test: (s) => (caseSensitive ? s : s.toLowerCase()).includes(needle) };
  }
  try {
    const expression = new RegExp(text, caseSensitive ? '' : 'i');
    return { onModule, test: (s) => expression.test(s) };
  } catch (error) {
    throw new PatternError(error instanceof Error ? error.message : String(error));
  }
}

export function search(tree: CallTree, query: SearchQuery): SearchResult | null {
  const pattern = compilePattern(query);
  if (!pattern) return null;
  const frames = matchFrames(tree.frames, pattern);
  const functions = new Uint8Array(tree.frames.fnCount);
  const { nodes } = tree;
  // A folded tree shares the table of all frames: only those it shows count.
  for (let i = 0; i < nodes.count; i++) if (frames[nodes.frame[i]]) functions[tree.frames.fn[nodes.frame[i]]] = 1;
  const hits: number[] = [];
  let matched = 0;
  for (let i = 0; i < nodes.count; ) {
    if (!frames[nodes.frame[i]]) {
      i++;
      continue;
    }
    matched += nodes.total[i];
    hits.push(i);
    i += nodes.size[i];
  }
  hits.sort((a, b) => nodes.total[b] - nodes.total[a] || a - b);
  const functionCount = functions.reduce((sum, f) => sum + f, 0);
  return { frames, functions, functionCount, hits: Uint32Array.from(hits.slice(0, MAX_HITS)), hitCount: hits.length, matched };
}

function matchFrames(frames: FrameTable, pattern: { test: (text: string) => boolean; onModule: boolean }): Uint8Array {
  const out = new Uint8Array(frames.count);
  for (let i = 0; i < frames.count; i++) {
    if (frames.kind[i] === Kind.group && frames.name[i] === '') continue;
    out[i] = pattern.test(pattern.onModule ? modulePath(frames, i) : frames.name[i]) ? 1 : 0;
  }
  return out;
}

/**
 * Names as people say them: without packages, what templates are filled with, and arguments. Two functions can have the same one.
 *
 * The rules are those of exports (`crates/profile/src/short_names.rs`), and tested with the same examples.
 */
import { Flag, Kind, type CallTree } from './call-tree';

const FILLED = '<…>';
/** Types within types, of which a name has a few. */
const MAX_DEPTH = 8;
/** A method is told by its class, a function by its module. */
const PARTS = 2;

const CLOSES: Record<string, string> = { '<': '>', '(': ')', '[': ']', '{': '}' };
const CLOSING = '>)]}';
const SIGNS = /^[<>=!+\-*/%&|^~,]*/;
const QUALIFIER = /^ (?:const|volatile|&&|&|noexcept)/;

/** The same tree; its frames are labelled with short names. */
export function withShortNames(tree: CallTree): CallTree {
  const { frames } = tree;
  const label = frames.name.map((name, i) => (frames.flags[i] & Flag.unnamed ? name : shortName(name, frames.kind[i])));
  return { ...tree, frames: { ...frames, label } };
}

/** The short name of a function; the name itself where it is none of those that have a longer one than people say. */
export function shortName(name: string, kind: number): string {
  switch (kind) {
    case Kind.java:
      return name.split('.').slice(-PARTS).join('.') || name;
    case Kind.go:
      return goName(name) || name;
    case Kind.native:
    case Kind.jit:
      return nativeName(name, PARTS, 0) || name;
    default:
      return name;
  }
}

/** The package's last part and what is in it; null if brackets do not match. */
function goName(name: string): string | null {
  let short = '';
  let depth = 0;
  for (const c of name) {
    if (c === '[') depth++;
    else if (c === ']') {
      if (--depth < 0) return null;
      if (depth === 0) short += '[…]';
    } else if (depth === 0) short = c === '/' ? '' : short + c;
  }
  return depth === 0 ? short : null;
}

/** The last parts of a name of C++ or Rust; null if its brackets do not match. */
function nativeName(name: string, most: number, depth: number): string | null {
  let parts = [''];
  let at = 0;
  while (at < name.length) {
    const c = name[at];
    const last = parts.length - 1;
    if (c in CLOSES) {
      const end = closing(name, at);
      if (end === null) return null;
      const shown = bracketed(c, name.slice(at + 1, end), parts[last] === '', depth);
      if (shown === null) return null;
      parts[last] += shown;
      at = end + 1;
      if (c === '(') at += qualifiers(name, at);
    } else if (CLOSING.includes(c)) {
      return null;
    } else if (c === ' ' && depth === 0 && name[at + 1] !== '[') {
      // What stands before is the type that is returned.
      parts = [''];
      at++;
    } else if (name.startsWith('::', at)) {
      parts.push('');
      at += 2;
    } else if (parts[last] === '' && name.startsWith('operator', at)) {
      const length = operatorLength(name.slice(at));
      parts[last] += name.slice(at, at + length).trimEnd();
      at += length;
    } else {
      parts[last] += c;
      at++;
    }
  }
  return lastParts(parts.filter((part) => part !== ''), most).join('::');
}

/** A closure is told by the function that it is in. */
function lastParts(parts: string[], most: number): string[] {
  let from = parts.length;
  for (let named = 0; from > 0; from--) {
    if (!parts[from - 1].startsWith('{') && ++named > most) break;
  }
  return parts.slice(from);
}

/** What stands for a pair of brackets and what is inside. */
function bracketed(open: string, inside: string, isFirst: boolean, depth: number): string | null {
  if (open === '<') return isFirst && depth < MAX_DEPTH ? ofType(inside, depth + 1) : FILLED;
  if (open === '[') return `[${inside}]`;
  if (open === '(') return '';
  // A lambda without what it takes.
  return inside.startsWith('lambda(') ? `{lambda${inside.includes('#') ? inside.slice(inside.lastIndexOf('#')) : ''}}` : `{${inside}}`;
}

/** `<T as Trait>`, `<impl Trait for T>`: each type by its last part. Without brackets where there is but one. */
function ofType(inside: string, depth: number): string | null {
  const words: string[] = [];
  let at = 0;
  while (at < inside.length) {
    let end = at;
    while (end < inside.length && inside[end] !== ' ') {
      const close = inside[end] in CLOSES ? closing(inside, end) : end;
      if (close === null) return null;
      end = close + 1;
    }
    const word = nativeName(inside.slice(at, end), 1, depth);
    if (word === null) return null;
    words.push(word);
    at = end;
    while (inside[at] === ' ') at++;
  }
  return words.length === 1 ? words[0] : `<${words.join(' ')}>`;
}

/** Where the bracket at `from` is closed. */
function closing(text: string, from: number): number | null {
  const open: string[] = [];
  for (let at = from; at < text.length; at++) {
    const c = text[at];
    if (c in CLOSES) open.push(CLOSES[c]);
    // An arrow closes nothing.
    else if (CLOSING.includes(c) && !(c === '>' && text[at - 1] === '-')) {
      if (open.pop() !== c) return null;
      if (open.length === 0) return at;
    }
  }
  return null;
}

/** `operator` and what it is: signs, a pair of brackets, or words. */
function operatorLength(text: string): number {
  const sign = 'operator'.length;
  const rest = text.slice(sign);
  if (rest.startsWith('()') || rest.startsWith('[]')) return sign + 2;
  if (rest.startsWith(' ')) {
    const end = rest.search(/[(<]/);
    return sign + (end < 0 ? rest.length : end);
  }
  const signs = SIGNS.exec(rest)?.[0].length ?? 0;
  // A space parts the sign from what the template is filled with.
  return sign + signs + (signs > 0 && rest.startsWith(' <', signs) ? 1 : 0);
}

/** The length of what stands behind arguments. */
function qualifiers(text: string, from: number): number {
  let at = from;
  for (let match; (match = QUALIFIER.exec(text.slice(at, at + 16))); ) at += match[0].length;
  return at - from;
}

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Flag, Kind, type CallTree, type KindName } from '../src/model/call-tree';
import { decodeTree } from '../src/model/decode';
import { shortName, withShortNames } from '../src/model/short-names';
import { search } from '../src/model/search';
import { formatUrl, parseUrl } from '../src/model/url-state';
import { exportUrl } from '../src/api/client';

const EXAMPLES: [KindName, string, string][] = JSON.parse(readFileSync(new URL('../../crates/profile/src/short_names.json', import.meta.url), 'utf8'));

describe('short names', () => {
  it.each(EXAMPLES)('%s: %s', (kind, name, short) => expect(shortName(name, Kind[kind])).toBe(short));

  it('are names of any text, in reasonable time', () => {
    for (const piece of ['<', '(', '{', 'a::<', '<a as ']) expect(shortName(piece.repeat(3000), Kind.native)).toBe(piece.repeat(3000));
    expect(shortName(`${'<'.repeat(3000)}${'>'.repeat(3000)}::f`, Kind.native)).toMatch(/::f$/);
    expect(shortName('<a as b>::'.repeat(1500), Kind.native)).toBe('<a as b>::<a as b>');
  });

  it('are shown, but functions are found and told apart by their full ones', () => {
    const tree = example();
    const short = withShortNames(tree);
    expect(short.frames.label.slice(1)).toEqual(['Cart.add', 'lib::x+0x10', 'cart::total']);
    expect(short.frames.name).toBe(tree.frames.name);
    expect(short.frames.fn).toBe(tree.frames.fn);
    expect(search(short, { text: 'com.shop', regex: false })?.functionCount).toBe(1);
  });

  it('stand in the link, and exports follow', () => {
    const state = parseUrl('/service?names=short');
    expect(state.view.names).toBe('short');
    expect(formatUrl(state)).toContain('names=short');
    expect(exportUrl(state, 'folded')).toContain('names=short');
    const full = parseUrl('/service');
    expect(formatUrl(full) + exportUrl(full, 'folded')).not.toContain('names=');
  });
});

/** A root, and a chain of three frames below it. */
function example(): CallTree {
  const names = ['', 'com.shop.Cart.add', 'lib::x+0x10', 'shop::cart::total(int)', 'samples', 'count'];
  const text = (value: string) => [value.length, ...new TextEncoder().encode(value)];
  const frames = [[0, 1, 2, 3], [Kind.group, Kind.java, Kind.native, Kind.native], [0, 0, Flag.unnamed, 0], [0, 0, 0, 0]];
  const nodes = [[0, 1, 2, 3], [0, 0, 0, 0], [0, 1, 0, 2], [1, 1, 1, 0]];
  return decodeTree(Uint8Array.from([...new TextEncoder().encode('IRT1'), 2, 4, 4, names.length, 0, 3, 10, 4, 5, 0, ...names.flatMap(text), ...frames.flat(), ...nodes.flat()]));
}

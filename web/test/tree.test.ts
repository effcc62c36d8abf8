import { describe, expect, test } from 'vitest';
import { encodeTree } from '../dev/irt1.mjs';
import { largeTree, serviceTree } from '../dev/mock-trees.mjs';
import { placeText, TreeError, type CallTree } from '../src/model/call-tree';
import { decodeTree } from '../src/model/decode';
import { rebuild } from '../src/model/assemble';
import { foldTree } from '../src/model/fold';
import { FOLDABLE } from '../src/model/frame-class';
import { functionTable } from '../src/model/functions';
import { findNode, nodePath } from '../src/model/node-path';
import { sandwich } from '../src/model/sandwich';

const EXAMPLE = Uint8Array.from(
  `49 52 54 31 02 03 03 06 00 03 92 c2 e8 04 04 05 02 00 04 6d 61 69 6e 04 77 6f 72 6b 06 73 68 6f 70 2e 63 07 73 61 6d 70 6c 65 73
   05 63 6f 75 6e 74 00 01 02 ff 00 00 00 00 00 00 00 00 03 07 03 0c 00 01 02 00 01 02 00 01 02 01 01 00`.trim().split(/\s+/).map((h) => Number.parseInt(h, 16)),
);

const sum = (values: Float64Array) => values.reduce((a, b) => a + b, 0);
type Input = Parameters<typeof encodeTree>[0];
const node = (name: string, self: number, children: Input[] = [], extra: Partial<Input> = {}): Input => ({ name, self, children, ...extra });
const recursive = decodeTree(encodeTree(node('', 0, [
  node('main', 1, [node('fib', 2, [node('fib', 3, [node('fib', 4), node('leaf', 1)])]), node('leaf', 5)]),
], { kind: 'group' })));
const trees = {
  recursive,
  checkout: decodeTree(encodeTree(serviceTree('checkout'))),
  large: decodeTree(encodeTree(largeTree(20_000))),
};

describe('decoding', () => {
  test('the example of the format description', () => {
    const tree = decodeTree(EXAMPLE);
    expect(tree.meta).toEqual({ valueKind: 'samples', unit: 'count', periodNs: 10_101_010 });
    expect(Array.from(tree.nodes.frame, (f) => tree.frames.name[f])).toEqual(['', 'main', 'work']);
    expect([...tree.nodes.self]).toEqual([0, 1, 2]);
    expect([...tree.nodes.total]).toEqual([3, 3, 2]);
    expect([...tree.nodes.depth]).toEqual([0, 1, 2]);
    expect([...tree.nodes.parent]).toEqual([-1, 0, 1]);
    expect(Array.from(tree.nodes.place, (place) => placeText(tree.frames, place))).toEqual(['', 'shop.c:7', 'shop.c:12']);
  });

  test('a tree that is cut anywhere is refused, never half read', () => {
    for (let length = 0; length < EXAMPLE.length; length++) {
      expect(() => decodeTree(EXAMPLE.subarray(0, length)), `cut at ${length}`).toThrow(TreeError);
    }
  });

  test('any byte replaced by any value gives a tree that adds up, or a TreeError', () => {
    const wrong: [at: number, value: number][] = [];
    for (let at = 0; at < EXAMPLE.length; at++) {
      for (let value = 0; value < 256; value++) {
        const bytes = EXAMPLE.slice();
        bytes[at] = value;
        try {
          const tree = decodeTree(bytes);
          if (sum(tree.nodes.self) !== tree.nodes.total[0]) wrong.push([at, value]);
        } catch (error) {
          if (!(error instanceof TreeError)) wrong.push([at, value]);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  test('trailing bytes and counts beyond the input are refused', () => {
    expect(() => decodeTree(Uint8Array.of(...EXAMPLE, 0))).toThrow('follow');
    const huge = EXAMPLE.slice();
    huge.set([0xff, 0xff, 0xff, 0x7f], 5);
    expect(() => decodeTree(huge)).toThrow('count');
  });

  test('values beyond 2³² are exact', () => {
    const tree = decodeTree(encodeTree(node('', 0, [node('a', 2 ** 40 + 1), node('b', 3)], { kind: 'group' })));
    expect(tree.nodes.total[0]).toBe(2 ** 40 + 4);
  });

  test('siblings that came unsorted are sorted', () => {
    const tree = decodeTree(encodeTree(node('', 0, [node('small', 1), node('big', 9)], { kind: 'group' })));
    expect(tree.frames.name[tree.nodes.frame[1]]).toBe('big');
  });
});

describe.each(Object.entries(trees))('conservation in %s', (_, tree) => {
  const { nodes } = tree;

  test('the sum of self is the total of the root', () => {
    expect(sum(nodes.self)).toBe(nodes.total[0]);
  });

  test('children lie inside their parent, side by side', () => {
    const wrong: number[] = [];
    const edge = Float64Array.from(nodes.x);
    for (let i = 1; i < nodes.count; i++) {
      const p = nodes.parent[i];
      if (nodes.x[i] !== edge[p]) wrong.push(i);
      edge[p] = nodes.x[i] + nodes.total[i];
      if (edge[p] > nodes.x[p] + nodes.total[p] - nodes.self[p]) wrong.push(i);
    }
    expect(wrong).toEqual([]);
  });

  test('the self column of the function table adds up to the total', () => {
    expect(sum(functionTable(tree).self)).toBe(nodes.total[0]);
  });

  test('callers and callees of every function weigh what the function weighs', () => {
    const table = functionTable(tree);
    const every = Math.max(1, Math.floor(table.fn.length / 50));
    for (let i = 0; i < table.fn.length; i += every) {
      const { callers, callees } = sandwich(tree, table.fn[i]);
      expect(callers.nodes.total[0]).toBe(table.total[i]);
      expect(callees.nodes.total[0]).toBe(table.total[i]);
      expect(sum(callers.nodes.self)).toBe(table.total[i]);
      expect(sum(callees.nodes.self)).toBe(table.total[i]);
    }
  });

  test('folding a class keeps the total and leaves none of its frames', () => {
    for (const name of FOLDABLE) {
      const folded = foldTree(tree, [name]);
      expect(sum(folded.nodes.self)).toBe(nodes.total[0]);
      expect(folded.nodes.count).toBeLessThanOrEqual(nodes.count);
    }
    expect(foldTree(tree, []).nodes).toBe(nodes);
  });

  const shown = (root: CallTree) => Array.from(root.nodes.frame, (frame) => root.frames.name[frame]);

  test("a runtime's frames are folded into what they run for, but not what is guessed or runs for nobody", () => {
    const loop = (self: number, children: Input[], flags = 0) => node('loop', self, children, { kind: 'runtime', flags });
    const of = (root: Input) => decodeTree(encodeTree(node('', 0, [root], { kind: 'group' })));
    const python = of(node('main', 0, [loop(3, [node('f', 1, [loop(2, [node('g', 4)], 1)])], 2)]));
    const folded = foldTree(python, ['runtime']);
    expect(shown(folded)).toEqual(['', 'main', 'f', 'g']);
    expect([...folded.nodes.self]).toEqual([0, 3, 3, 4]);
    expect(shown(foldTree(of(node('main', 0, [loop(1, [node('f', 1)], 4)])), ['runtime']))).toEqual(['', 'main', 'loop', 'f']);
    expect(shown(foldTree(of(loop(1, [node('mark', 1)])), ['runtime']))).toEqual(['', 'loop', 'mark']);
    expect(shown(foldTree(of(node('shop', 0, [loop(1, [])], { kind: 'group' })), ['runtime']))).toEqual(['', 'shop', 'loop']);
  });

  test('the path of a node finds it again', () => {
    for (let i = 1; i < nodes.count; i += Math.max(1, Math.floor(nodes.count / 40))) {
      expect(findNode(tree, nodePath(tree, i))).toBe(i);
    }
    expect(findNode(tree, '00000000')).toBe(0);
  });
});

describe('functions', () => {
  test('recursion counts once per stack', () => {
    const table = functionTable(recursive);
    const row = (name: string) => [...table.fn].findIndex((f) => recursive.frames.name[recursive.frames.fnFrame[f]] === name);
    expect([table.self[row('fib')], table.total[row('fib')]]).toEqual([9, 10]);
    expect([table.self[row('leaf')], table.total[row('leaf')]]).toEqual([6, 6]);
    expect([table.self[row('main')], table.total[row('main')]]).toEqual([1, 16]);
  });

  test('callers of a leaf are listed by weight, their callers below them', () => {
    const leaf = recursive.frames.fn[recursive.frames.name.indexOf('leaf')];
    const { nodes } = sandwich(recursive, leaf).callers;
    const lines = Array.from(nodes.frame, (f, i) => `${'>'.repeat(nodes.depth[i])}${recursive.frames.name[f]} ${nodes.total[i]}`);
    expect(lines).toEqual(['leaf 6', '>main 5', '>fib 1', '>>fib 1', '>>>main 1']);
  });
});

describe('places', () => {
  const at = (name: string, self: number, place: string, children: Input[] = []) => node(name, self, children, { place });
  const tree = decodeTree(encodeTree(node('', 0, [
    at('main', 1, 'main.c:9', [at('hidden', 2, 'hidden.c:1', [at('work', 5, 'work.c:40')]), at('work', 3, 'work.c:20')]),
  ], { kind: 'group' })));
  const shown = (of: CallTree) => Array.from(of.nodes.frame, (frame, i) => `${of.frames.name[frame]} ${placeText(of.frames, of.nodes.place[i])}`.trim());

  test('a merged node has that of its largest part', () => {
    expect(shown(tree)).toEqual(['', 'main main.c:9', 'hidden hidden.c:1', 'work work.c:40', 'work work.c:20']);
    const folded = rebuild(tree, (frame) => tree.frames.name[frame] === 'hidden');
    expect(shown(folded)).toEqual(['', 'main main.c:9', 'work work.c:40']);
  });

  test('a function has that of its largest node, and keeps it among callers and callees', () => {
    const table = functionTable(tree);
    const place = (name: string) => [...table.fn].flatMap((fn, row) => (tree.frames.name[tree.frames.fnFrame[fn]] === name ? [placeText(tree.frames, table.place[row])] : []));
    expect([place('main'), place('work'), place('hidden')]).toEqual([['main.c:9'], ['work.c:40'], ['hidden.c:1']]);
    const of = (name: string) => sandwich(tree, tree.frames.fn[tree.frames.name.indexOf(name)]);
    expect(shown(of('work').callers)).toEqual(['work work.c:40', 'hidden hidden.c:1', 'main main.c:9', 'main main.c:9']);
    expect(shown(of('main').callees)).toEqual(['main main.c:9', 'hidden hidden.c:1', 'work work.c:40', 'work work.c:20']);
  });

  test('a file without line and a line without file are shown as such', () => {
    const only = decodeTree(encodeTree(node('', 0, [at('a', 2, 'a.c:0'), at('b', 1, ':7')], { kind: 'group' })));
    expect(shown(only)).toEqual(['', 'a a.c', 'b ?:7']);
  });
});

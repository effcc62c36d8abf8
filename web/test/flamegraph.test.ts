import { describe, expect, test } from 'vitest';
import { encodeTree } from '../dev/irt1.mjs';
import { largeTree, serviceTree } from '../dev/mock-trees.mjs';
import { keyAction } from '../src/flamegraph/keys';
import { DrawList, layout, MERGED, MIN_WIDTH } from '../src/flamegraph/layout';
import { beside, buildLevels, hitTest } from '../src/flamegraph/levels';
import { fitText } from '../src/flamegraph/paint';
import { fillsOf, themeColours } from '../src/flamegraph/palette';
import { decodeTree } from '../src/model/decode';

const large = decodeTree(encodeTree(largeTree(50_000)));
const small = decodeTree(encodeTree(serviceTree('checkout')));
const WIDTH = 1600;

function bars(tree = large, x0 = 0, x1 = tree.nodes.total[0]) {
  const list = new DrawList();
  layout(tree.nodes, { x0, x1 }, WIDTH, list);
  return list;
}

describe('layout', () => {
  test('draws exactly the nodes that are wide enough and in range', () => {
    const { nodes } = large;
    for (const [x0, x1] of [[0, nodes.total[0]], [nodes.x[5], nodes.x[5] + nodes.total[5]], [nodes.total[0] * 0.4, nodes.total[0] * 0.41]]) {
      const list = bars(large, x0, x1);
      const drawn = new Set([...list.node.subarray(0, list.count)].filter((n) => n !== MERGED));
      const scale = WIDTH / (x1 - x0);
      const wrong: number[] = [];
      for (let i = 0; i < nodes.count; i++) {
        const inRange = nodes.x[i] < x1 && nodes.x[i] + nodes.total[i] > x0;
        if (drawn.has(i) !== (inRange && nodes.total[i] * scale >= MIN_WIDTH)) wrong.push(i);
      }
      expect(wrong).toEqual([]);
    }
  });

  test('visits far fewer bars than there are nodes, and shows the rest as blocks', () => {
    const list = bars();
    expect(list.count).toBeLessThan(large.nodes.count / 3);
    expect([...list.node.subarray(0, list.count)]).toContain(MERGED);
  });

  test('bars of a row do not overlap and stay on the canvas', () => {
    const list = bars();
    const edge = new Map<number, number>();
    const wrong: number[] = [];
    for (let i = 0; i < list.count; i++) {
      const right = list.x[i] + list.width[i];
      if (list.x[i] < (edge.get(list.row[i]) ?? 0) - 0.01 || right > WIDTH + 0.01) wrong.push(i);
      edge.set(list.row[i], right);
    }
    expect(wrong).toEqual([]);
  });
});

describe('levels', () => {
  const { nodes } = large;
  const levels = buildLevels(nodes);

  test('a point inside a node finds it', () => {
    for (let i = 0; i < nodes.count; i += 97) expect(hitTest(nodes, levels, nodes.depth[i], nodes.x[i] + nodes.total[i] / 2)).toBe(i);
  });

  test('a point beside every node finds none', () => {
    expect(hitTest(nodes, levels, 0, nodes.total[0] + 1)).toBe(-1);
    expect(hitTest(nodes, levels, nodes.maxDepth + 1, 0)).toBe(-1);
    expect(hitTest(nodes, levels, -1, 0)).toBe(-1);
  });

  test('neighbours are symmetric', () => {
    for (let i = 1; i < nodes.count; i += 501) {
      const right = beside(nodes, levels, i, 1);
      if (right >= 0) expect(beside(nodes, levels, right, -1)).toBe(i);
    }
  });
});

describe('keys', () => {
  const context = { tree: small, levels: buildLevels(small.nodes), focus: 3, zoom: 0, upward: false };
  test.each([
    ['ArrowUp', { do: 'focus', node: small.nodes.parent[3] }],
    ['ArrowDown', { do: 'focus', node: 4 }],
    ['Enter', { do: 'zoom', node: 3 }],
    ['Escape', { do: 'zoom', node: 0 }],
    ['/', { do: 'search' }],
    ['?', { do: 'help' }],
    ['n', { do: 'hit', step: 1 }],
    ['x', { do: 'none' }],
  ])('%s', (key, action) => {
    expect(keyAction(key, context)).toEqual(action);
  });

  test('with the root at the bottom, up leads away from it', () => {
    expect(keyAction('ArrowUp', { ...context, upward: true })).toEqual({ do: 'focus', node: 4 });
  });
});

describe('text', () => {
  test.each([
    ['main', 100, 'main'],
    ['very_long_function_name', 70, 'very_long…'],
    ['x', 3, ''],
    ['函数名称很长很长', 70, '函数名称…'],
  ])('%s in %d px', (text, px, expected) => {
    expect(fitText(text, px, 7)).toBe(expected);
  });

  const luminance = (rgb: number[]) => rgb.map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)).reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const contrast = (a: number[], b: number[]) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const hex = (s: string) => [1, 3, 5].map((i) => Number.parseInt(s.slice(i, i + 2), 16) / 255);
  const hsl = (h: number, s: number, l: number) => {
    const a = (s / 100) * Math.min(l / 100, 1 - l / 100);
    return [0, 8, 4].map((n) => l / 100 - a * Math.max(-1, Math.min((n + h / 30) % 12 - 3, 9 - ((n + h / 30) % 12), 1)));
  };

  test.each(['light', 'dark'] as const)('every bar of the %s theme can be read (WCAG AA)', (theme) => {
    const colours = themeColours(theme);
    for (const [h, s, l] of fillsOf('module', theme)) {
      expect(contrast(hex(colours.text), hsl((h + 360) % 360, s, l)), `hsl(${h} ${s} ${l})`).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(hex(colours.matchText), hex(colours.match))).toBeGreaterThanOrEqual(4.5);
    expect(contrast(hex(colours.dimText), hex(colours.dim))).toBeGreaterThanOrEqual(4.5);
  });
});

import { describe, expect, test } from 'vitest';
import { encodeTree } from '../dev/irt1.mjs';
import { serviceTree } from '../dev/mock-trees.mjs';
import { decodeTree } from '../src/model/decode';
import type { FrameClassName } from '../src/model/frame-class';
import { baseName, formatBytes, formatCores, formatCount, formatDuration, formatShare } from '../src/model/format';
import { PatternError, search } from '../src/model/search';
import { wilson95 } from '../src/model/statistics';
import { parseTime, resolveRange, stepMs } from '../src/model/time-range';
import { DEFAULT_STATE, DEFAULT_VIEW, formatUrl, parseUrl, type AppState } from '../src/model/url-state';

const tree = decodeTree(encodeTree(serviceTree('checkout')));

describe('search', () => {
  test.each([
    ['plain text ignores case', { text: 'UTF8'.toLowerCase(), regex: false }, 2],
    ['a capital makes it case-sensitive', { text: 'HashMap', regex: false }, 1],
    ['signs are taken literally without regex', { text: 'Vec<T>', regex: false }, 1],
    ['an expression', { text: '^(realloc|_int_realloc)$', regex: true }, 2],
    ['an escaped class is no capital', { text: 'RAW_vec'.toLowerCase() + '\\S+grow', regex: true }, 1],
    ['modules', { text: 'mod:libc.so', regex: false }, 5],
    ['no match', { text: 'nothing-like-this', regex: false }, 0],
  ])('%s', (_, query, functions) => {
    expect(search(tree, query)?.functionCount).toBe(functions);
  });

  test('the matched value counts nested matches once', () => {
    const all = search(tree, { text: '.', regex: true });
    expect(all?.matched).toBe(tree.nodes.total[0]);
    expect(all?.hitCount).toBe(1);
  });

  test('an empty pattern is no search, a broken one is an error in words', () => {
    expect(search(tree, { text: '', regex: true })).toBeNull();
    expect(search(tree, { text: 'mod:', regex: true })).toBeNull();
    expect(() => search(tree, { text: '(', regex: true })).toThrow(PatternError);
  });
});

describe('links', () => {
  const states: [string, AppState][] = [
    ['start', DEFAULT_STATE],
    ['services', { ...DEFAULT_STATE, filter: 'a b&c', excludeSelf: true, range: { from: '-1h', to: 'now' }, serviceSort: { column: 'service', descending: false } }],
    ['total', { ...DEFAULT_STATE, page: 'service' }],
    ['service', {
      ...DEFAULT_STATE, page: 'service', service: '../odd name/服务?#%', range: { from: '1700000000000', to: '1700000900000' }, selected: [1700000100000, 1700000200000], by: 'thread.name',
      labels: { 'process.pid': ['1', '2'], 'thread.name': ['tokio-runtime & co'] },
      view: { ...DEFAULT_VIEW, layout: 'callers', search: 'a+b|c', regex: true, orientation: 'flame', colour: 'module', fold: ['kernel', 'inlined'], zoom: '00c0ffee', span: [0.25, 0.5], fn: { name: 'f<T>', module: '/lib/x.so' }, sort: { column: 'total', descending: false } },
    }],
  ];
  test.each(states)('%s survives the way through a link', (_, state) => {
    expect(parseUrl(formatUrl(state))).toEqual(state);
  });

  test('a runtime is folded unless the link says what is', () => {
    expect(parseUrl('/service').view.fold).toEqual(['runtime']);
    expect(parseUrl('/service?fold=').view.fold).toEqual([]);
    expect(parseUrl('/service?fold=kernel').view.fold).toEqual(['kernel']);
    for (const fold of [[], ['kernel'], ['runtime', 'kernel']] as FrameClassName[][]) {
      const state = { ...DEFAULT_STATE, page: 'service', view: { ...DEFAULT_VIEW, fold } } as AppState;
      expect(parseUrl(formatUrl(state)).view.fold).toEqual(fold);
    }
  });

  test('the default view has the shortest link', () => {
    expect(formatUrl(DEFAULT_STATE)).toBe('/');
    expect(formatUrl({ ...DEFAULT_STATE, page: 'service', service: 'a' })).toBe('/service?name=a');
  });

  test.each(['/service?name=a&sel=5~1&zoom=zz&x=0~7&view=evil&fold=all,kernel&from=yesterday&fsort=--', '/service?name=a&sel=&x=~&zoom='])('what is malformed counts as absent: %s', (url) => {
    const state = parseUrl(url);
    expect(state.selected).toBeNull();
    expect(state.view).toMatchObject({ zoom: null, span: null, layout: 'flame', sort: DEFAULT_VIEW.sort });
    expect(state.range).toEqual(DEFAULT_STATE.range);
  });
});

describe('time', () => {
  test.each([['now', 1000], ['-1s', 0], ['123', 123], ['-1y', null], ['', null], ['1e3', null]])('%s', (text, expected) => {
    expect(parseTime(text, 1000)).toBe(expected);
  });

  test('a range never ends before it begins', () => {
    expect(resolveRange({ from: 'now', to: '-15m' }, 9e9)).toEqual({ fromMs: 9e9 - 900_000, toMs: 9e9 - 900_000 });
  });

  test.each([[60_000, 1000], [900_000, 5000], [3_600_000, 30_000], [86_400_000, 600_000]])('%d ms in about 200 steps', (span, step) => {
    expect(stepMs(0, span, 200)).toBe(step);
  });
});

describe('statistics', () => {
  test.each([
    [0, 100, 0, 0.037],
    [50, 100, 0.4038, 0.5962],
    [100, 100, 0.963, 1],
    [5, 0, 0, 1],
  ])('%d of %d', (hits, samples, low, high) => {
    const [a, b] = wilson95(hits, samples);
    expect(a).toBeCloseTo(low, 3);
    expect(b).toBeCloseTo(high, 3);
  });
});

describe('numbers', () => {
  test.each([
    [formatCount(9999), '9999'],
    [formatCount(1_234_567), '1.23M'],
    [formatShare(0), '0 %'],
    [formatShare(0.00001), '<0.01 %'],
    [formatShare(0.0123), '1.23 %'],
    [formatShare(1), '100.0 %'],
    [formatDuration(1500), '1.50 µs'],
    [formatDuration(90e9), '1 min 30 s'],
    [formatDuration(3723e9), '1 h 02 min'],
    [formatCores(0.0001), '<0.001'],
    [formatCores(1.5), '1.50'],
    [formatBytes(1536), '1.50 KiB'],
    [baseName('/usr/lib/libc.so.6'), 'libc.so.6'],
    [baseName('[kernel]'), '[kernel]'],
  ])('%s', (actual, expected) => {
    expect(actual).toBe(expected);
  });
});

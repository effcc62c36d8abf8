/** Everything a view is, and how a link says it. What equals the default is left out of the link. */
import { GROUPINGS, type Grouping } from './grouping';
import { FOLDABLE, FOLDED_AT_FIRST, type FrameClassName } from './frame-class';
import { DEFAULT_RANGE, parseTime, type TimeRange } from './time-range';

export type Layout = 'flame' | 'split' | 'table' | 'callers';
export type Orientation = 'icicle' | 'flame';
export type SortColumn = 'self' | 'total' | 'name' | 'place' | 'module';

export interface FunctionRef {
  name: string;
  module: string;
}

/** How the profile is shown. */
export interface ViewState {
  layout: Layout;
  search: string;
  regex: boolean;
  orientation: Orientation;
  colour: 'kind' | 'module';
  names: 'full' | 'short';
  /** All of it, or one's own alone, see origin.ts. */
  code: 'all' | 'own';
  group: Grouping;
  fold: FrameClassName[];
  /** Path hash of the zoomed frame, see node-path.ts. */
  zoom: string | null;
  /** Free horizontal zoom: fractions of the whole. */
  span: [number, number] | null;
  fn: FunctionRef | null;
  sort: { column: SortColumn; descending: boolean };
}

export interface AppState {
  page: 'services' | 'service';
  /** On the service page: null = everything on all machines. */
  service: string | null;
  range: TimeRange;
  /** Part of the range that the profile is narrowed to, Unix ms. */
  selected: [number, number] | null;
  /** Label that splits the timeline. */
  by: string | null;
  labels: Record<string, string[]>;
  excludeSelf: boolean;
  /** Services page. */
  filter: string;
  serviceSort: { column: string; descending: boolean };
  view: ViewState;
}

export const DEFAULT_VIEW: ViewState = {
  layout: 'flame', search: '', regex: false, orientation: 'icicle', colour: 'kind', names: 'full', code: 'all', group: 'function', fold: FOLDED_AT_FIRST, zoom: null, span: null, fn: null,
  sort: { column: 'self', descending: true },
};

export const DEFAULT_STATE: AppState = {
  page: 'services', service: null, range: DEFAULT_RANGE, selected: null, by: null, labels: {}, excludeSelf: false, filter: '',
  serviceSort: { column: 'cpu', descending: true }, view: DEFAULT_VIEW,
};

const LAYOUTS: readonly string[] = ['flame', 'split', 'table', 'callers'];
const SORTS: readonly string[] = ['self', 'total', 'name', 'place', 'module'];

/** Reads a path with query. What is malformed is taken as absent. */
export function parseUrl(url: string): AppState {
  const { pathname, searchParams: params } = new URL(url, 'http://localhost');
  const labels: Record<string, string[]> = {};
  for (const [key, value] of params) {
    if (key.startsWith('label.') && key.length > 6) (labels[key.slice(6)] ??= []).push(value);
  }
  return {
    page: pathname === '/service' ? 'service' : 'services',
    service: params.get('name'),
    range: parseRange(params),
    selected: parsePair(params.get('sel'), (n) => Number.isInteger(n) && n >= 0),
    by: params.get('by'),
    labels,
    excludeSelf: params.get('exclude_self') === 'true',
    filter: params.get('filter') ?? '',
    serviceSort: parseSort(params.get('sort'), DEFAULT_STATE.serviceSort),
    view: parseView(params),
  };
}

function parseRange(params: URLSearchParams): TimeRange {
  const from = params.get('from') ?? DEFAULT_RANGE.from;
  const to = params.get('to') ?? DEFAULT_RANGE.to;
  const valid = parseTime(from, 0) !== null && parseTime(to, 0) !== null;
  return valid ? { from, to } : DEFAULT_RANGE;
}

export function parseView(params: URLSearchParams): ViewState {
  const layout = params.get('view') ?? '';
  const fold = params.get('fold')?.split(',').filter((c) => (FOLDABLE as string[]).includes(c)) ?? DEFAULT_VIEW.fold;
  const sort = parseSort(params.get('fsort'), DEFAULT_VIEW.sort);
  const zoom = params.get('zoom');
  const name = params.get('fn');
  return {
    layout: LAYOUTS.includes(layout) ? (layout as Layout) : 'flame',
    search: params.get('q') ?? '',
    regex: params.get('re') === '1',
    orientation: params.get('orient') === 'flame' ? 'flame' : 'icicle',
    colour: params.get('color') === 'module' ? 'module' : 'kind',
    names: params.get('names') === 'short' ? 'short' : 'full',
    code: params.get('code') === 'own' ? 'own' : 'all',
    group: GROUPINGS.find((grouping) => grouping === params.get('group')) ?? 'function',
    fold: fold as FrameClassName[],
    zoom: zoom && /^[0-9a-f]{8}$/.test(zoom) ? zoom : null,
    span: parsePair(params.get('x'), (n) => n >= 0 && n <= 1),
    fn: name ? { name, module: params.get('module') ?? '' } : null,
    sort: SORTS.includes(sort.column) ? (sort as ViewState['sort']) : DEFAULT_VIEW.sort,
  };
}

function parsePair(text: string | null, valid: (n: number) => boolean): [number, number] | null {
  const parts = (text ?? '').split('~');
  if (parts.length !== 2 || parts.some((p) => p === '')) return null;
  const [a, b] = parts.map(Number);
  return valid(a) && valid(b) && a < b ? [a, b] : null;
}

function parseSort(text: string | null, fallback: { column: string; descending: boolean }) {
  const match = /^(-?)([a-z_]{1,20})$/.exec(text ?? '');
  return match ? { column: match[2], descending: match[1] === '-' } : fallback;
}

function sortText(sort: { column: string; descending: boolean }): string {
  return `${sort.descending ? '-' : ''}${sort.column}`;
}

/** The link of a state. */
export function formatUrl(state: AppState): string {
  const params = new URLSearchParams();
  const put = (key: string, value: string | null, fallback: string | null = null) => {
    if (value !== null && value !== fallback) params.set(key, value);
  };
  if (state.page === 'service') put('name', state.service);
  put('from', state.range.from, DEFAULT_RANGE.from);
  put('to', state.range.to, DEFAULT_RANGE.to);
  if (state.excludeSelf) put('exclude_self', 'true');
  if (state.page === 'services') {
    put('filter', state.filter, '');
    put('sort', sortText(state.serviceSort), sortText(DEFAULT_STATE.serviceSort));
  } else {
    if (state.selected) put('sel', state.selected.join('~'));
    put('by', state.by);
    for (const name of Object.keys(state.labels).sort()) {
      for (const value of state.labels[name]) params.append(`label.${name}`, value);
    }
    formatView(state.view, put);
  }
  const query = params.toString();
  return `${state.page === 'service' ? '/service' : '/'}${query ? `?${query}` : ''}`;
}

export function formatView(view: ViewState, put: (key: string, value: string | null, fallback?: string) => void): void {
  put('view', view.layout, 'flame');
  put('q', view.search, '');
  if (view.regex) put('re', '1');
  put('orient', view.orientation, 'icicle');
  put('color', view.colour, 'kind');
  put('names', view.names, DEFAULT_VIEW.names);
  put('code', view.code, DEFAULT_VIEW.code);
  put('group', view.group, DEFAULT_VIEW.group);
  put('fold', view.fold.join(','), DEFAULT_VIEW.fold.join(','));
  put('zoom', view.zoom);
  if (view.span) put('x', view.span.map((f) => String(Number(f.toFixed(7)))).join('~'));
  if (view.fn) {
    put('fn', view.fn.name);
    put('module', view.fn.module, '');
  }
  put('fsort', sortText(view.sort), sortText(DEFAULT_VIEW.sort));
}

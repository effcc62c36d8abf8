import { describe, expect, test } from 'vitest';
import { ApiError, exportUrl, selectionParams } from '../src/api/client';
import { backoffMs } from '../src/api/connection';
import { kindShares } from '../src/components/KindBar';
import { DEFAULT_STATE, type AppState } from '../src/model/url-state';
import { stack } from '../src/timeline/stack';

const state: AppState = { ...DEFAULT_STATE, page: 'service', service: 'a b', selected: [10, 20], labels: { 'thread.name': ['x', 'y'] } };

describe('the selection', () => {
  test('the profile is asked for the selected part, the timeline for the whole range', () => {
    expect(selectionParams(state, true).toString()).toBe('from=10&to=20&service=a+b&label.thread.name=x&label.thread.name=y');
    expect(selectionParams(state, false).toString()).toBe('from=-15m&to=now&service=a+b&label.thread.name=x&label.thread.name=y');
  });

  test('everything is asked for without a service', () => {
    expect(selectionParams({ ...DEFAULT_STATE, page: 'service', excludeSelf: true }, true).toString()).toBe('from=-15m&to=now&exclude_self=true');
  });

  test('an export has the selection of the profile', () => {
    expect(exportUrl(state, 'svg')).toBe('/api/v1/export?from=10&to=20&service=a+b&label.thread.name=x&label.thread.name=y&format=svg');
  });
});

describe('trying again', () => {
  test('waits longer each time, up to half a minute', () => {
    expect([0, 1, 2, 3, 4, 5, 50].map((attempt) => backoffMs(attempt, 0))).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
    expect(backoffMs(0, 1)).toBe(1250);
  });

  test.each([[0, true], [500, true], [503, true], [429, true], [400, false], [404, false]])('status %d: %s', (status, retryable) => {
    expect(new ApiError('x', status).retryable).toBe(retryable);
  });
});

describe('stacked series', () => {
  test('each stands on the later ones; a gap stays only where all have one', () => {
    expect(stack([[1, null, null], [2, 3, null]])).toEqual([[3, 3, null], [2, 3, null]]);
    expect(stack([])).toEqual([]);
  });
});

describe('kinds of a service', () => {
  test('are shares of one; unknown kinds count as native, the vDSO as kernel', () => {
    expect(kindShares({ native: 1, kernel: 1, vdso: 1, quantum: 1, go: 0 })).toEqual([['native', 0.5], ['kernel', 0.5]]);
    expect(kindShares({})).toEqual([]);
  });
});

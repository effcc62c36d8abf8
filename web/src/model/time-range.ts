/** Time ranges as links carry them: relative to now, or Unix milliseconds. */

export interface TimeRange {
  from: string;
  to: string;
}

export const DEFAULT_RANGE: TimeRange = { from: '-15m', to: 'now' };
export const PRESETS = ['-1m', '-5m', '-15m', '-1h', '-6h', '-24h'] as const;

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

export function parseTime(text: string, nowMs: number): number | null {
  if (text === 'now') return nowMs;
  const relative = /^-(\d{1,6})([smhd])$/.exec(text);
  if (relative) return nowMs - Number(relative[1]) * UNIT_MS[relative[2]];
  return /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** Does the end of the range move with the clock? */
export function isLive(range: TimeRange): boolean {
  return range.to === 'now';
}

export function resolveRange(range: TimeRange, nowMs: number): { fromMs: number; toMs: number } {
  const toMs = parseTime(range.to, nowMs) ?? nowMs;
  const fromMs = parseTime(range.from, nowMs) ?? nowMs - 15 * 60_000;
  return { fromMs: Math.min(fromMs, toMs), toMs };
}

/** A step that gives about `points` points, at least 1 s, from a list of round ones. */
export function stepMs(fromMs: number, toMs: number, points: number): number {
  const wanted = (toMs - fromMs) / points;
  const round = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400];
  return (round.find((s) => s * 1000 >= wanted) ?? 86_400) * 1000;
}

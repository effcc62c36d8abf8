/** Puts series on top of each other: what is drawn for each is its own value plus all later ones. */
import type { Theme } from '../flamegraph/palette';

type Values = (number | null)[];

/** The first series ends on top. A null stays a gap only where all series have none. */
export function stack(series: Values[]): Values[] {
  const out: Values[] = series.map(() => []);
  const length = series[0]?.length ?? 0;
  for (let i = 0; i < length; i++) {
    const known = series.some((s) => s[i] !== null && s[i] !== undefined);
    let sum = 0;
    for (let k = series.length - 1; k >= 0; k--) {
      sum += series[k][i] ?? 0;
      out[k][i] = known ? sum : null;
    }
  }
  return out;
}

const HUES = [18, 212, 264, 176, 42, 332, 142, 232, 96, 300];

export function seriesColours(count: number, theme: Theme): string[] {
  if (count <= 1) return [theme === 'light' ? '#dd4b14' : '#ff7d47'];
  return Array.from({ length: count }, (_, i) => {
    const dim = i >= HUES.length ? 12 : 0;
    return theme === 'light' ? `hsl(${HUES[i % HUES.length]} 66% ${52 + dim}%)` : `hsl(${HUES[i % HUES.length]} 58% ${60 - dim}%)`;
  });
}

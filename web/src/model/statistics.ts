/** How sure a share is, given how few or many samples it rests on. */

const Z_95 = 1.959964;

/** Wilson score interval of a binomial share at 95 %, as fractions of 1. */
export function wilson95(hits: number, samples: number): [number, number] {
  if (samples <= 0) return [0, 1];
  const share = Math.min(1, Math.max(0, hits / samples));
  const z2 = Z_95 * Z_95;
  const denominator = 1 + z2 / samples;
  const centre = (share + z2 / (2 * samples)) / denominator;
  const half = (Z_95 * Math.sqrt((share * (1 - share)) / samples + z2 / (4 * samples * samples))) / denominator;
  return [share === 0 ? 0 : Math.max(0, centre - half), share === 1 ? 1 : Math.min(1, centre + half)];
}

/** A small curve of CPU over time. Gaps stay gaps. */
import { t } from '../i18n';
import { formatCores } from '../model/format';

const WIDTH = 132;
const HEIGHT = 26;

export function Sparkline({ values, max }: { values: (number | null)[]; max?: number }) {
  const top = Math.max(max ?? 0, ...values.map((v) => v ?? 0), 1e-9);
  const step = values.length > 1 ? WIDTH / (values.length - 1) : WIDTH;
  const y = (v: number) => HEIGHT - 2 - (v / top) * (HEIGHT - 4);
  let line = '';
  let area = '';
  let run: string[] = [];
  const flush = (end: number) => {
    if (run.length === 0) return;
    const start = end - run.length + 1;
    line += `M${run.join('L')}`;
    area += `M${(start * step).toFixed(1)},${HEIGHT}L${run.join('L')}L${(end * step).toFixed(1)},${HEIGHT}Z`;
    run = [];
  };
  values.forEach((v, i) => {
    if (v === null) flush(i - 1);
    else run.push(`${(i * step).toFixed(1)},${y(v).toFixed(1)}`);
  });
  flush(values.length - 1);
  const peak = values.reduce<number>((a, v) => Math.max(a, v ?? 0), 0);
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} role="img" aria-label={t('spark.label', { peak: formatCores(peak) })} preserveAspectRatio="none">
      <path d={area} class="spark-area" />
      <path d={line} class="spark-line" />
    </svg>
  );
}

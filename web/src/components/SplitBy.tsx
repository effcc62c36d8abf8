/** Splits the timeline by a label. */
import type { Labels } from '../api/types';
import { t } from '../i18n';
import { offeredLabels } from './Filters';

export function SplitBy({ labels, by, onBy }: { labels: Labels['labels']; by: string | null; onBy(by: string | null): void }) {
  const offered = offeredLabels(labels);
  const known = by === null || offered.some((o) => o.name === by);
  return (
    <label class="select">
      <span class="faint">{t('timeline.splitBy')}</span>
      <select value={by ?? ''} onChange={(event) => onBy(event.currentTarget.value || null)}>
        <option value="">{t('timeline.noSplit')}</option>
        {offered.map(({ name, title }) => <option key={name} value={name}>{title}</option>)}
        {!known && by && <option value={by}>{by}</option>}
      </select>
    </label>
  );
}

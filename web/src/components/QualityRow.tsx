/** What the figures rest on: samples taken, lost, truncated, unnamed, with the reasons. */
import type { Quality } from '../api/types';
import { t } from '../i18n';
import { formatCount, formatShare } from '../model/format';

interface Fact {
  label: string;
  value: string;
  share?: string;
  level: 'good' | 'fair' | 'bad' | 'plain';
  reasons?: [string, number][];
}

const total = (reasons: Record<string, number>) => Object.values(reasons).reduce((a, b) => a + b, 0);
const byCount = (reasons: Record<string, number>) => Object.entries(reasons).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1]);
const level = (share: number): Fact['level'] => (share >= 0.05 ? 'bad' : share >= 0.01 ? 'fair' : 'good');

function facts(q: Quality): Fact[] {
  const lost = total(q.samples_lost);
  const truncated = total(q.truncated);
  const lostShare = lost > 0 ? lost / (q.samples_taken + lost) : 0;
  const truncatedShare = q.user_stacks > 0 ? truncated / q.user_stacks : 0;
  const unnamedShare = q.frames > 0 ? q.unnamed_frames / q.frames : 0;
  const guessedShare = q.user_stacks > 0 ? q.guessed / q.user_stacks : 0;
  return [
    { label: t('quality.taken'), value: formatCount(q.samples_taken), level: 'plain' },
    { label: t('quality.lost'), value: formatCount(lost), share: formatShare(lostShare), level: lost === 0 ? 'good' : level(lostShare), reasons: byCount(q.samples_lost) },
    { label: t('quality.rooted'), value: formatShare(q.rooted_share), level: level(1 - q.rooted_share) },
    { label: t('quality.truncated'), value: formatCount(truncated), share: formatShare(truncatedShare), level: level(truncatedShare), reasons: byCount(q.truncated) },
    { label: t('quality.unnamed'), value: formatCount(q.unnamed_frames), share: formatShare(unnamedShare), level: level(unnamedShare) },
    ...(q.low_confidence_frames > 0 ? [{ label: t('quality.guessed'), value: formatCount(q.guessed), share: formatShare(guessedShare), level: level(guessedShare), reasons: [[t('quality.guessedFrames'), q.low_confidence_frames] as [string, number]] }] : []),
  ];
}

export function QualityRow({ quality }: { quality: Quality }) {
  return (
    <dl class="quality" aria-label={t('quality.label')}>
      {facts(quality).map((fact) => (
        <div key={fact.label} class={`quality-fact ${fact.level}`} tabIndex={fact.reasons && fact.reasons.length > 0 ? 0 : undefined}>
          <dt><i class="status-dot" />{fact.label}</dt>
          <dd>
            <b>{fact.value}</b> {fact.share && <span class="faint">{fact.share}</span>}
            {fact.reasons && fact.reasons.length > 0 && (
              <ul class="reasons">
                {fact.reasons.map(([reason, count]) => (
                  <li key={reason}><span>{reason.replaceAll('_', ' ')}</span><b>{formatCount(count)}</b></li>
                ))}
              </ul>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

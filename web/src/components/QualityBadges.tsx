/** How far the stacks of a service can be trusted, in one glance. */
import { t } from '../i18n';
import { formatShare } from '../model/format';
import { Icon } from './Icon';

/** Above this share something is worth a look. */
const NOTABLE = 0.01;
const BAD = 0.05;
const FEW_SAMPLES = 30;

export function QualityBadges({ truncated, guessed, unnamed, samples }: { truncated: number; guessed: number; unnamed: number; samples: number }) {
  const badges = [
    truncated >= NOTABLE && { level: truncated >= BAD ? 'bad' : 'fair', text: t('badge.truncated', { share: formatShare(truncated) }), hint: t('badge.truncatedHint') },
    guessed >= NOTABLE && { level: guessed >= BAD ? 'bad' : 'fair', text: t('badge.guessed', { share: formatShare(guessed) }), hint: t('badge.guessedHint') },
    unnamed >= NOTABLE && { level: unnamed >= BAD ? 'bad' : 'fair', text: t('badge.unnamed', { share: formatShare(unnamed) }), hint: t('badge.unnamedHint') },
    samples < FEW_SAMPLES && { level: 'plain', text: t('badge.few'), hint: t('badge.fewHint', { samples }) },
  ].filter((b) => b !== false);
  if (badges.length === 0) {
    return (
      <span class="badge good" title={t('badge.goodHint', { truncated: formatShare(truncated), guessed: formatShare(guessed), unnamed: formatShare(unnamed) })}>
        <Icon name="check" /> {t('badge.good')}
      </span>
    );
  }
  return <span class="badges">{badges.map((b) => <span key={b.text} class={`badge ${b.level}`} title={b.hint}>{b.text}</span>)}</span>;
}

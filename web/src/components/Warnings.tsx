/** What the agent cannot see on this machine, in its own words. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { Icon } from './Icon';

export function Warnings({ warnings }: { warnings: string[] }) {
  const [hidden, setHidden] = useState('');
  const key = warnings.join('\n');
  if (warnings.length === 0 || hidden === key) return null;
  return (
    <details class="warnings">
      <summary>
        <Icon name="warning" /> {t('warnings.title', { count: warnings.length })} <span class="faint ellipsis">{warnings[0]}</span>
        <button type="button" class="ghost icon-only small" aria-label={t('action.close')} onClick={(event) => (event.preventDefault(), setHidden(key))}><Icon name="close" /></button>
      </summary>
      <ul>{warnings.map((warning) => <li key={warning}>{warning}</li>)}</ul>
    </details>
  );
}

/** Copies a link to exactly what is shown: relative times become fixed ones. */
import { useEffect, useState } from 'preact/hooks';
import { t } from '../i18n';
import { resolveRange } from '../model/time-range';
import { formatUrl, type AppState } from '../model/url-state';
import { Icon } from './Icon';

export function CopyLink({ state }: { state: AppState }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    const { fromMs, toMs } = resolveRange(state.range, Date.now());
    const link = new URL(formatUrl({ ...state, range: { from: String(fromMs), to: String(toMs) } }), window.location.href);
    await navigator.clipboard?.writeText(link.href);
    setCopied(true);
  };
  return (
    <button type="button" class="ghost" title={t('action.copyLinkHint')} onClick={() => void copy()}>
      <Icon name={copied ? 'check' : 'link'} /> {t(copied ? 'action.copied' : 'action.copyLink')}
    </button>
  );
}

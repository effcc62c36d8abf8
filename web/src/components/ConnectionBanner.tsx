/** Says that the server does not answer, and when the next try is. */
import { useEffect, useState } from 'preact/hooks';
import { connection } from '../api/connection';
import { t } from '../i18n';
import { Icon } from './Icon';

export function ConnectionBanner() {
  const [state, setState] = useState(connection.get());
  const [now, setNow] = useState(Date.now());
  useEffect(() => connection.subscribe(() => setState(connection.get())), []);
  useEffect(() => {
    if (state.ok) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [state]);
  if (state.ok) return null;
  const seconds = Math.max(0, Math.ceil((state.retryAtMs - now) / 1000));
  return (
    <div class="banner" role="alert">
      <Icon name="warning" />
      <span>{reason(state.reason)} {seconds > 0 ? t('banner.retryIn', { seconds }) : t('banner.retrying')}</span>
      <button type="button" class="button small" onClick={() => connection.retryNow()}>{t('banner.retryNow')}</button>
    </div>
  );
}

function reason(text: string): string {
  if (text === 'unreachable') return t('banner.unreachable');
  if (text === 'timeout') return t('banner.timeout');
  return t('banner.failed', { reason: text });
}

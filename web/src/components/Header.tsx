/** Where you are, the time range, and the settings of this browser. */
import type { Status } from '../api/types';
import { t } from '../i18n';
import { formatUrl, DEFAULT_STATE } from '../model/url-state';
import { Icon, Mark } from './Icon';
import { Link } from './Link';
import { RangePicker } from './RangePicker';
import { SettingsButtons } from './SettingsButtons';
import type { AppStore } from './use-app-state';

export function Header({ store, status, live }: { store: AppStore; status: Status | null; live: boolean }) {
  const { state } = store;
  const home = { ...DEFAULT_STATE, range: state.range, excludeSelf: state.excludeSelf };
  const hosts = Array.isArray(status?.hosts) ? status.hosts.length : status?.hosts;
  return (
    <header class="header">
      <Link class="brand" href={formatUrl(home)} onFollow={() => store.change(home)}>
        <Mark /> Infrared
      </Link>
      {state.page === 'service' && (
        <nav class="where" aria-label={t('header.where')}>
          <Icon name="chevron" />
          <Link href={formatUrl(home)} onFollow={() => store.change(home)}>{t('services.title')}</Link>
          <Icon name="chevron" />
          <span class="strong ellipsis" aria-current="page">{state.service ?? t('services.total')}</span>
        </nav>
      )}
      <span class="spring" />
      <span class={`live ${live ? 'on' : ''}`} title={t(live ? 'live.onHint' : 'live.offHint')} role="status">
        <i /> {t(live ? 'live.on' : 'live.off')}
      </span>
      {hosts !== undefined && hosts > 1 && <span class="faint">{t('header.hosts', { count: hosts })}</span>}
      <RangePicker range={state.range} onRange={(range) => store.change({ range, selected: null })} />
      <SettingsButtons />
    </header>
  );
}

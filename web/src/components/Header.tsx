/** Where you are, the time range, and the settings of this browser. */
import type { Status } from '../api/types';
import { t } from '../i18n';
import { formatUrl, DEFAULT_STATE } from '../model/url-state';
import { Icon, Mark } from './Icon';
import { Link } from './Link';
import { RangePicker } from './RangePicker';
import { useSettings, type ThemeChoice } from './settings';
import type { AppStore } from './use-app-state';

const NEXT_THEME: Record<ThemeChoice, ThemeChoice> = { auto: 'light', light: 'dark', dark: 'auto' };
const THEME_ICON = { auto: 'auto', light: 'sun', dark: 'moon' } as const;

export function Header({ store, status, live }: { store: AppStore; status: Status | null; live: boolean }) {
  const { state } = store;
  const { themeChoice, setTheme, language, setLanguage } = useSettings();
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
      <button type="button" class="ghost icon-only" title={t(`theme.${themeChoice}`)} aria-label={t(`theme.${themeChoice}`)} onClick={() => setTheme(NEXT_THEME[themeChoice])}>
        <Icon name={THEME_ICON[themeChoice]} />
      </button>
      <button type="button" class="ghost language" lang={language === 'en' ? 'zh-CN' : 'en'} onClick={() => setLanguage(language === 'en' ? 'zh' : 'en')}>
        {language === 'en' ? '中文' : 'English'}
      </button>
    </header>
  );
}

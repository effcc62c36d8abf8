/** Theme and language of this browser. */
import { t } from '../i18n';
import { Icon } from './Icon';
import { useSettings, type ThemeChoice } from './settings';

const NEXT_THEME: Record<ThemeChoice, ThemeChoice> = { auto: 'light', light: 'dark', dark: 'auto' };
const THEME_ICON = { auto: 'auto', light: 'sun', dark: 'moon' } as const;

export function SettingsButtons() {
  const { themeChoice, setTheme, language, setLanguage } = useSettings();
  return (
    <>
      <button type="button" class="ghost icon-only" title={t(`theme.${themeChoice}`)} aria-label={t(`theme.${themeChoice}`)} onClick={() => setTheme(NEXT_THEME[themeChoice])}>
        <Icon name={THEME_ICON[themeChoice]} />
      </button>
      <button type="button" class="ghost language" lang={language === 'en' ? 'zh-CN' : 'en'} onClick={() => setLanguage(language === 'en' ? 'zh' : 'en')}>
        {language === 'en' ? '中文' : 'English'}
      </button>
    </>
  );
}

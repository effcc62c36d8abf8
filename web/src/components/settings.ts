/** Theme and language: what a person chose for this browser. Not part of a link. */
import { createContext } from 'preact';
import { useContext, useEffect, useMemo, useState } from 'preact/hooks';
import type { Theme } from '../flamegraph/palette';
import { preferredLanguage, setLanguage, type Language } from '../i18n';

export type ThemeChoice = 'auto' | Theme;

export interface Settings {
  theme: Theme;
  themeChoice: ThemeChoice;
  language: Language;
  setTheme(choice: ThemeChoice): void;
  setLanguage(language: Language): void;
}

export const SettingsContext = createContext<Settings>({
  theme: 'light', themeChoice: 'auto', language: 'en', setTheme: () => undefined, setLanguage: () => undefined,
});

export const useSettings = (): Settings => useContext(SettingsContext);

/** Storage may be forbidden (private windows, file URLs): then choices last as long as the page. */
function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    return;
  }
}

const DARK = '(prefers-color-scheme: dark)';

export function useSettingsState(): Settings {
  const [themeChoice, setChoice] = useState<ThemeChoice>(() => {
    const saved = stored('infrared.theme');
    return saved === 'light' || saved === 'dark' ? saved : 'auto';
  });
  const [language, setLang] = useState<Language>(() => preferredLanguage(stored('infrared.language'), navigator.languages ?? []));
  const [systemDark, setSystemDark] = useState(() => matchMedia(DARK).matches);
  setLanguage(language);
  useEffect(() => {
    const media = matchMedia(DARK);
    const onChange = () => setSystemDark(media.matches);
    media.addEventListener('change', onChange);
    return () => media.removeEventListener('change', onChange);
  }, []);
  const theme: Theme = themeChoice === 'auto' ? (systemDark ? 'dark' : 'light') : themeChoice;
  useEffect(() => {
    document.documentElement.dataset.theme = theme;
    document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  }, [theme, language]);
  return useMemo(
    () => ({
      theme, themeChoice, language,
      setTheme: (choice: ThemeChoice) => (store('infrared.theme', choice), setChoice(choice)),
      setLanguage: (next: Language) => (store('infrared.language', next), setLang(next)),
    }),
    [theme, themeChoice, language],
  );
}

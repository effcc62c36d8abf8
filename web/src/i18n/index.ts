/** Words of the page. `t('key', {name: value})`; keys are typed by the English words. */
import { en } from './en';
import { zh } from './zh';

export type Language = 'en' | 'zh';
export type MessageKey = keyof typeof en;
export type Messages = Record<MessageKey, string>;

const MESSAGES: Record<Language, Messages> = { en, zh };
let current: Language = 'en';

export function setLanguage(language: Language): void {
  current = language;
}

export function preferredLanguage(saved: string | null, wanted: readonly string[]): Language {
  if (saved === 'en' || saved === 'zh') return saved;
  for (const tag of wanted) {
    if (tag.toLowerCase().startsWith('zh')) return 'zh';
    if (tag.toLowerCase().startsWith('en')) return 'en';
  }
  return 'en';
}

export function t(key: MessageKey, values: Record<string, string | number> = {}): string {
  return MESSAGES[current][key].replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

export function messages(language: Language): Messages {
  return MESSAGES[language];
}

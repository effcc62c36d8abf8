import { describe, expect, test } from 'vitest';
import { messages, preferredLanguage, setLanguage, t, type MessageKey } from '../src/i18n';

describe('languages', () => {
  const en = messages('en');
  const zh = messages('zh');
  const slots = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

  test('both have the same words with the same slots', () => {
    expect(Object.keys(zh)).toEqual(Object.keys(en));
    for (const key of Object.keys(en) as MessageKey[]) expect(slots(zh[key]), key).toEqual(slots(en[key]));
  });

  test.each([
    ['zh', ['en'], 'zh'],
    [null, ['zh-TW', 'en'], 'zh'],
    [null, ['de', 'en-GB'], 'en'],
    [null, ['fr'], 'en'],
    ['xx', [], 'en'],
  ] as const)('saved %s, wanted %j: %s', (saved, wanted, expected) => {
    expect(preferredLanguage(saved, wanted)).toBe(expected);
  });

  test('slots are filled; unknown ones stay visible', () => {
    setLanguage('en');
    expect(t('badge.truncated', { share: '3 %' })).toBe('3 % truncated');
    expect(t('badge.truncated')).toBe('{share} truncated');
  });
});

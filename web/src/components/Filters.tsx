/** Filters by process, thread, container and host; several values of one label mean any of them. */
import { useState } from 'preact/hooks';
import type { Labels } from '../api/types';
import { t, type MessageKey } from '../i18n';
import { formatCores } from '../model/format';
import { Icon } from './Icon';
import { Popover } from './Popover';

type LabelList = Labels['labels'];

/** Labels with a filter of their own, in this order; a container's name is preferred to its id. */
const FILTERS: { key: MessageKey; labels: string[] }[] = [
  { key: 'filter.process', labels: ['process.pid'] },
  { key: 'filter.thread', labels: ['thread.name'] },
  { key: 'filter.container', labels: ['container.name', 'container.id'] },
  { key: 'filter.host', labels: ['host.name'] },
];
const SHOWN = 200;

interface FiltersProps {
  labels: LabelList;
  chosen: Record<string, string[]>;
  onChange(chosen: Record<string, string[]>): void;
}

/** The label names the filters and the split offer, with the words for them. */
export function offeredLabels(labels: LabelList): { name: string; title: string; values: LabelList[number]['values'] }[] {
  return FILTERS.flatMap(({ key, labels: names }) => {
    const found = names.map((name) => labels.find((l) => l.name === name)).find((l) => l && l.values.some((v) => v.value !== ''));
    return found ? [{ name: found.name, title: t(key), values: found.values }] : [];
  });
}

export function Filters({ labels, chosen, onChange }: FiltersProps) {
  const offered = offeredLabels(labels);
  const others = Object.keys(chosen).filter((name) => !offered.some((o) => o.name === name));
  const toggle = (name: string, value: string) => {
    const now = chosen[name] ?? [];
    const next = now.includes(value) ? now.filter((v) => v !== value) : [...now, value];
    const { [name]: _, ...rest } = chosen;
    onChange(next.length > 0 ? { ...rest, [name]: next } : rest);
  };
  return (
    <div class="filters" role="group" aria-label={t('filter.label')}>
      {offered.map(({ name, title, values }) => (
        <Popover key={name} class={chosen[name] ? 'active' : ''} label={<>{title}{chosen[name] && <span class="count">{chosen[name].length}</span>}</>} align="right">
          {() => <Values values={values} chosen={chosen[name] ?? []} onToggle={(value) => toggle(name, value)} />}
        </Popover>
      ))}
      {others.flatMap((name) => chosen[name].map((value) => (
        <span class="chip" key={`${name}=${value}`}>
          <span class="ellipsis">{name} = {value}</span>
          <button type="button" class="chip-close" aria-label={t('filter.remove', { name, value })} onClick={() => toggle(name, value)}><Icon name="close" /></button>
        </span>
      )))}
      {Object.keys(chosen).length > 0 && (
        <button type="button" class="ghost small" onClick={() => onChange({})}><Icon name="close" /> {t('filter.clear')}</button>
      )}
    </div>
  );
}

function Values({ values, chosen, onToggle }: { values: LabelList[number]['values']; chosen: string[]; onToggle(value: string): void }) {
  const [text, setText] = useState('');
  const all = [...chosen.filter((c) => !values.some((v) => v.value === c)).map((value) => ({ value, cpu: 0 })), ...values];
  const matching = all.filter((v) => v.value.toLowerCase().includes(text.toLowerCase()));
  return (
    <div class="values">
      {all.length > 8 && <input type="search" value={text} placeholder={t('filter.find')} aria-label={t('filter.find')} onInput={(event) => setText(event.currentTarget.value)} />}
      <ul class="menu">
        {matching.slice(0, SHOWN).map(({ value, cpu }) => (
          <li key={value}>
            <label>
              <input type="checkbox" checked={chosen.includes(value)} onChange={() => onToggle(value)} />
              <span class="ellipsis" title={value}>{value === '' ? t('timeline.none') : value}</span>
              <span class="faint number">{formatCores(cpu)}</span>
            </label>
          </li>
        ))}
      </ul>
      {matching.length > SHOWN && <p class="faint">{t('filter.more', { count: matching.length - SHOWN })}</p>}
    </div>
  );
}

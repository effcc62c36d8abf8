/** Relative ranges, and from/to for everything else. */
import { useState } from 'preact/hooks';
import { t } from '../i18n';
import { formatClock } from '../model/format';
import { PRESETS, resolveRange, type TimeRange } from '../model/time-range';
import { Icon } from './Icon';
import { Popover } from './Popover';

export function rangeLabel(range: TimeRange): string {
  if (range.to === 'now' && range.from.startsWith('-')) return t('range.last', { span: range.from.slice(1) });
  const { fromMs, toMs } = resolveRange(range, Date.now());
  const sameDay = new Date(fromMs).toDateString() === new Date(toMs).toDateString();
  return `${formatClock(fromMs, true)} – ${formatClock(toMs, !sameDay)}`;
}

export function RangePicker({ range, onRange }: { range: TimeRange; onRange(range: TimeRange): void }) {
  return (
    <Popover label={<><Icon name="clock" /> {rangeLabel(range)}</>} title={t('range.title')} align="right">
      {(close) => (
        <div class="range">
          <ul class="menu">
            {PRESETS.map((from) => (
              <li key={from}>
                <button type="button" aria-pressed={range.from === from && range.to === 'now'} onClick={() => (onRange({ from, to: 'now' }), close())}>{t('range.last', { span: from.slice(1) })}</button>
              </li>
            ))}
          </ul>
          <CustomRange range={range} onRange={(next) => (onRange(next), close())} />
        </div>
      )}
    </Popover>
  );
}

function CustomRange({ range, onRange }: { range: TimeRange; onRange(range: TimeRange): void }) {
  const now = resolveRange(range, Date.now());
  const [from, setFrom] = useState(inputValue(now.fromMs));
  const [to, setTo] = useState(inputValue(now.toMs));
  const [fromMs, toMs] = [new Date(from).getTime(), new Date(to).getTime()];
  const valid = Number.isFinite(fromMs) && Number.isFinite(toMs) && fromMs < toMs;
  return (
    <form class="range-custom" onSubmit={(event) => (event.preventDefault(), valid && onRange({ from: String(fromMs), to: String(toMs) }))}>
      <label>{t('range.from')}<input type="datetime-local" step="1" value={from} onInput={(e) => setFrom(e.currentTarget.value)} /></label>
      <label>{t('range.to')}<input type="datetime-local" step="1" value={to} onInput={(e) => setTo(e.currentTarget.value)} /></label>
      {!valid && <p class="error-text" role="alert">{t('range.invalid')}</p>}
      <button type="submit" class="button" disabled={!valid}>{t('range.apply')}</button>
    </form>
  );
}

/** Local time as `datetime-local` wants it. */
function inputValue(ms: number): string {
  return formatClock(ms, true).replace(' ', 'T');
}

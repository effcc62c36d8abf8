/** Keys and gestures. */
import { useEffect, useRef } from 'preact/hooks';
import { t, type MessageKey } from '../i18n';
import { Icon } from './Icon';

const KEYS: [keys: string[], message: MessageKey][] = [
  [['/'], 'help.search'],
  [['n', 'N'], 'help.hits'],
  [['←', '→', '↑', '↓'], 'help.arrows'],
  [['Enter'], 'help.enter'],
  [['Backspace'], 'help.backspace'],
  [['Esc', '0'], 'help.esc'],
  [['+', '−'], 'help.scale'],
  [['Home', 'End'], 'help.ends'],
  [['f'], 'help.function'],
  [['?'], 'help.help'],
];

const POINTER: [gesture: MessageKey, message: MessageKey][] = [
  ['help.click', 'help.clickDoes'],
  ['help.altClick', 'help.function'],
  ['help.wheel', 'help.wheelDoes'],
  ['help.shiftWheel', 'help.shiftWheelDoes'],
  ['help.dragTimeline', 'help.dragTimelineDoes'],
];

export function HelpDialog({ onClose }: { onClose(): void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog class="help" ref={dialog} aria-labelledby="help-title" onClose={onClose} onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <header>
        <h2 id="help-title">{t('help.title')}</h2>
        <button type="button" class="ghost icon-only" aria-label={t('action.close')} onClick={() => dialog.current?.close()}><Icon name="close" /></button>
      </header>
      <dl>
        {KEYS.map(([keys, message]) => (
          <div key={message}>
            <dt>{keys.map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{t(message)}</dd>
          </div>
        ))}
        {POINTER.map(([gesture, message]) => (
          <div key={gesture}>
            <dt>{t(gesture)}</dt>
            <dd>{t(message)}</dd>
          </div>
        ))}
      </dl>
      <p class="faint">{t('help.patterns')}</p>
      <p class="faint">{t('help.interval')}</p>
    </dialog>
  );
}

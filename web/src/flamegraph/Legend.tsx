/** What the colours mean and how much each kind burns itself; a click folds a kind into its callers. */
import { useSettings } from '../components/settings';
import { t, type MessageKey } from '../i18n';
import { formatShare } from '../model/format';
import { FOLDABLE, FRAME_CLASS_NAMES, type FrameClassName } from '../model/frame-class';
import { classColour } from './palette';

interface LegendProps {
  /** See `OpenedTree`. */
  classValue: Float64Array;
  total: number;
  /** Classes that have frames, whether or not they burn. */
  present: ReadonlySet<FrameClassName>;
  fold: FrameClassName[];
  onFold(fold: FrameClassName[]): void;
}

export function Legend({ classValue, total, present, fold, onFold }: LegendProps) {
  const { theme } = useSettings();
  const shown = FRAME_CLASS_NAMES.filter((name) => name !== 'group' && (present.has(name) || fold.includes(name)));
  const toggle = (name: FrameClassName) => onFold(fold.includes(name) ? fold.filter((f) => f !== name) : [...fold, name]);
  return (
    <ul class="legend" aria-label={t('legend.label')}>
      {shown.map((name) => {
        const label = t(`class.${name}` as MessageKey);
        const share = total > 0 ? formatShare(classValue[FRAME_CLASS_NAMES.indexOf(name)] / total) : '';
        const swatch = <i class="swatch" style={{ background: classColour(name, theme) }} />;
        const folded = fold.includes(name);
        return (
          <li key={name}>
            {FOLDABLE.includes(name) ? (
              <button type="button" class={`legend-item ${folded ? 'off' : ''}`} aria-pressed={!folded} title={t(folded ? 'legend.unfold' : 'legend.fold', { kind: label })} onClick={() => toggle(name)}>
                {swatch} {label} <span class="faint">{share}</span>
              </button>
            ) : (
              <span class="legend-item" title={t(`class.${name}.hint` as MessageKey)}>
                {swatch} {label} <span class="faint">{share}</span>
              </span>
            )}
          </li>
        );
      })}
    </ul>
  );
}

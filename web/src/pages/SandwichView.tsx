/** Callers above, callees below, of one function. */
import { useEffect, useState } from 'preact/hooks';
import { FlameGraph } from '../flamegraph/FlameGraph';
import { formatMeasure, frameName, measure } from '../flamegraph/describe';
import type { ColourMode } from '../flamegraph/palette';
import { t } from '../i18n';
import { modulePath, type CallTree } from '../model/call-tree';
import { formatShare } from '../model/format';
import type { Sandwich } from '../model/sandwich';
import type { Analysis } from '../worker/analysis';

interface SandwichViewProps {
  analysis: Analysis;
  tree: CallTree;
  /** Function index; -1 = none chosen. */
  fn: number;
  colour: ColourMode;
  marked: Uint8Array | null;
  onFunction(fn: number): void;
  onSearch(): void;
  onHelp(): void;
}

export function SandwichView({ analysis, tree, fn, colour, marked, onFunction, onSearch, onHelp }: SandwichViewProps) {
  const [made, setMade] = useState<{ tree: CallTree; fn: number; sandwich: Sandwich } | null>(null);
  const [error, setError] = useState<string | null>(null);
  useEffect(() => {
    if (fn < 0) return;
    let current = true;
    analysis.sandwich(fn).then(
      (sandwich) => current && (setMade({ tree, fn, sandwich }), setError(null)),
      (reason: Error) => current && setError(reason.message),
    );
    return () => void (current = false);
  }, [analysis, tree, fn]);

  if (fn < 0) return <div class="empty"><h3>{t('callers.none')}</h3><p>{t('callers.hint')}</p></div>;
  if (error) return <div class="empty" role="alert">{error}</div>;
  if (!made || made.fn !== fn) return <div class="empty loading">{t('state.loading')}</div>;
  const { callers, callees } = made.sandwich;
  const frame = tree.frames.fnFrame[fn];
  const whole = made.tree.nodes.total[0];
  const total = measure(tree, callers.nodes.total[0], whole);
  const self = measure(tree, callees.nodes.self[0], whole);
  const half = (kind: 'callers' | 'callees', part: CallTree) => (
    <HalfView key={`${kind}-${fn}`} tree={part} whole={whole} upward={kind === 'callers'} inverted={kind === 'callers'} label={t(`callers.${kind}`)} {...{ colour, marked, onFunction, onSearch, onHelp }} />
  );
  return (
    <div class="sandwich">
      <header class="sandwich-head">
        <span class="mono strong ellipsis" title={frameName(tree, frame)}>{frameName(tree, frame)}</span>
        <span class="faint ellipsis" title={modulePath(tree.frames, frame)}>{modulePath(tree.frames, frame)}</span>
        <span class="sandwich-numbers">
          {t('measure.total')} <b>{formatShare(total.share)}</b> {formatMeasure(total)}<span class="dot" />{t('measure.self')} <b>{formatShare(self.share)}</b> {formatMeasure(self)}
        </span>
      </header>
      <div class="sandwich-label">{t('callers.callers')}</div>
      {half('callers', callers)}
      <div class="sandwich-label">{t('callers.callees')}</div>
      {half('callees', callees)}
    </div>
  );
}

interface HalfViewProps extends Pick<SandwichViewProps, 'colour' | 'marked' | 'onFunction' | 'onSearch' | 'onHelp'> {
  tree: CallTree;
  whole: number;
  upward: boolean;
  inverted: boolean;
  label: string;
}

/** Each half zooms on its own; that zoom lasts as long as the function is shown. */
function HalfView(props: HalfViewProps) {
  const [zoom, setZoom] = useState<string | null>(null);
  const [span, setSpan] = useState<[number, number] | null>(null);
  return (
    <FlameGraph
      {...props} hits={null} zoom={zoom} span={span}
      onZoom={(next) => (setZoom(next), setSpan(null))}
      onSpan={(next) => (setSpan(next), setZoom(null))}
    />
  );
}

/** One line below the graph: the frame under the pointer, else the focused one, and what can be done with it. */
import { Icon } from '../components/Icon';
import { t } from '../i18n';
import type { CallTree } from '../model/call-tree';
import { baseName, formatShare } from '../model/format';
import { describeNode, formatMeasure, nodeFacts } from './describe';

interface DetailBarProps {
  tree: CallTree;
  node: number;
  whole: number;
  /** Read it out: the keyboard moved here. */
  announce: boolean;
  /** The tree leads to callers; another bar on the page shows the function itself. */
  inverted: boolean;
  onFunction(fn: number): void;
}

export function DetailBar({ tree, node, whole, announce, inverted, onFunction }: DetailBarProps) {
  const facts = nodeFacts(tree, node, whole);
  return (
    <div class={`detail ${inverted ? 'quiet' : ''}`}>
      <span class="visually-hidden" aria-live="polite">{announce ? describeNode(tree, node, whole) : ''}</span>
      <span class="detail-name" title={facts.fullName ?? facts.name}>{facts.name}</span>
      {facts.place && <span class="detail-place mono" title={facts.place}>{baseName(facts.place)}</span>}
      {facts.module && <span class="detail-module" title={facts.module}>{baseName(facts.module)}</span>}
      <span class="detail-numbers">
        {t('measure.total')} <b>{formatShare(facts.total.share)}</b> {formatMeasure(facts.total)}
        <span class="dot" />
        {t('measure.self')} <b>{formatShare(facts.self.share)}</b> {formatMeasure(facts.self)}
      </span>
      {node > 0 && (
        <span class="detail-actions">
          <button type="button" class="ghost small" onClick={() => onFunction(tree.frames.fn[tree.nodes.frame[node]])}>
            <Icon name="callers" /> {t('view.callers')}
          </button>
          <button type="button" class="ghost small" onClick={() => void navigator.clipboard?.writeText(facts.fullName ?? facts.name)}>
            <Icon name="copy" /> {t('action.copyName')}
          </button>
        </span>
      )}
    </div>
  );
}

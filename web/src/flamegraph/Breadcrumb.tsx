/** The way from the whole to the zoomed frame; each step leads back. */
import { Icon } from '../components/Icon';
import { t } from '../i18n';
import { pathTo, type CallTree } from '../model/call-tree';
import { nodePath } from '../model/node-path';
import { frameName } from './describe';

const SHOWN_TAIL = 3;

interface BreadcrumbProps {
  tree: CallTree;
  zoomNode: number;
  /** A free range is shown, not a frame. */
  free: boolean;
  onZoom(zoom: string | null): void;
}

export function Breadcrumb({ tree, zoomNode, free, onZoom }: BreadcrumbProps) {
  if (zoomNode === 0 && !free) return null;
  const path = pathTo(tree.nodes, zoomNode);
  const tail = path.slice(-SHOWN_TAIL);
  return (
    <nav class="crumbs" aria-label={t('flame.crumbs')}>
      <button type="button" class="ghost small" onClick={() => onZoom(null)}>
        <Icon name="reset" /> {t('flame.reset')}
      </button>
      {path.length > tail.length && <span class="faint">… {t('flame.framesAbove', { count: path.length - tail.length })}</span>}
      {tail.map((node, i) => (
        <span key={node} class="crumb">
          <Icon name="chevron" />
          <button type="button" class="link mono" title={frameName(tree, tree.nodes.frame[node])} aria-current={i === tail.length - 1 ? 'true' : undefined} onClick={() => onZoom(nodePath(tree, node))}>
            {frameName(tree, tree.nodes.frame[node])}
          </button>
        </span>
      ))}
    </nav>
  );
}

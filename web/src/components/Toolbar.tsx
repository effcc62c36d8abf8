/** What is shown and how: layout, search with its result, orientation, colours. */
import type { ComponentChildren, RefObject } from 'preact';
import { t } from '../i18n';
import { formatShare } from '../model/format';
import { GROUPINGS } from '../model/grouping';
import type { SearchResult } from '../model/search';
import type { Layout, ViewState } from '../model/url-state';
import { Icon } from './Icon';

const LAYOUTS: Layout[] = ['flame', 'split', 'table', 'callers'];

interface ToolbarProps {
  view: ViewState;
  onView(patch: Partial<ViewState>, options?: { replace?: boolean }): void;
  searched: SearchResult | null;
  searchError: string | null;
  total: number;
  searchBox: RefObject<HTMLInputElement | null>;
  selectedName: string | null;
  onHelp(): void;
  actions?: ComponentChildren;
}

export function Toolbar({ view, onView, searched, searchError, total, searchBox, selectedName, onHelp, actions }: ToolbarProps) {
  return (
    <div class="toolbar" role="toolbar" aria-label={t('toolbar.label')}>
      <div class="segmented" role="group" aria-label={t('toolbar.layout')}>
        {LAYOUTS.map((layout) => (
          <button type="button" key={layout} aria-pressed={view.layout === layout} onClick={() => onView({ layout })}>{t(`view.${layout}`)}</button>
        ))}
      </div>
      <div class={`search ${searchError ? 'invalid' : ''}`}>
        <Icon name="search" />
        <input
          ref={searchBox} type="search" value={view.search} placeholder={t('search.placeholder')} aria-label={t('search.placeholder')} aria-invalid={searchError !== null} spellcheck={false}
          onInput={(event) => onView({ search: event.currentTarget.value }, { replace: true })}
          onKeyDown={(event) => {
            if (event.key === 'Escape') {
              onView({ search: '' }, { replace: true });
              event.currentTarget.blur();
            }
          }}
        />
        {searched && <span class="search-share" title={t('search.matches', { functions: searched.functionCount, places: searched.hitCount })}>{formatShare(total > 0 ? searched.matched / total : 0)}</span>}
        <button type="button" class="toggle mono" aria-pressed={view.regex} title={t('search.regex')} aria-label={t('search.regex')} onClick={() => onView({ regex: !view.regex }, { replace: true })}>.*</button>
      </div>
      <span class="search-status" role="status" aria-live="polite">
        {searchError ?? (searched ? t('search.matches', { functions: searched.functionCount, places: searched.hitCount }) : '')}
      </span>
      {selectedName !== null && view.layout !== 'callers' && (
        <span class="chip" title={selectedName}>
          <span class="mono ellipsis">{selectedName}</span>
          <button type="button" class="chip-close" aria-label={t('action.clearSelection')} onClick={() => onView({ fn: null })}><Icon name="close" /></button>
        </span>
      )}
      <span class="spring" />
      {view.layout !== 'table' && view.layout !== 'callers' && (
        <button type="button" class="ghost icon-only" title={t('toolbar.flip')} aria-label={t(view.orientation === 'icicle' ? 'toolbar.icicle' : 'toolbar.flame')} onClick={() => onView({ orientation: view.orientation === 'icicle' ? 'flame' : 'icicle' }, { replace: true })}>
          <Icon name="flip" />
        </button>
      )}
      <label class="select">
        <select aria-label={t('toolbar.colour')} value={view.colour} onChange={(event) => onView({ colour: event.currentTarget.value === 'module' ? 'module' : 'kind' }, { replace: true })}>
          <option value="kind">{t('toolbar.byKind')}</option>
          <option value="module">{t('toolbar.byModule')}</option>
        </select>
      </label>
      <label class="select" title={t('toolbar.groupHint')}>
        <select aria-label={t('toolbar.group')} value={view.group} onChange={(event) => onView({ group: GROUPINGS[event.currentTarget.selectedIndex], zoom: null, span: null, fn: null })}>
          {GROUPINGS.map((grouping) => <option key={grouping} value={grouping}>{t(`group.${grouping}`)}</option>)}
        </select>
      </label>
      <label class="select" title={t('toolbar.codeHint')}>
        <select aria-label={t('toolbar.code')} value={view.code} onChange={(event) => onView({ code: event.currentTarget.value === 'own' ? 'own' : 'all', zoom: null, span: null })}>
          <option value="all">{t('toolbar.allCode')}</option>
          <option value="own">{t('toolbar.ownCode')}</option>
        </select>
      </label>
      <label class="select" title={t('toolbar.namesHint')}>
        <select aria-label={t('toolbar.names')} value={view.names} onChange={(event) => onView({ names: event.currentTarget.value === 'short' ? 'short' : 'full' }, { replace: true })}>
          <option value="full">{t('toolbar.fullNames')}</option>
          <option value="short">{t('toolbar.shortNames')}</option>
        </select>
      </label>
      {actions}
      <button type="button" class="ghost icon-only" title={t('help.title')} aria-label={t('help.title')} onClick={onHelp}><Icon name="help" /></button>
    </div>
  );
}

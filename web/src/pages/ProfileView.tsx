/**
 * One profile: toolbar, legend, flame graph, table, callers and callees. Knows nothing of servers: the service page and
 * the self-contained report both show it.
 */
import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ErrorBoundary } from '../components/ErrorBoundary';
import { HelpDialog } from '../components/HelpDialog';
import { FunctionTableView } from '../components/FunctionTable';
import { Toolbar } from '../components/Toolbar';
import { Breadcrumb } from '../flamegraph/Breadcrumb';
import { FlameGraph } from '../flamegraph/FlameGraph';
import { Legend } from '../flamegraph/Legend';
import { t } from '../i18n';
import { modulePath, type CallTree } from '../model/call-tree';
import { FRAME_CLASS_NAMES, frameClasses, type FrameClassName } from '../model/frame-class';
import { findNode } from '../model/node-path';
import type { ViewState } from '../model/url-state';
import type { Analysis } from '../worker/analysis';
import { SandwichView } from './SandwichView';
import { useProfile } from './use-profile';

export interface ProfileViewProps {
  analysis: Analysis;
  bytes: Uint8Array;
  view: ViewState;
  onView(patch: Partial<ViewState>, options?: { replace?: boolean }): void;
  /** Buttons at the end of the toolbar. */
  actions?: ComponentChildren;
}

export function ProfileView({ analysis, bytes, view, onView, actions }: ProfileViewProps) {
  const [help, setHelp] = useState(false);
  const searchBox = useRef<HTMLInputElement>(null);
  const profile = useProfile(analysis, bytes, view);
  const { opened, functions, searched, searchError, fnIndex } = profile;
  useGlobalKeys(() => searchBox.current?.focus(), () => setHelp(true));

  const onZoom = useCallback((zoom: string | null) => onView({ zoom, span: null }), [onView]);
  const onSpan = useCallback((span: [number, number] | null) => onView({ span, zoom: null }, { replace: true }), [onView]);
  const onSearch = useCallback(() => searchBox.current?.focus(), []);
  const onHelp = useCallback(() => setHelp(true), []);
  const select = useCallback(
    (fn: number, layout?: ViewState['layout']) => {
      if (!opened) return;
      const { frames } = opened.tree;
      const frame = frames.fnFrame[fn];
      const ref = { name: frames.name[frame], module: modulePath(frames, frame) };
      const same = layout === undefined && view.fn?.name === ref.name && view.fn.module === ref.module;
      onView({ fn: same ? null : ref, ...(layout ? { layout } : {}) });
    },
    [opened, onView, view.fn],
  );
  const openCallers = useCallback((fn: number) => select(fn, 'callers'), [select]);
  const marked = useMemo(() => (opened ? markedFrames(opened.tree, fnIndex, searched?.frames ?? null) : null), [opened, fnIndex, searched]);
  const present = useMemo(() => (opened ? classesOf(opened.tree) : new Set<FrameClassName>()), [opened]);

  if (profile.error) return <div class="empty" role="alert"><h3>{t('error.tree')}</h3><p>{profile.error}</p></div>;
  if (!opened) return <div class="empty loading">{t('state.loading')}</div>;
  const { tree } = opened;
  const zoomNode = view.zoom ? findNode(tree, view.zoom) : 0;
  const flame = (
    <FlameGraph
      tree={tree} label={t('flame.label')} upward={view.orientation === 'flame'} colour={view.colour} marked={marked} hits={searched?.hits ?? null}
      zoom={view.zoom} span={view.span} whole={tree.nodes.total[0]} minimap={tree.nodes.maxDepth > 24}
      onZoom={onZoom} onSpan={onSpan} onFunction={openCallers} onSearch={onSearch} onHelp={onHelp}
    />
  );
  const table = functions && (
    <FunctionTableView
      tree={functions.tree} table={functions.value} matching={functions.tree === tree ? (searched?.functions ?? null) : null} selected={fnIndex} sort={view.sort} compact={view.layout !== 'table'}
      onSort={(sort) => onView({ sort }, { replace: true })} onSelect={(fn) => select(fn)} onOpen={openCallers}
    />
  );
  return (
    <section class="profile" aria-label={t('profile.label')}>
      <Toolbar view={view} onView={onView} searched={searched} searchError={searchError} total={tree.nodes.total[0]} searchBox={searchBox} onHelp={onHelp} actions={actions} selectedName={view.fn?.name ?? null} />
      <div class="subbar">
        <Legend classValue={opened.classValue} total={tree.nodes.total[0]} present={present} fold={view.fold} onFold={(fold) => onView({ fold, zoom: null, span: null })} />
        {view.layout !== 'table' && view.layout !== 'callers' && <Breadcrumb tree={tree} zoomNode={zoomNode} free={view.span !== null} onZoom={onZoom} />}
      </div>
      <ErrorBoundary>
        <div class={`profile-body ${view.layout}`}>
          {(view.layout === 'split' || view.layout === 'table' || view.layout === 'callers') && <div class="pane table-pane">{table}</div>}
          {(view.layout === 'flame' || view.layout === 'split') && <div class="pane flame-pane">{flame}</div>}
          {view.layout === 'callers' && (
            <div class="pane flame-pane">
              <SandwichView analysis={analysis} tree={tree} fn={fnIndex} colour={view.colour} marked={searched?.frames ?? null} onFunction={openCallers} onSearch={onSearch} onHelp={onHelp} />
            </div>
          )}
        </div>
      </ErrorBoundary>
      {help && <HelpDialog onClose={() => setHelp(false)} />}
    </section>
  );
}

/** A search wins over a selected function: it is what the user typed last into view. */
function markedFrames(tree: CallTree, fn: number, searched: Uint8Array | null): Uint8Array | null {
  if (searched) return searched;
  if (fn < 0) return null;
  const out = new Uint8Array(tree.frames.count);
  for (let i = 0; i < out.length; i++) if (tree.frames.fn[i] === fn) out[i] = 1;
  return out;
}

function classesOf(tree: CallTree): Set<FrameClassName> {
  const seen = new Set<number>(frameClasses(tree.frames));
  return new Set(FRAME_CLASS_NAMES.filter((_, i) => seen.has(i)));
}

/** `/` and `?` work wherever nobody is typing. */
function useGlobalKeys(onSlash: () => void, onQuestion: () => void): void {
  const handlers = useRef({ onSlash, onQuestion });
  handlers.current = { onSlash, onQuestion };
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const typing = event.target instanceof HTMLElement && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === '/') handlers.current.onSlash();
      else if (event.key === '?') handlers.current.onQuestion();
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}

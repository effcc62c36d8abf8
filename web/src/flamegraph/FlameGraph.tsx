/** The flame graph as a component: canvas, pointer, keyboard, and the same for screen readers. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useSettings } from '../components/settings';
import { t } from '../i18n';
import type { CallTree } from '../model/call-tree';
import { findNode, nodePath } from '../model/node-path';
import { DetailBar } from './DetailBar';
import { FlameEngine } from './engine';
import { describeNode } from './describe';
import { keyAction } from './keys';
import { Minimap } from './Minimap';
import { ROW_PX } from './paint';
import { buildPalette, type ColourMode } from './palette';
import { Tooltip, type Hover } from './Tooltip';

export interface FlameGraphProps {
  tree: CallTree;
  label: string;
  upward: boolean;
  colour: ColourMode;
  /** 1 for each frame that a search or a selection marks. */
  marked: Uint8Array | null;
  /** Marked nodes in the order `n` walks through them. */
  hits: Uint32Array | null;
  zoom: string | null;
  span: [number, number] | null;
  /** Shares and intervals are of this value: the total of the tree that this one was made from. */
  whole: number;
  minimap?: boolean;
  /** The tree leads from a function to its callers: `self` says nothing in it. */
  inverted?: boolean;
  onZoom(zoom: string | null): void;
  onSpan(span: [number, number] | null): void;
  onFunction(fn: number): void;
  onSearch(): void;
  onHelp(): void;
}

const reducedMotion = () => matchMedia('(prefers-reduced-motion: reduce)').matches;

export function FlameGraph(props: FlameGraphProps) {
  const { tree, upward, colour, marked, zoom, span } = props;
  const { theme } = useSettings();
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [engine, setEngine] = useState<FlameEngine | null>(null);
  const [heightPx, setHeightPx] = useState(0);
  const [hoverState, setHover] = useState<Hover | null>(null);
  const hover = hoverState?.tree === tree ? hoverState : null;
  const [focus, setFocus] = useFocus(tree);
  const [hitAt, setHitAt] = useState(-1);
  const zoomNode = useMemo(() => (zoom ? findNode(tree, zoom) : 0), [tree, zoom]);
  const revealed = useRef('');
  const palette = useMemo(() => buildPalette(tree.frames, colour, theme), [tree, colour, theme]);

  useLayoutEffect(() => {
    if (!canvas.current || !scroller.current) return;
    const made = new FlameEngine(canvas.current, tree, palette, setHeightPx);
    const box = scroller.current;
    const range = targetRange(tree, zoomNode, span);
    made.set({ marked, upward, zoomDepth: span ? 0 : tree.nodes.depth[zoomNode] });
    made.zoomTo(range, false);
    const fit = () => made.resize(box.clientWidth, box.clientHeight);
    const observer = new ResizeObserver(fit);
    observer.observe(box);
    fit();
    setEngine(made);
    return () => {
      observer.disconnect();
      made.dispose();
    };
    // Everything else reaches the engine through the effects below.
  }, [tree]);

  useEffect(() => engine?.set({ palette, marked, upward, focus }), [engine, palette, marked, upward, focus]);
  useEffect(() => setHitAt(-1), [props.hits]);
  useLayoutEffect(() => {
    if (!engine || engine.tree !== tree) return;
    engine.set({ zoomDepth: span ? 0 : tree.nodes.depth[zoomNode] });
    engine.zoomTo(targetRange(tree, zoomNode, span), !reducedMotion());
    const place = `${zoom} ${span} ${upward}`;
    if (place !== revealed.current) reveal(scroller.current, engine, tree.nodes.depth[zoomNode], upward, zoomNode === 0);
    revealed.current = place;
  }, [engine, zoomNode, span?.[0], span?.[1], upward]);
  useLayoutEffect(() => {
    if (engine && scroller.current) engine.set({ scrollTop: scroller.current.scrollTop });
    if (upward && zoomNode === 0 && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [engine, heightPx, upward]);

  const zoomTo = useCallback((node: number) => props.onZoom(node <= 0 ? null : nodePath(tree, node)), [tree, props.onZoom]);
  const scale = useCallback(
    (factor: number, atPx: number) => {
      if (!engine || !scroller.current) return;
      const { x0, x1 } = engine.range();
      const pivot = x0 + (atPx / scroller.current.clientWidth) * (x1 - x0);
      const total = tree.nodes.total[0];
      const from = Math.max(0, (pivot - (pivot - x0) * factor) / total);
      const to = Math.min(1, (pivot + (x1 - pivot) * factor) / total);
      props.onSpan(to - from > 0.999_999 ? null : [from, to]);
    },
    [engine, tree, props.onSpan],
  );
  useWheel(scroller, scale, (dx) => {
    if (!engine || !scroller.current) return;
    const total = tree.nodes.total[0];
    const { x0, x1 } = engine.range();
    if (x1 - x0 >= total) return;
    const move = Math.min(Math.max((dx / scroller.current.clientWidth) * (x1 - x0), -x0), total - x1);
    props.onSpan([(x0 + move) / total, (x1 + move) / total]);
  });

  const onKeyDown = (event: KeyboardEvent) => {
    if (!engine || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = keyAction(event.key, { tree, levels: engine.levels, focus, zoom: zoomNode, upward });
    if (action.do === 'none') return;
    event.preventDefault();
    event.stopPropagation();
    setHover(null);
    if (action.do === 'focus') focusOn(action.node);
    else if (action.do === 'zoom') zoomTo(action.node);
    else if (action.do === 'function') props.onFunction(tree.frames.fn[tree.nodes.frame[action.node]]);
    else if (action.do === 'search') props.onSearch();
    else if (action.do === 'help') props.onHelp();
    else if (action.do === 'scale') scale(action.factor, (scroller.current?.clientWidth ?? 0) / 2);
    else if (props.hits && props.hits.length > 0) {
      const next = (hitAt + action.step + props.hits.length) % props.hits.length;
      setHitAt(next);
      focusOn(props.hits[next]);
    }
  };
  const focusOn = (node: number) => {
    setFocus(node);
    if (!engine || !scroller.current) return;
    const { x0, x1 } = engine.range();
    const { x, total, depth } = tree.nodes;
    if (x[node] + total[node] <= x0 || x[node] >= x1) zoomTo(tree.nodes.parent[node]);
    scrollToRow(scroller.current, engine, depth[node], upward);
  };
  const onPointerMove = (event: PointerEvent) => {
    if (!engine) return;
    const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const node = engine.nodeAt(event.clientX - box.left, event.clientY - box.top);
    setHover(node < 0 ? null : { tree, node, x: event.clientX, y: event.clientY, box: engine.boxOf(node) });
  };
  const onClick = (event: MouseEvent) => {
    if (!engine || !hover) return;
    setFocus(hover.node);
    if (event.altKey) props.onFunction(tree.frames.fn[tree.nodes.frame[hover.node]]);
    else zoomTo(hover.node);
  };
  const shownNode = focus >= 0 ? focus : zoomNode;
  const id = useMemo(() => `frame-${Math.random().toString(36).slice(2)}`, []);
  return (
    <div class="flame">
      {props.minimap && engine && <Minimap tree={tree} palette={palette} upward={upward} range={targetRange(tree, zoomNode, span)} onSpan={props.onSpan} />}
      <div
        class="flame-scroll"
        ref={scroller}
        tabIndex={0}
        role="tree"
        aria-label={props.label}
        aria-activedescendant={id}
        onKeyDown={onKeyDown}
        onScroll={() => {
          setHover(null);
          engine?.set({ scrollTop: scroller.current?.scrollTop ?? 0 });
        }}
      >
        <div class="flame-spacer" style={{ height: `${heightPx}px` }}>
          <canvas ref={canvas} aria-hidden="true" onPointerMove={onPointerMove} onPointerLeave={() => setHover(null)} onClick={onClick} />
          {hover && hover.box.width > 0 && (
            <div class="flame-hover" style={{ left: `${hover.box.left}px`, top: `${hover.box.top + (scroller.current?.scrollTop ?? 0)}px`, width: `${Math.max(2, hover.box.width - 1)}px`, height: `${ROW_PX - 1}px` }} />
          )}
        </div>
        <div class="visually-hidden" role="treeitem" id={id} aria-level={tree.nodes.depth[shownNode] + 1} aria-expanded={tree.nodes.size[shownNode] > 1 ? true : undefined} aria-selected={true}>
          {describeNode(tree, shownNode, props.whole)}
        </div>
      </div>
      <DetailBar tree={tree} node={hover?.node ?? shownNode} whole={props.whole} announce={focus >= 0 && !hover} inverted={props.inverted ?? false} onFunction={props.onFunction} />
      {hover && <Tooltip tree={tree} hover={hover} whole={props.whole} inverted={props.inverted ?? false} />}
      <span class="visually-hidden">{t('flame.keysHint')}</span>
    </div>
  );
}

/** The focused node; found again by its path when a newer tree comes. -1 = none. */
function useFocus(tree: CallTree): [number, (node: number) => void] {
  const [at, setAt] = useState<{ tree: CallTree; node: number } | null>(null);
  const node = useMemo(() => {
    if (!at || at.tree === tree) return at?.node ?? -1;
    return at.node > 0 ? findNode(tree, nodePath(at.tree, at.node)) || -1 : at.node;
  }, [at, tree]);
  return [node, (next) => setAt({ tree, node: next })];
}

function targetRange(tree: CallTree, zoomNode: number, span: [number, number] | null) {
  const { x, total } = tree.nodes;
  if (span) return { x0: span[0] * total[0], x1: span[1] * total[0] };
  return { x0: x[zoomNode], x1: x[zoomNode] + total[zoomNode] };
}

/** Ctrl + wheel (a pinch on a trackpad) zooms, a sideways wheel pans; a plain one scrolls as everywhere. */
function useWheel(target: { current: HTMLElement | null }, onScale: (factor: number, atPx: number) => void, onPan: (dx: number) => void) {
  const handlers = useRef({ onScale, onPan });
  handlers.current = { onScale, onPan };
  useEffect(() => {
    const element = target.current;
    if (!element) return;
    const onWheel = (event: WheelEvent) => {
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        handlers.current.onScale(Math.exp(Math.max(-120, Math.min(120, event.deltaY)) / 300), event.clientX - element.getBoundingClientRect().left);
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        handlers.current.onPan(event.shiftKey && event.deltaX === 0 ? event.deltaY : event.deltaX);
      }
    };
    element.addEventListener('wheel', onWheel, { passive: false });
    return () => element.removeEventListener('wheel', onWheel);
  }, []);
}

function reveal(box: HTMLElement | null, engine: FlameEngine, row: number, upward: boolean, whole: boolean) {
  if (!box) return;
  if (whole) box.scrollTop = upward ? box.scrollHeight : 0;
  else scrollToRow(box, engine, row, upward);
}

function scrollToRow(box: HTMLElement, engine: FlameEngine, row: number, upward: boolean) {
  const top = upward ? engine.graphPx - (row + 1) * ROW_PX : row * ROW_PX;
  const margin = Math.min(3 * ROW_PX, box.clientHeight / 3);
  if (top < box.scrollTop + margin) box.scrollTop = Math.max(0, top - margin);
  else if (top + ROW_PX > box.scrollTop + box.clientHeight - margin) box.scrollTop = top + ROW_PX + margin - box.clientHeight;
}

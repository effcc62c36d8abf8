/** The flame graph on one canvas, without any framework: holds tree and view, animates zooms, paints once per frame. */
import type { CallTree } from '../model/call-tree';
import { buildLevels, hitTest, type Levels } from './levels';
import { DrawList, layout, type ValueRange } from './layout';
import { FONT, paint, ROW_PX, rowTop, type Scene } from './paint';
import type { Palette } from './palette';

const ZOOM_MS = 140;
/** Narrowest range that can be zoomed to, as a share of the whole. */
const MIN_SPAN = 1e-9;

export class FlameEngine {
  private index: Levels | null = null;
  private readonly list = new DrawList();
  private readonly ctx: CanvasRenderingContext2D;
  private readonly scene: Scene;
  private shown: ValueRange;
  private target: ValueRange;
  private animation: { from: ValueRange; start: number } | null = null;
  private frame = 0;
  private laidOut = false;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    readonly tree: CallTree,
    palette: Palette,
    /** Called when the height of the whole graph changed. */
    private readonly onHeight: (px: number) => void,
  ) {
    const ctx = canvas.getContext('2d', { alpha: false });
    if (!ctx) throw new Error('this browser has no 2D canvas');
    this.ctx = ctx;
    ctx.font = FONT;
    this.shown = this.target = { x0: 0, x1: tree.nodes.total[0] };
    this.scene = {
      tree, palette, marked: null, zoomDepth: 0, scrollTop: 0, widthPx: 0, heightPx: 0, graphPx: 0, upward: false,
      charPx: ctx.measureText('0123456789').width / 10, focus: -1,
    };
  }

  /** Built when a pointer or a key first asks for it. */
  get levels(): Levels {
    return (this.index ??= buildLevels(this.tree.nodes));
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  set(patch: Partial<Pick<Scene, 'palette' | 'marked' | 'zoomDepth' | 'scrollTop' | 'upward' | 'focus'>>): void {
    Object.assign(this.scene, patch);
    this.schedule();
  }

  resize(widthPx: number, heightPx: number): void {
    const ratio = window.devicePixelRatio || 1;
    const [w, h] = [Math.round(widthPx * ratio), Math.round(heightPx * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.canvas.style.height = `${heightPx}px`;
    }
    this.ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.scene.widthPx = widthPx;
    this.scene.heightPx = heightPx;
    this.measure();
    this.draw();
  }

  range(): ValueRange {
    return this.target;
  }

  zoomTo(range: ValueRange, animate: boolean): void {
    const whole = this.tree.nodes.total[0];
    const span = Math.min(Math.max(range.x1 - range.x0, whole * MIN_SPAN), whole);
    const x0 = Math.min(Math.max(range.x0, 0), whole - span);
    const x1 = x0 + span;
    if (x0 === this.target.x0 && x1 === this.target.x1) return;
    this.target = { x0, x1 };
    this.animation = animate && this.scene.widthPx > 0 ? { from: this.shown, start: performance.now() } : null;
    if (!this.animation) this.shown = this.target;
    this.laidOut = false;
    this.measure();
    this.schedule();
  }

  /** Node under a point of the canvas, or -1. */
  nodeAt(xPx: number, yPx: number): number {
    const { scene } = this;
    const at = scene.scrollTop + yPx;
    const row = Math.floor((scene.upward ? scene.graphPx - at : at) / ROW_PX);
    const x = this.shown.x0 + (xPx / scene.widthPx) * (this.shown.x1 - this.shown.x0);
    return hitTest(this.tree.nodes, this.levels, row, x);
  }

  /** Where a node stands on the canvas, in CSS pixels. */
  boxOf(node: number): { left: number; top: number; width: number } {
    const { nodes } = this.tree;
    const scale = this.scene.widthPx / (this.shown.x1 - this.shown.x0);
    const left = Math.max(0, (nodes.x[node] - this.shown.x0) * scale);
    const right = Math.min(this.scene.widthPx, (nodes.x[node] + nodes.total[node] - this.shown.x0) * scale);
    return { left, top: rowTop(this.scene, nodes.depth[node]), width: right - left };
  }

  get graphPx(): number {
    return this.scene.graphPx;
  }

  /** Number of bars in the last paint. */
  get barCount(): number {
    return this.list.count;
  }

  private measure(): void {
    if (this.scene.widthPx === 0) return;
    layout(this.tree.nodes, this.target, this.scene.widthPx, this.list);
    this.laidOut = this.shown === this.target;
    const graphPx = Math.max((this.list.maxRow + 1) * ROW_PX, this.scene.heightPx);
    if (graphPx !== this.scene.graphPx) {
      this.scene.graphPx = graphPx;
      this.onHeight(graphPx);
    }
  }

  private schedule(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  private draw(): void {
    if (this.scene.widthPx === 0) return;
    if (this.animation) this.advance(this.animation);
    if (!this.laidOut) {
      layout(this.tree.nodes, this.shown, this.scene.widthPx, this.list);
      this.laidOut = this.animation === null;
    }
    paint(this.ctx, this.list, this.scene);
    if (this.animation) this.schedule();
  }

  private advance(animation: { from: ValueRange; start: number }): void {
    const t = Math.min(1, Math.max(0, (performance.now() - animation.start) / ZOOM_MS));
    const eased = 1 - (1 - t) ** 3;
    const { from } = animation;
    this.shown = { x0: from.x0 + (this.target.x0 - from.x0) * eased, x1: from.x1 + (this.target.x1 - from.x1) * eased };
    if (t < 1) return;
    this.shown = this.target;
    this.animation = null;
    this.laidOut = false;
  }
}

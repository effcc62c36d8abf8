/** Draws a `DrawList` on a 2D canvas: one pass per colour, then the texts that fit. */
import { t } from '../i18n';
import type { CallTree } from '../model/call-tree';
import { MERGED, type DrawList } from './layout';
import type { Palette } from './palette';

export const ROW_PX = 20;
export const FONT_PX = 11.5;
export const FONT = `${FONT_PX}px ui-monospace, "SF Mono", "Cascadia Mono", "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace`;
const TEXT_PAD_PX = 5;
const TEXT_MIN_PX = 26;

export interface Scene {
  tree: CallTree;
  palette: Palette;
  /** 1 for each frame to stand out; null = all frames in their own colours. */
  marked: Uint8Array | null;
  /** Rows nearer to the root than this are context of the zoom and drawn paler. */
  zoomDepth: number;
  /** First visible pixel row of the graph. */
  scrollTop: number;
  widthPx: number;
  heightPx: number;
  /** Height of the whole graph: the root stands at its end when `upward`. */
  graphPx: number;
  upward: boolean;
  charPx: number;
  focus: number;
}

/** Top edge of a row in canvas pixels. */
export function rowTop(scene: Pick<Scene, 'upward' | 'graphPx' | 'scrollTop'>, row: number): number {
  return (scene.upward ? scene.graphPx - (row + 1) * ROW_PX : row * ROW_PX) - scene.scrollTop;
}

/** Links bars of one colour, so that each colour is set once per paint. */
class Batches {
  private head = new Int32Array(0);
  private next = new Int32Array(0);

  reset(colours: number, bars: number): void {
    if (this.head.length < colours) this.head = new Int32Array(colours);
    this.head.fill(-1);
    if (this.next.length < bars) this.next = new Int32Array(bars * 2);
  }

  add(colour: number, bar: number): void {
    this.next[bar] = this.head[colour];
    this.head[colour] = bar;
  }

  each(colour: number, visit: (bar: number) => void): void {
    for (let i = this.head[colour]; i >= 0; i = this.next[i]) visit(i);
  }
}

const batches = new Batches();

export function paint(ctx: CanvasRenderingContext2D, list: DrawList, scene: Scene): void {
  const { palette, tree, marked } = scene;
  const colours = palette.fills.length;
  const [dim, match, merged] = [colours, colours + 1, colours + 2];
  ctx.fillStyle = palette.background;
  ctx.fillRect(0, 0, scene.widthPx, scene.heightPx);
  batches.reset(colours + 3, list.count);
  const firstRow = visibleRow(scene, 0);
  const lastRow = visibleRow(scene, scene.heightPx);
  const [low, high] = firstRow < lastRow ? [firstRow, lastRow] : [lastRow, firstRow];
  for (let i = 0; i < list.count; i++) {
    if (list.row[i] < low || list.row[i] > high) continue;
    const node = list.node[i];
    if (node === MERGED) batches.add(merged, i);
    else {
      const frame = tree.nodes.frame[node];
      batches.add(marked === null ? palette.ofFrame[frame] : marked[frame] ? match : dim, i);
    }
  }
  for (let colour = 0; colour < colours + 3; colour++) {
    ctx.fillStyle = colour === dim ? palette.dim : colour === match ? palette.match : colour === merged ? palette.merged : palette.fills[colour];
    batches.each(colour, (i) => fillBar(ctx, list, i, scene));
  }
  fadeContext(ctx, scene);
  paintTexts(ctx, list, scene, low, high);
  paintFocus(ctx, list, scene);
}

function visibleRow(scene: Scene, y: number): number {
  const at = scene.scrollTop + y;
  return Math.floor((scene.upward ? scene.graphPx - at : at) / ROW_PX);
}

function fillBar(ctx: CanvasRenderingContext2D, list: DrawList, i: number, scene: Scene): void {
  const width = list.width[i];
  const gap = width > 3 ? 1 : width > 1 ? 0.35 : 0;
  ctx.fillRect(list.x[i], rowTop(scene, list.row[i]), Math.max(width - gap, 0.5), ROW_PX - 1);
}

/** Ancestors of the zoomed frame stay in place, paler. */
function fadeContext(ctx: CanvasRenderingContext2D, scene: Scene): void {
  if (scene.zoomDepth === 0) return;
  const edge = rowTop(scene, scene.zoomDepth);
  ctx.globalAlpha = 0.55;
  ctx.fillStyle = scene.palette.background;
  if (scene.upward) ctx.fillRect(0, edge + ROW_PX, scene.widthPx, scene.heightPx);
  else ctx.fillRect(0, 0, scene.widthPx, Math.max(0, edge));
  ctx.globalAlpha = 1;
}

function paintTexts(ctx: CanvasRenderingContext2D, list: DrawList, scene: Scene, low: number, high: number): void {
  const { palette, tree, marked } = scene;
  ctx.font = FONT;
  ctx.textBaseline = 'middle';
  let colour = '';
  for (let i = 0; i < list.count; i++) {
    const node = list.node[i];
    if (list.width[i] < TEXT_MIN_PX || node === MERGED || list.row[i] < low || list.row[i] > high) continue;
    const frame = tree.nodes.frame[node];
    const wanted = marked === null ? palette.text : marked[frame] ? palette.matchText : palette.dimText;
    if (wanted !== colour) ctx.fillStyle = colour = wanted;
    const label = fitText(frameLabel(tree, frame, node), list.width[i] - 2 * TEXT_PAD_PX, scene.charPx);
    if (label) ctx.fillText(label, list.x[i] + TEXT_PAD_PX, rowTop(scene, list.row[i]) + ROW_PX / 2);
  }
}

export function frameLabel(tree: CallTree, frame: number, node: number): string {
  return node === 0 && tree.frames.name[frame] === '' ? t('flame.all') : tree.frames.label[frame];
}

/** The part of a name that fits; wide characters count twice. */
export function fitText(text: string, widthPx: number, charPx: number): string {
  let columns = Math.floor(widthPx / charPx);
  if (columns < 2) return '';
  if (text.length * 2 <= columns) return text;
  for (let i = 0; i < text.length; i++) {
    columns -= text.charCodeAt(i) > 0x10ff ? 2 : 1;
    const isLast = i === text.length - 1;
    if (columns < (isLast ? 0 : 1)) return i === 0 ? '' : `${text.slice(0, i)}…`;
  }
  return text;
}

function paintFocus(ctx: CanvasRenderingContext2D, list: DrawList, scene: Scene): void {
  if (scene.focus < 0) return;
  for (let i = 0; i < list.count; i++) {
    if (list.node[i] !== scene.focus) continue;
    ctx.strokeStyle = scene.palette.focus;
    ctx.lineWidth = 2;
    ctx.strokeRect(list.x[i] + 1, rowTop(scene, list.row[i]) + 1, Math.max(list.width[i] - 3, 1), ROW_PX - 3);
    return;
  }
}

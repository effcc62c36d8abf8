/** Colours of the flame graph: one hue per frame class, a few tints each, both themes readable (WCAG AA, tested). */
import { FrameClass, frameClasses, FRAME_CLASS_NAMES, type FrameClassName } from '../model/frame-class';
import { modulePath, type FrameTable } from '../model/call-tree';

export type Theme = 'light' | 'dark';
export type ColourMode = 'kind' | 'module';

type Hsl = readonly [hue: number, saturation: number, lightness: number];

const TINTS = 4;
const MODULE_HUES = [22, 48, 92, 142, 168, 192, 212, 236, 262, 288, 318, 346];

const LIGHT: Record<FrameClassName, Hsl> = {
  native: [28, 92, 76],
  kernel: [212, 62, 78],
  go: [184, 52, 71],
  jit: [128, 40, 74],
  python: [66, 62, 72],
  java: [308, 52, 83],
  javascript: [158, 52, 76],
  runtime: [262, 62, 83],
  inlined: [48, 90, 76],
  unnamed: [30, 8, 78],
  truncated: [352, 72, 82],
  event: [318, 48, 82],
  group: [228, 14, 86],
};

const DARK: Record<FrameClassName, Hsl> = {
  native: [20, 58, 37],
  kernel: [213, 42, 39],
  go: [186, 50, 28],
  jit: [134, 32, 29],
  python: [62, 44, 27],
  java: [308, 28, 36],
  javascript: [158, 38, 28],
  runtime: [262, 32, 44],
  inlined: [40, 56, 30],
  unnamed: [30, 5, 36],
  truncated: [350, 46, 38],
  event: [318, 32, 38],
  group: [228, 10, 30],
};

interface ThemeColours {
  text: string;
  dimText: string;
  match: string;
  matchText: string;
  dim: string;
  merged: string;
  background: string;
  focus: string;
}

const THEME: Record<Theme, ThemeColours> = {
  light: { text: '#1d1b1e', dimText: '#5c5f6b', match: '#e879f9', matchText: '#26042b', dim: '#ebecf0', merged: '#d9dbe2', background: '#ffffff', focus: '#1d4ed8' },
  dark: { text: '#f5f3f2', dimText: '#9a9dab', match: '#d946ef', matchText: '#1b0220', dim: '#26282f', merged: '#34363f', background: '#15161a', focus: '#93c5fd' },
};

export interface Palette extends ThemeColours {
  /** Fill of each colour index. */
  fills: string[];
  /** Colour index of each frame. */
  ofFrame: Uint8Array;
}

function css([h, s, l]: Hsl): string {
  return `hsl(${h} ${s}% ${l}%)`;
}

function tint([h, s, l]: Hsl, step: number, theme: Theme): Hsl {
  const shift = theme === 'light' ? 2.2 : 1.8;
  return [h + (step - 1.5) * 3, s, l + (step - 1.5) * shift];
}

/** The middle colour of a class, for the legend. */
export function classColour(name: FrameClassName, theme: Theme): string {
  return css((theme === 'light' ? LIGHT : DARK)[name]);
}

/** Every fill that text may stand on, as [hue, saturation, lightness]. */
export function fillsOf(mode: ColourMode, theme: Theme): Hsl[] {
  const base = theme === 'light' ? LIGHT : DARK;
  const fills: Hsl[] = [];
  for (const name of FRAME_CLASS_NAMES) for (let t = 0; t < TINTS; t++) fills.push(tint(base[name], t, theme));
  if (mode === 'module') {
    for (const hue of MODULE_HUES) fills.push(theme === 'light' ? [hue, 58, 79] : [hue, 34, 34]);
  }
  return fills;
}

export function themeColours(theme: Theme): ThemeColours {
  return THEME[theme];
}

export function buildPalette(frames: FrameTable, mode: ColourMode, theme: Theme): Palette {
  const classes = frameClasses(frames);
  const ofFrame = new Uint8Array(frames.count);
  const firstModule = FRAME_CLASS_NAMES.length * TINTS;
  for (let i = 0; i < frames.count; i++) {
    const byModule = mode === 'module' && frames.module[i] !== 0 && classes[i] !== FrameClass.truncated;
    ofFrame[i] = byModule
      ? firstModule + (hash(modulePath(frames, i)) % MODULE_HUES.length)
      : classes[i] * TINTS + (hash(frames.name[i]) % TINTS);
  }
  return { ...THEME[theme], fills: fillsOf(mode, theme).map(css), ofFrame };
}

function hash(text: string): number {
  let h = 2166136261;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 16777619);
  return (h ^ (h >>> 13)) >>> 0;
}

/** Facts about one node, for the tooltip, the detail bar and screen readers. */
import { t, type MessageKey } from '../i18n';
import { cpuNs, Flag, isCode, kindName, modulePath, placeText, sampleCount, type CallTree } from '../model/call-tree';
import { baseName, formatCount, formatDuration, formatShare } from '../model/format';
import { FRAME_CLASS_NAMES, frameClasses } from '../model/frame-class';
import { ORIGINS, origins } from '../model/origin';
import { wilson95 } from '../model/statistics';

export interface Measure {
  value: number;
  share: number;
  /** 95 % interval of the share; null where samples are not known. */
  interval: [number, number] | null;
  samples: number | null;
  cpuNs: number | null;
}

export interface NodeFacts {
  name: string;
  /** The full name, if another is shown. */
  fullName: string | null;
  module: string;
  /** `file:line` where most of it was; empty if that is not known. */
  place: string;
  className: (typeof FRAME_CLASS_NAMES)[number];
  kind: string;
  /** Whose code it is; empty for what is none. */
  origin: string;
  notes: string[];
  self: Measure;
  total: Measure;
  /** Share of the caller's total. */
  ofCaller: number | null;
}

export function measure(tree: CallTree, value: number, whole: number): Measure {
  const samples = sampleCount(tree.meta, value);
  const all = sampleCount(tree.meta, whole);
  return {
    value,
    share: whole > 0 ? value / whole : 0,
    interval: samples !== null && all !== null && all > 0 ? wilson95(samples, all) : null,
    samples,
    cpuNs: cpuNs(tree.meta, value),
  };
}

export function frameName(tree: CallTree, frame: number): string {
  return tree.frames.label[frame] || t('flame.all');
}

export function nodeFacts(tree: CallTree, node: number, whole: number): NodeFacts {
  const { nodes, frames } = tree;
  const frame = nodes.frame[node];
  const notes: string[] = [];
  if (frames.flags[frame] & Flag.inlined) notes.push(t('note.inlined'));
  if (frames.flags[frame] & Flag.unnamed) notes.push(t('note.unnamed'));
  if (frames.flags[frame] & Flag.lowConfidence) notes.push(t('note.lowConfidence'));
  const parent = nodes.parent[node];
  return {
    name: frameName(tree, frame),
    fullName: frames.label[frame] === frames.name[frame] ? null : frames.name[frame],
    module: modulePath(frames, frame),
    place: placeText(frames, nodes.place[node]),
    className: FRAME_CLASS_NAMES[frameClasses(frames)[frame]],
    kind: t(`kind.${kindName(frames.kind[frame])}` as MessageKey),
    origin: isCode(frames.kind[frame]) ? t(`origin.${ORIGINS[origins(tree)[frame]]}`) : '',
    notes,
    self: measure(tree, nodes.self[node], whole),
    total: measure(tree, nodes.total[node], whole),
    ofCaller: parent > 0 ? nodes.total[node] / nodes.total[parent] : null,
  };
}

export function formatInterval(interval: [number, number]): string {
  const digits = interval[1] - interval[0] < 0.002 ? 2 : 1;
  return `${(interval[0] * 100).toFixed(digits)}–${(interval[1] * 100).toFixed(digits)} %`;
}

/** CPU time, or the plain value where the tree counts something else. */
export function formatMeasure(m: Measure): string {
  return m.cpuNs === null ? formatCount(m.value) : formatDuration(m.cpuNs);
}

/** One sentence: what a screen reader says about a node. */
export function describeNode(tree: CallTree, node: number, whole: number): string {
  const facts = nodeFacts(tree, node, whole);
  const text = t('flame.describe', {
    name: facts.name, module: baseName(facts.module) || '–', total: formatShare(facts.total.share), self: formatShare(facts.self.share),
    time: formatMeasure(facts.total), depth: tree.nodes.depth[node],
  });
  return [text, ...facts.notes].join(' ');
}

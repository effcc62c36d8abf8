/**
 * Decoder of the IRT1 tree format (docs/tree-format.md). The bytes may come from anywhere: every count and index is
 * checked before anything is allocated by it.
 */
import { rebuild } from './assemble';
import { deriveColumns, TreeError, type CallTree, type FrameTable, type Meta, type ModuleInfo, type Place } from './call-tree';

const MAGIC = [0x49, 0x52, 0x54, 0x31];
const VERSION = 2;

export function decodeTree(bytes: Uint8Array): CallTree {
  const reader = new Reader(bytes);
  for (const byte of MAGIC) if (reader.byte() !== byte) throw new TreeError('this is no Infrared tree');
  const version = reader.u32();
  if (version !== VERSION) throw new TreeError(`tree format version ${version} is not supported`);
  const nodeCount = reader.count(1);
  const frameCount = reader.count(1);
  const stringCount = reader.count(1);
  const moduleCount = reader.count(0);
  const total = reader.u53();
  const periodNs = reader.u53();
  const valueKind = reader.index(stringCount);
  const unit = reader.index(stringCount);
  const placeCount = reader.count(0);
  const strings = readStrings(reader, stringCount);
  const modules = readModules(reader, moduleCount, strings);
  const table = readFrames(reader, frameCount, strings, modules);
  const frames = { ...table, places: readPlaces(reader, placeCount, strings) };
  const frame = reader.indices(nodeCount, frameCount);
  const place = reader.indices(nodeCount, placeCount + 1);
  const self = new Float64Array(nodeCount);
  let sum = 0;
  for (let i = 0; i < nodeCount; i++) sum += self[i] = reader.u53();
  const children = reader.indices(nodeCount, nodeCount);
  if (!reader.atEnd()) throw new TreeError('bytes follow the last column');
  if (sum !== total) throw new TreeError('the total differs from the sum of the nodes');
  const meta: Meta = { valueKind: strings[valueKind], unit: strings[unit], periodNs };
  return sorted({ meta, frames, nodes: deriveColumns(frame, place, self, children) });
}

/** Layout relies on siblings being sorted by total; the format promises it. A tree that breaks the promise is rebuilt. */
function sorted(tree: CallTree): CallTree {
  const { count, depth, total, parent } = tree.nodes;
  const left = new Int32Array(tree.nodes.maxDepth + 1).fill(-1);
  for (let i = 0; i < count; i++) {
    const sibling = left[depth[i]];
    if (sibling >= 0 && parent[sibling] === parent[i] && total[sibling] < total[i]) return rebuild(tree);
    left[depth[i]] = i;
  }
  return tree;
}

function readStrings(reader: Reader, count: number): string[] {
  const strings: string[] = new Array(count);
  for (let i = 0; i < count; i++) strings[i] = reader.text();
  return strings;
}

function readModules(reader: Reader, count: number, strings: string[]): ModuleInfo[] {
  const modules: ModuleInfo[] = new Array(count);
  for (let i = 0; i < count; i++) {
    modules[i] = { path: strings[reader.index(strings.length)], buildId: strings[reader.index(strings.length)] };
  }
  return modules;
}

function readPlaces(reader: Reader, count: number, strings: string[]): Place[] {
  const places: Place[] = new Array(count);
  for (let i = 0; i < count; i++) places[i] = { file: strings[reader.index(strings.length)], line: reader.u32() };
  return places;
}

function readFrames(reader: Reader, count: number, strings: string[], modules: ModuleInfo[]): Omit<FrameTable, 'places'> {
  const nameIndex = reader.indices(count, strings.length);
  const kind = reader.column(count);
  const flags = reader.column(count);
  const module = reader.indices(count, modules.length + 1);
  const name: string[] = new Array(count);
  const fn = new Uint32Array(count);
  const fnFrame: number[] = [];
  const seen = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    name[i] = strings[nameIndex[i]];
    const key = `${nameIndex[i]},${kind[i]},${module[i]}`;
    let index = seen.get(key);
    if (index === undefined) {
      index = fnFrame.length;
      seen.set(key, index);
      fnFrame.push(i);
    }
    fn[i] = index;
  }
  return { count, name, label: name, kind, flags, module, modules, fn, fnCount: fnFrame.length, fnFrame: Uint32Array.from(fnFrame) };
}

class Reader {
  private at = 0;
  private readonly utf8 = new TextDecoder();

  constructor(private readonly bytes: Uint8Array) {}

  atEnd(): boolean {
    return this.at === this.bytes.length;
  }

  byte(): number {
    if (this.at >= this.bytes.length) throw new TreeError('the tree ends too early');
    return this.bytes[this.at++];
  }

  /** A varint up to 2⁵³ − 1; larger ones cannot be held exactly and are refused. */
  u53(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) break;
        return value;
      }
      scale *= 128;
    }
    throw new TreeError('a number is too large');
  }

  u32(): number {
    const value = this.u53();
    if (value > 0xffff_ffff) throw new TreeError('a number is too large');
    return value;
  }

  /** A count of things that take at least one byte each. */
  count(least: number): number {
    const value = this.u32();
    if (value < least || value > this.bytes.length - this.at) throw new TreeError('a count does not fit the size of the tree');
    return value;
  }

  index(size: number): number {
    const value = this.u53();
    if (value >= size) throw new TreeError('an index points outside its table');
    return value;
  }

  indices(count: number, size: number): Uint32Array {
    const out = new Uint32Array(count);
    for (let i = 0; i < count; i++) out[i] = this.index(size);
    return out;
  }

  column(count: number): Uint8Array {
    if (count > this.bytes.length - this.at) throw new TreeError('the tree ends too early');
    const out = this.bytes.slice(this.at, this.at + count);
    this.at += count;
    return out;
  }

  text(): string {
    const length = this.u53();
    if (length > this.bytes.length - this.at) throw new TreeError('the tree ends too early');
    const text = this.utf8.decode(this.bytes.subarray(this.at, this.at + length));
    this.at += length;
    return text;
  }
}

/** Writes the IRT1 tree format (docs/tree-format.md) from nested plain objects. For the mock server and tests. */

const KINDS = { native: 0, kernel: 1, go: 2, jit: 3, vdso: 4, runtime: 5, truncated: 6, event: 7, group: 255 };

/**
 * @typedef {{ name: string, kind?: string, flags?: number, module?: string, place?: string, self?: number, children?: Node[] }} Node
 * @param {Node} root
 * @param {{ periodNs?: number, valueKind?: string, unit?: string }} [options]
 * @returns {Uint8Array}
 */
export function encodeTree(root, options = {}) {
  const strings = new Table(['']);
  const modules = new Table([]);
  const frames = new Table([]);
  const places = new Table([]);
  const columns = { frame: [], place: [], self: [], children: [] };
  let total = 0;
  const stack = [root];
  while (stack.length > 0) {
    const node = stack.pop();
    const children = node.children ?? [];
    const module = node.module ? modules.id(node.module) + 1 : 0;
    columns.frame.push(frames.id(`${strings.id(node.name)},${KINDS[node.kind ?? 'native'] ?? node.kind},${node.flags ?? 0},${module}`));
    columns.place.push(node.place ? places.id(node.place) + 1 : 0);
    columns.self.push(node.self ?? 0);
    columns.children.push(children.length);
    total += node.self ?? 0;
    for (let i = children.length - 1; i >= 0; i--) stack.push(children[i]);
  }
  const valueKind = strings.id(options.valueKind ?? 'samples');
  const unit = strings.id(options.unit ?? 'count');
  const modulePaths = modules.items.map((path) => strings.id(path));
  const placeNumbers = places.items.map((place) => {
    const at = place.lastIndexOf(':');
    return [strings.id(place.slice(0, at)), Number(place.slice(at + 1))];
  });
  return write({ strings, placeNumbers, modulePaths, frames, columns, total, valueKind, unit, periodNs: options.periodNs ?? 10_101_010 });
}

class Table {
  constructor(items) {
    this.items = items;
    this.index = new Map(items.map((item, i) => [item, i]));
  }

  id(item) {
    let id = this.index.get(item);
    if (id === undefined) {
      id = this.items.length;
      this.items.push(item);
      this.index.set(item, id);
    }
    return id;
  }
}

function write({ strings, placeNumbers, modulePaths, frames, columns, total, valueKind, unit, periodNs }) {
  const out = new Bytes();
  out.bytes([0x49, 0x52, 0x54, 0x31]);
  for (const n of [2, columns.frame.length, frames.items.length, strings.items.length, modulePaths.length, total, periodNs, valueKind, unit, placeNumbers.length]) out.varint(n);
  const utf8 = new TextEncoder();
  for (const text of strings.items) {
    const bytes = utf8.encode(text);
    out.varint(bytes.length);
    out.bytes(bytes);
  }
  for (const path of modulePaths) {
    out.varint(path);
    out.varint(0);
  }
  const parsed = frames.items.map((f) => f.split(',').map(Number));
  for (const f of parsed) out.varint(f[0]);
  for (const f of parsed) out.bytes([f[1]]);
  for (const f of parsed) out.bytes([f[2]]);
  for (const f of parsed) out.varint(f[3]);
  for (const place of placeNumbers) for (const n of place) out.varint(n);
  for (const column of [columns.frame, columns.place, columns.self, columns.children]) for (const n of column) out.varint(n);
  return out.finish();
}

class Bytes {
  buffer = new Uint8Array(1 << 16);
  length = 0;

  reserve(n) {
    if (this.length + n <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.length + n));
    grown.set(this.buffer);
    this.buffer = grown;
  }

  bytes(bytes) {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  varint(value) {
    this.reserve(10);
    let rest = value;
    while (rest >= 128) {
      this.buffer[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.buffer[this.length++] = rest;
  }

  finish() {
    return this.buffer.slice(0, this.length);
  }
}

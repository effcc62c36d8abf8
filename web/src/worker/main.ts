/** Entry point of the worker. */
import type { CallTree, NodeColumns } from '../model/call-tree';
import { LocalAnalysis } from './analysis';
import type { Call, Reply, Request } from './protocol';

const analysis = new LocalAnalysis();
let bytes = new Uint8Array();

async function run(call: Call, transfer: ArrayBuffer[]): Promise<unknown> {
  switch (call.op) {
    case 'load':
      bytes = new Uint8Array(call.bytes);
      return null;
    case 'open': {
      const opened = await analysis.open(bytes, call.shape);
      const { tree, buffers } = detached(opened.tree);
      transfer.push(...buffers);
      return { ...opened, tree };
    }
    case 'functions':
      return analysis.functions();
    case 'search':
      return analysis.search(call.query);
    case 'sandwich':
      return analysis.sandwich(call.fn);
  }
}

/** Copies of a tree's columns can be handed over for nothing; the page need not copy them once more. */
function detached(tree: CallTree): { tree: CallTree; buffers: ArrayBuffer[] } {
  const buffers: ArrayBuffer[] = [];
  const columns = Object.entries(tree.nodes).map(([key, column]) => {
    if (typeof column === 'number') return [key, column];
    const copy = (column as Float64Array<ArrayBuffer>).slice();
    buffers.push(copy.buffer);
    return [key, copy];
  });
  return { tree: { ...tree, nodes: Object.fromEntries(columns) as NodeColumns }, buffers };
}

self.onmessage = async (event: MessageEvent<Request>) => {
  const { id, call } = event.data;
  const transfer: ArrayBuffer[] = [];
  let reply: Reply;
  try {
    reply = { id, value: await run(call, transfer) };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    reply = { id, error: { name, message } };
  }
  self.postMessage(reply, { transfer });
};

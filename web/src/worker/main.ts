/** Entry point of the worker. */
import { LocalAnalysis } from './analysis';
import type { Call, Reply, Request } from './protocol';

const analysis = new LocalAnalysis();
let bytes = new Uint8Array();

async function run(call: Call): Promise<unknown> {
  switch (call.op) {
    case 'load':
      bytes = new Uint8Array(call.bytes);
      return null;
    case 'open':
      return analysis.open(bytes, call.fold);
    case 'functions':
      return analysis.functions();
    case 'search':
      return analysis.search(call.query);
    case 'sandwich':
      return analysis.sandwich(call.fn);
  }
}

self.onmessage = async (event: MessageEvent<Request>) => {
  const { id, call } = event.data;
  let reply: Reply;
  try {
    reply = { id, value: await run(call) };
  } catch (error) {
    const { name, message } = error instanceof Error ? error : new Error(String(error));
    reply = { id, error: { name, message } };
  }
  self.postMessage(reply);
};

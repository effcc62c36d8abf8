/**
 * The page's side of the worker. A search that takes too long (an expression can take for ever) ends the worker;
 * the next one starts with the same tree.
 */
import type { FunctionTable } from '../model/functions';
import type { Sandwich } from '../model/sandwich';
import { PatternError, type SearchQuery, type SearchResult } from '../model/search';
import type { Analysis, OpenedTree, Shape } from './analysis';
import type { Call, Reply, Request } from './protocol';

const SEARCH_LIMIT_MS = 3000;

interface Waiting {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

export class WorkerAnalysis implements Analysis {
  private worker: Worker | null = null;
  private readonly waiting = new Map<number, Waiting>();
  private nextId = 1;
  private bytes: Uint8Array | null = null;
  private shape: Shape = { fold: [], names: 'full', code: 'all', group: 'function' };

  async open(bytes: Uint8Array, shape: Shape): Promise<OpenedTree> {
    if (this.bytes !== bytes) {
      this.bytes = bytes;
      void this.call({ op: 'load', bytes }).catch(() => undefined);
    }
    this.shape = shape;
    return this.call({ op: 'open', shape }) as Promise<OpenedTree>;
  }

  functions(): Promise<FunctionTable> {
    return this.call({ op: 'functions' }) as Promise<FunctionTable>;
  }

  async search(query: SearchQuery): Promise<SearchResult | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.restart();
        reject(new PatternError('timeout'));
      }, SEARCH_LIMIT_MS);
    });
    try {
      return (await Promise.race([this.call({ op: 'search', query }), limit])) as SearchResult | null;
    } finally {
      clearTimeout(timer);
    }
  }

  sandwich(fn: number): Promise<Sandwich> {
    return this.call({ op: 'sandwich', fn }) as Promise<Sandwich>;
  }

  close(): void {
    this.worker?.terminate();
    this.worker = null;
    this.waiting.clear();
  }

  private call(call: Call): Promise<unknown> {
    const worker = (this.worker ??= this.start());
    const request: Request = { id: this.nextId++, call };
    return new Promise((resolve, reject) => {
      this.waiting.set(request.id, { resolve, reject });
      worker.postMessage(request);
    });
  }

  private start(): Worker {
    const worker = new Worker(new URL('./main.ts', import.meta.url), { type: 'module' });
    worker.onmessage = (event: MessageEvent<Reply>) => this.settle(event.data);
    worker.onerror = (event) => this.failAll(new Error(event.message || 'the worker stopped'));
    return worker;
  }

  private settle(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (!waiting) return;
    if ('value' in reply) waiting.resolve(reply.value);
    else waiting.reject(reply.error.name === 'PatternError' ? new PatternError(reply.error.message) : new Error(reply.error.message));
  }

  private failAll(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }

  private restart(): void {
    this.worker?.terminate();
    this.worker = null;
    this.failAll(new PatternError('timeout'));
    if (!this.bytes) return;
    void this.call({ op: 'load', bytes: this.bytes }).catch(() => undefined);
    void this.call({ op: 'open', shape: this.shape }).catch(() => undefined);
  }
}

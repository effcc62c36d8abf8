/** Messages between the page and its worker. */
import type { FrameClassName } from '../model/frame-class';
import type { SearchQuery } from '../model/search';

export type Call =
  | { op: 'load'; bytes: Uint8Array }
  | { op: 'open'; fold: FrameClassName[] }
  | { op: 'functions' }
  | { op: 'search'; query: SearchQuery }
  | { op: 'sandwich'; fn: number };

export type Request = { id: number; call: Call };
export type Reply = { id: number; value: unknown } | { id: number; error: { name: string; message: string } };

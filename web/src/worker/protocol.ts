/** Messages between the page and its worker. */
import type { SearchQuery } from '../model/search';
import type { Shape } from './analysis';

export type Call =
  | { op: 'load'; bytes: Uint8Array }
  | { op: 'open'; shape: Shape }
  | { op: 'functions' }
  | { op: 'search'; query: SearchQuery }
  | { op: 'sandwich'; fn: number };

export type Request = { id: number; call: Call };
export type Reply = { id: number; value: unknown } | { id: number; error: { name: string; message: string } };

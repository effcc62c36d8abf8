/** Requests to the server. Every failure is an `ApiError` that says whether another try can help. */
import type { AppState } from '../model/url-state';
import type { ExportFormat, Labels, Quality, Services, Status, Timeline } from './types';

const BASE = '/api/v1';
const TIMEOUT_MS = 30_000;
export const TREE_TYPE = 'application/vnd.infrared.tree';

export class ApiError extends Error {
  override name = 'ApiError';

  constructor(
    message: string,
    /** HTTP status; 0 where no answer came. */
    readonly status: number,
  ) {
    super(message);
  }

  get retryable(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** The parameters that choose the data: service, time, labels. `narrowed` uses the selected part of the range. */
export function selectionParams(state: AppState, narrowed: boolean): URLSearchParams {
  const params = new URLSearchParams();
  const selected = narrowed ? state.selected : null;
  params.set('from', selected ? String(selected[0]) : state.range.from);
  params.set('to', selected ? String(selected[1]) : state.range.to);
  if (state.page === 'service' && state.service !== null) params.set('service', state.service);
  if (state.page === 'service') {
    for (const name of Object.keys(state.labels).sort()) {
      for (const value of state.labels[name]) params.append(`label.${name}`, value);
    }
  }
  if (state.excludeSelf) params.set('exclude_self', 'true');
  return params;
}

export function exportUrl(state: AppState, format: ExportFormat): string {
  const params = selectionParams(state, true);
  params.set('format', format);
  if (state.view.names === 'short') params.set('names', 'short');
  return `${BASE}/export?${params}`;
}

export const eventsUrl = `${BASE}/events`;

export const api = {
  status: (signal: AbortSignal) => json<Status>('status', null, signal),
  services: (params: URLSearchParams, signal: AbortSignal) => json<Services>('services', params, signal),
  timeline: (params: URLSearchParams, signal: AbortSignal) => json<Timeline>('timeline', params, signal),
  labels: (params: URLSearchParams, signal: AbortSignal) => json<Labels>('labels', params, signal),
  quality: (params: URLSearchParams, signal: AbortSignal) => json<Quality>('quality', params, signal),
  tree: async (params: URLSearchParams, signal: AbortSignal): Promise<Uint8Array> =>
    request('tree', params, TREE_TYPE, signal, async (answer) => new Uint8Array(await answer.arrayBuffer())),
};

function json<T>(path: string, params: URLSearchParams | null, signal: AbortSignal): Promise<T> {
  return request(path, params, 'application/json', signal, (answer) => answer.json() as Promise<T>);
}

async function request<T>(path: string, params: URLSearchParams | null, accept: string, signal: AbortSignal, read: (answer: Response) => Promise<T>): Promise<T> {
  const limit = new AbortController();
  const abort = () => limit.abort();
  const timer = setTimeout(abort, TIMEOUT_MS);
  signal.addEventListener('abort', abort);
  try {
    const answer = await fetch(`${BASE}/${path}${params ? `?${params}` : ''}`, { headers: { accept }, signal: limit.signal });
    if (!answer.ok) throw await failure(answer);
    return await read(answer);
  } catch (error) {
    if (error instanceof ApiError || signal.aborted) throw error;
    throw new ApiError(limit.signal.aborted ? 'timeout' : 'unreachable', 0);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
  }
}

async function failure(answer: Response): Promise<ApiError> {
  let message = `HTTP ${answer.status}`;
  try {
    const body = (await answer.json()) as { error?: { message?: string } };
    if (body.error?.message) message = body.error.message;
  } catch {
    // Not every proxy in between answers in JSON: the status has to do.
  }
  return new ApiError(message, answer.status);
}

/** Whether the server answers: one state for the whole page, fed by every request, shown by the banner. */

export type Connection = { ok: true } | { ok: false; reason: string; retryAtMs: number };

type Listener = () => void;

let state: Connection = { ok: true };
const listeners = new Set<Listener>();
const retries = new Set<Listener>();

export const connection = {
  get: (): Connection => state,

  subscribe(listener: Listener): () => void {
    listeners.add(listener);
    return () => listeners.delete(listener);
  },

  succeeded(): void {
    if (state.ok) return;
    publish({ ok: true });
  },

  failed(reason: string, retryAtMs: number): void {
    publish({ ok: false, reason, retryAtMs });
  },

  /** Calls `retry` when the user does not want to wait. */
  onRetry(retry: Listener): () => void {
    retries.add(retry);
    return () => retries.delete(retry);
  },

  retryNow(): void {
    for (const retry of [...retries]) retry();
  },
};

function publish(next: Connection): void {
  state = next;
  for (const listener of listeners) listener();
}

/** Wait before try number `attempt` (0-based): 1 s doubling to 30 s, spread by up to a quarter. */
export function backoffMs(attempt: number, random = Math.random()): number {
  return Math.min(30_000, 1000 * 2 ** Math.min(attempt, 10)) * (1 + random / 4);
}

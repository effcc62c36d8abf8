/** Loads data for a key; keeps the old data while newer ones load; tries again when the server is away. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError } from './client';
import { backoffMs, connection } from './connection';

export interface Query<T> {
  data: T | null;
  /** An error that another try does not mend. */
  error: ApiError | null;
  loading: boolean;
  /** The data answer an earlier question; those for the present one are on their way. */
  stale: boolean;
}

interface Stored<T> {
  scope: string;
  /** Key that the data are for. */
  key: string | null;
  query: Omit<Query<T>, 'stale'>;
}

const EMPTY = { data: null, error: null, loading: true };

/**
 * @param key what to load: a change loads again
 * @param scope what the data are about: data of another scope are not shown meanwhile
 * @param refresh loads again under the same key when it changes
 */
export function useQuery<T>(key: string | null, scope: string, refresh: number, load: (signal: AbortSignal) => Promise<T>): Query<T> {
  const [stored, setStored] = useState<Stored<T>>({ scope, key: null, query: EMPTY });
  const loader = useRef(load);
  loader.current = load;
  useEffect(() => {
    if (key === null) return;
    setStored((old) => (old.scope === scope ? { ...old, query: { ...old.query, loading: true } } : { scope, key: null, query: EMPTY }));
    return keepTrying((signal) => loader.current(signal), {
      done: (data) => setStored({ scope, key, query: { data, error: null, loading: false } }),
      refused: (error) => setStored({ scope, key, query: { data: null, error, loading: false } }),
    });
  }, [key, scope, refresh]);
  const query = stored.scope === scope ? stored.query : EMPTY;
  return { ...query, stale: query.data !== null && stored.key !== key };
}

interface Outcome<T> {
  done: (data: T) => void;
  refused: (error: ApiError) => void;
}

/** Returns what stops it. */
function keepTrying<T>(load: (signal: AbortSignal) => Promise<T>, outcome: Outcome<T>): () => void {
  const abort = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let attempt = 0;
  const run = async () => {
    clearTimeout(timer);
    timer = undefined;
    try {
      const data = await load(abort.signal);
      if (abort.signal.aborted) return;
      connection.succeeded();
      outcome.done(data);
    } catch (error) {
      if (abort.signal.aborted) return;
      const known = error instanceof ApiError ? error : new ApiError(error instanceof Error ? error.message : String(error), 400);
      if (!known.retryable) return outcome.refused(known);
      const wait = backoffMs(attempt++);
      connection.failed(known.message, Date.now() + wait);
      timer = setTimeout(run, wait);
    }
  };
  const stopRetry = connection.onRetry(() => {
    if (timer !== undefined) void run();
  });
  void run();
  return () => {
    abort.abort();
    clearTimeout(timer);
    stopRetry();
  };
}

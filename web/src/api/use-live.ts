/** Counts up whenever the server stored new data. Quiet while the tab is hidden; catches up when it is shown again. */
import { useEffect, useState } from 'preact/hooks';
import { backoffMs, connection } from './connection';
import { eventsUrl } from './client';

/** Windows may come every second when a server is new; more often than this nothing is loaded again. */
const LEAST_MS = 1000;

export function useLive(enabled: boolean): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    if (!enabled) return;
    const stream = new WindowStream(() => setTick((t) => t + 1));
    const onVisibility = () => (document.hidden ? stream.pause() : stream.resume());
    document.addEventListener('visibilitychange', onVisibility);
    if (!document.hidden) stream.open();
    return () => {
      document.removeEventListener('visibilitychange', onVisibility);
      stream.pause();
    };
  }, [enabled]);
  return tick;
}

class WindowStream {
  private source: EventSource | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private attempt = 0;
  private stopRetry: (() => void) | null = null;
  private lastMs = 0;
  private pending: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly onWindow: () => void) {}

  open(): void {
    this.pause();
    const source = new EventSource(eventsUrl);
    this.source = source;
    source.addEventListener('open', () => {
      if (this.attempt === 0) return;
      this.attempt = 0;
      connection.succeeded();
      this.announce();
    });
    source.addEventListener('window', () => this.announce());
    source.addEventListener('error', () => {
      // The browser's own retry has no backoff: close, and come back later.
      source.close();
      clearTimeout(this.timer);
      const wait = backoffMs(this.attempt++);
      connection.failed('unreachable', Date.now() + wait);
      this.timer = setTimeout(() => this.open(), wait);
    });
    this.stopRetry = connection.onRetry(() => {
      if (this.attempt > 0) this.open();
    });
  }

  pause(): void {
    clearTimeout(this.timer);
    clearTimeout(this.pending);
    this.pending = undefined;
    this.stopRetry?.();
    this.stopRetry = null;
    this.source?.close();
    this.source = null;
  }

  resume(): void {
    this.open();
    this.announce();
  }

  private announce(): void {
    if (this.pending !== undefined) return;
    const wait = Math.max(0, this.lastMs + LEAST_MS - Date.now());
    this.pending = setTimeout(() => {
      this.pending = undefined;
      this.lastMs = Date.now();
      this.onWindow();
    }, wait);
  }
}

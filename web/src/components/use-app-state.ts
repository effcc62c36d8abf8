/** The state of the page is its link: reads it, changes it, follows the back button. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { formatUrl, parseUrl, type AppState, type ViewState } from '../model/url-state';

export interface ChangeOptions {
  /** Replace the entry in the history: for changes nobody goes back through one by one. */
  replace?: boolean;
}

export interface AppStore {
  state: AppState;
  change(patch: Partial<AppState>, options?: ChangeOptions): void;
  changeView(patch: Partial<ViewState>, options?: ChangeOptions): void;
}

/** Browsers refuse links that are rewritten too often: small changes are written down together. */
const WRITE_MS = 200;

export function useAppState(): AppStore {
  const [state, setState] = useState(() => parseUrl(window.location.href));
  const current = useRef(state);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const show = (next: AppState) => setState((current.current = next));
  useEffect(() => {
    const onPop = () => {
      clearTimeout(timer.current);
      show(parseUrl(window.location.href));
    };
    window.addEventListener('popstate', onPop);
    return () => window.removeEventListener('popstate', onPop);
  }, []);
  const change = useCallback((patch: Partial<AppState>, options: ChangeOptions = {}) => {
    const write = () => {
      clearTimeout(timer.current);
      timer.current = undefined;
      window.history.replaceState(null, '', formatUrl(current.current));
    };
    if (!options.replace) {
      if (timer.current !== undefined) write();
      show({ ...current.current, ...patch });
      const url = formatUrl(current.current);
      if (url !== window.location.pathname + window.location.search) window.history.pushState(null, '', url);
      return;
    }
    show({ ...current.current, ...patch });
    clearTimeout(timer.current);
    timer.current = setTimeout(write, WRITE_MS);
  }, []);
  const changeView = useCallback(
    (patch: Partial<ViewState>, options: ChangeOptions = {}) => change({ view: { ...current.current.view, ...patch } }, options),
    [change],
  );
  return { state, change, changeView };
}

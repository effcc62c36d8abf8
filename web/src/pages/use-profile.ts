/** Opens a tree and asks for what the view needs of it; answers that come late for an older tree are dropped. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { t } from '../i18n';
import { modulePath, type CallTree } from '../model/call-tree';
import type { FunctionTable } from '../model/functions';
import { PatternError, type SearchQuery, type SearchResult } from '../model/search';
import type { FunctionRef, ViewState } from '../model/url-state';
import type { Analysis, OpenedTree } from '../worker/analysis';

/** A result and the tree it was computed from: indices mean nothing in another tree. */
export interface OfTree<T> {
  tree: CallTree;
  value: T;
}

export interface Profile {
  opened: OpenedTree | null;
  error: string | null;
  functions: OfTree<FunctionTable> | null;
  /** Of the open tree, or null while nothing is searched for. */
  searched: SearchResult | null;
  searchError: string | null;
  /** Index of the selected function in the open tree; -1 = none, or not in this tree. */
  fnIndex: number;
}

interface Search {
  result: SearchResult | null;
  error: string | null;
}

interface Shown {
  opened: OpenedTree;
  search: Search;
}

export function useProfile(analysis: Analysis, bytes: Uint8Array, view: ViewState): Profile {
  const [shown, setShown] = useState<Shown | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [functions, setFunctions] = useState<OfTree<FunctionTable> | null>(null);
  const query = useRef<SearchQuery>({ text: '', regex: false });
  query.current = { text: view.search, regex: view.regex };
  const opened = shown?.opened ?? null;
  const foldKey = view.fold.join(',');

  // A new tree is shown together with its search result, so that a refresh does not flicker.
  useEffect(() => {
    let current = true;
    const open = async () => {
      const next = await analysis.open(bytes, { fold: view.fold, names: view.names, code: view.code, group: view.group });
      const search = await runSearch(analysis, query.current);
      if (!current) return;
      setShown({ opened: next, search });
      setError(null);
    };
    open().catch((reason: Error) => current && (setShown(null), setError(reason.message)));
    return () => void (current = false);
  }, [analysis, bytes, foldKey, view.names, view.code, view.group]);

  useEffect(() => {
    if (!opened) return;
    let current = true;
    runSearch(analysis, query.current).then((search) => current && setShown((old) => old && { ...old, search }));
    return () => void (current = false);
  }, [analysis, view.search, view.regex]);

  useEffect(() => {
    if (!opened) return;
    let current = true;
    analysis.functions().then(
      (value) => current && setFunctions({ tree: opened.tree, value }),
      (reason: Error) => current && setError(reason.message),
    );
    return () => void (current = false);
  }, [analysis, opened]);

  const fnIndex = useMemo(() => (opened && view.fn ? findFunction(opened.tree, view.fn) : -1), [opened, view.fn?.name, view.fn?.module]);
  return { opened, error, functions, searched: shown?.search.result ?? null, searchError: shown?.search.error ?? null, fnIndex };
}

async function runSearch(analysis: Analysis, query: SearchQuery): Promise<Search> {
  try {
    return { result: await analysis.search(query), error: null };
  } catch (error) {
    return { result: null, error: searchMessage(error instanceof Error ? error : new Error(String(error))) };
  }
}

function searchMessage(error: Error): string {
  if (!(error instanceof PatternError)) return error.message;
  return error.message === 'timeout' ? t('search.timeout') : t('search.invalid', { reason: error.message });
}

/** By name and module; by name alone where the module is another now (a new release). */
function findFunction(tree: CallTree, ref: FunctionRef): number {
  const { frames } = tree;
  let byName = -1;
  for (let fn = 0; fn < frames.fnCount; fn++) {
    const frame = frames.fnFrame[fn];
    if (frames.name[frame] !== ref.name) continue;
    if (modulePath(frames, frame) === ref.module) return fn;
    if (byName < 0) byName = fn;
  }
  return byName;
}

/**
 * The viewer of self-contained HTML reports: `InfraredViewer.mount(element, tree)`, the tree as IRT1 bytes or as base64
 * of gzipped IRT1 bytes. No server, no worker, no network.
 */
import { render } from 'preact';
import { useState } from 'preact/hooks';
import { Mark } from '../components/Icon';
import { SettingsButtons } from '../components/SettingsButtons';
import { SettingsContext, useSettingsState } from '../components/settings';
import { formatView, parseView, type ViewState } from '../model/url-state';
import { ProfileView } from '../pages/ProfileView';
import base from '../styles/base.css?inline';
import controls from '../styles/controls.css?inline';
import header from '../styles/header.css?inline';
import profile from '../styles/profile.css?inline';
import { LocalAnalysis } from '../worker/analysis';

const analysis = new LocalAnalysis();

/** `names`: those that the report was made with. */
function Viewer({ bytes, names }: { bytes: Uint8Array; names: ViewState['names'] }) {
  const settings = useSettingsState();
  const [view, setView] = useState<ViewState>(() => {
    const params = new URLSearchParams(window.location.hash.slice(1));
    return parseView(params.has('names') ? params : new URLSearchParams([...params, ['names', names]]));
  });
  const onView = (patch: Partial<ViewState>) =>
    setView((old) => {
      const next = { ...old, ...patch };
      keepInHash(next, names);
      return next;
    });
  return (
    <SettingsContext.Provider value={settings}>
      <div class="standalone">
        <header class="header">
          <span class="brand"><Mark /> Infrared</span>
          <span class="faint ellipsis">{document.title}</span>
          <span class="spring" />
          <SettingsButtons />
        </header>
        <ProfileView analysis={analysis} bytes={bytes} view={view} onView={onView} />
      </div>
    </SettingsContext.Provider>
  );
}

let timer: ReturnType<typeof setTimeout> | undefined;

function keepInHash(view: ViewState, names: ViewState['names']): void {
  clearTimeout(timer);
  timer = setTimeout(() => {
    const params = new URLSearchParams();
    formatView(view, (key, value, fallback) => {
      if (value !== null && value !== (key === 'names' ? names : fallback)) params.set(key, value);
    });
    try {
      window.history.replaceState(null, '', `#${params}`);
    } catch {
      // Some file viewers forbid it: the report works, only its address stays the same.
    }
  }, 200);
}

async function toBytes(tree: Uint8Array | string): Promise<Uint8Array> {
  if (typeof tree !== 'string') return tree;
  const packed = Uint8Array.from(atob(tree.trim()), (c) => c.charCodeAt(0));
  const plain = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(plain).arrayBuffer());
}

export async function mount(element: HTMLElement, tree: Uint8Array | string): Promise<void> {
  const style = document.createElement('style');
  style.textContent = base + controls + header + profile;
  document.head.append(style);
  try {
    render(<Viewer bytes={await toBytes(tree)} names={element.dataset.names === 'short' ? 'short' : 'full'} />, element);
  } catch (error) {
    element.textContent = `This report cannot be shown: ${error instanceof Error ? error.message : String(error)}`;
  }
}

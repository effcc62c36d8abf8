/** The frame around the pages: header, banner, the page of the link. */
import { useEffect, useMemo } from 'preact/hooks';
import { api } from './api/client';
import { useLive } from './api/use-live';
import { useQuery } from './api/use-query';
import { ConnectionBanner } from './components/ConnectionBanner';
import { ErrorBoundary } from './components/ErrorBoundary';
import { Header } from './components/Header';
import { Warnings } from './components/Warnings';
import { SettingsContext, useSettingsState } from './components/settings';
import { useAppState } from './components/use-app-state';
import { t } from './i18n';
import { isLive } from './model/time-range';
import { ServicePage } from './pages/ServicePage';
import { ServicesPage } from './pages/ServicesPage';
import { WorkerAnalysis } from './worker/client';

export function App() {
  const settings = useSettingsState();
  const store = useAppState();
  const { state } = store;
  const live = isLive(state.range) && state.selected === null;
  const tick = useLive(live);
  const status = useQuery('status', 'status', tick, api.status);
  const analysis = useMemo(() => new WorkerAnalysis(), []);
  useEffect(() => {
    document.title = state.page === 'service' ? `${state.service ?? t('services.total')} · Infrared` : 'Infrared';
  }, [state.page, state.service, settings.language]);
  return (
    <SettingsContext.Provider value={settings}>
      <Header store={store} status={status.data} live={live} />
      <ConnectionBanner />
      <main>
        <Warnings warnings={status.data?.agent?.warnings ?? []} />
        <ErrorBoundary key={state.page}>
          {state.page === 'service' ? (
            <ServicePage store={store} tick={tick} analysis={analysis} status={status.data} />
          ) : (
            <ServicesPage store={store} tick={tick} status={status.data} />
          )}
        </ErrorBoundary>
      </main>
    </SettingsContext.Provider>
  );
}

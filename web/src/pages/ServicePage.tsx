/** One service, or everything: timeline, filters, quality and the profile of the chosen time. */
import { api, selectionParams } from '../api/client';
import type { Service, Status } from '../api/types';
import { useQuery } from '../api/use-query';
import { CopyLink } from '../components/CopyLink';
import { EmptyState } from '../components/EmptyState';
import { ExportMenu } from '../components/ExportMenu';
import { Filters } from '../components/Filters';
import { Icon } from '../components/Icon';
import { QualityRow } from '../components/QualityRow';
import { SplitBy } from '../components/SplitBy';
import type { AppStore } from '../components/use-app-state';
import { t } from '../i18n';
import { formatClock, formatCores, formatDuration } from '../model/format';
import { resolveRange, stepMs } from '../model/time-range';
import type { AppState } from '../model/url-state';
import { Timeline } from '../timeline/Timeline';
import type { Analysis } from '../worker/analysis';
import { ProfileView } from './ProfileView';

interface ServicePageProps {
  store: AppStore;
  tick: number;
  analysis: Analysis;
  status: Status | null;
}

export function ServicePage({ store, tick, analysis, status }: ServicePageProps) {
  const { state, change, changeView } = store;
  const scope = state.service ?? '';
  const params = selectionParams(state, false);
  const narrowed = selectionParams(state, true);
  const treeParams = new URLSearchParams(narrowed);
  if (state.service === null) treeParams.set('by', 'service.name');
  const { fromMs, toMs } = resolveRange(state.range, Date.now());
  const timelineParams = new URLSearchParams(params);
  timelineParams.set('step', String(stepMs(fromMs, toMs, 240)));
  if (state.by) timelineParams.set('by', state.by);
  const withoutLabels = selectionParams({ ...state, labels: {} }, false);

  const summary = useQuery(params.toString(), scope, tick, (signal) => api.services(params, signal));
  const timeline = useQuery(timelineParams.toString(), `${scope}|${state.by}`, tick, (signal) => api.timeline(timelineParams, signal));
  const labels = useQuery(withoutLabels.toString(), scope, tick, (signal) => api.labels(withoutLabels, signal));
  const quality = useQuery(narrowed.toString(), scope, tick, (signal) => api.quality(narrowed, signal));
  const tree = useQuery(treeParams.toString(), scope, tick, (signal) => api.tree(treeParams, signal));
  const isEmpty = quality.data !== null && quality.data.samples_taken === 0 && summary.data?.services.length === 0;

  return (
    <div class="page service-page">
      <div class="page-head">
        <h1 class="ellipsis">{state.service ?? t('services.total')}</h1>
        {state.service === null && <span class="faint">{t('services.totalHint')}</span>}
        {summary.data && <Summary services={summary.data.services} cpu={summary.data.total_cpu} service={state.service} />}
        <span class="spring" />
        <Filters labels={labels.data?.labels ?? []} chosen={state.labels} onChange={(next) => change({ labels: next })} />
        <SplitBy labels={labels.data?.labels ?? []} by={state.by} onBy={(by) => change({ by }, { replace: true })} />
      </div>
      <div class={`card ${timeline.stale ? 'busy' : ''}`} aria-busy={timeline.stale}>
        {timeline.error ? (
          <EmptyState title={t('error.query')} text={timeline.error.message} />
        ) : timeline.data && timeline.data.series.length > 0 ? (
          <Timeline data={timeline.data} by={state.by} selected={state.selected} onSelect={(selected) => change({ selected })} />
        ) : (
          <div class="timeline-space">{timeline.data ? t('empty.range') : t('state.loading')}</div>
        )}
        {state.selected && <SelectedRange selected={state.selected} store={store} />}
        {quality.data && <QualityRow quality={quality.data} />}
      </div>
      {tree.error ? (
        <EmptyState title={t('error.query')} text={tree.error.message} />
      ) : isEmpty ? (
        <EmptyState title={status?.data.to_ms ? t('empty.selection') : t('empty.start')} text={status?.data.to_ms ? t('empty.selectionHint') : t('empty.startHint')}>
          <ClearSelection state={state} store={store} />
        </EmptyState>
      ) : tree.data ? (
        <div class={`card profile-card ${tree.stale ? 'busy' : ''}`} aria-busy={tree.stale}>
          <ProfileView
            analysis={analysis} bytes={tree.data} view={state.view} onView={changeView}
            actions={<><ExportMenu state={state} /><CopyLink state={state} /></>}
          />
        </div>
      ) : (
        <div class="empty loading">{t('state.loading')}</div>
      )}
    </div>
  );
}

function Summary({ services, cpu, service }: { services: Service[]; cpu: number; service: string | null }) {
  const own = services.find((s) => s.service === service);
  const now = services.reduce((sum, s) => sum + s.cpu_now, 0);
  return (
    <span class="summary">
      {own?.is_self && <span class="badge self" title={t('services.selfHint')}>{t('services.self')}</span>}
      <span><b>{formatCores(now)}</b> {t('service.coresNow')}</span>
      <span><b>{formatCores(cpu)}</b> {t('service.coresAverage')}</span>
      {own && own.processes > 0 && <span><b>{own.processes}</b> {t(own.processes === 1 ? 'service.process' : 'service.processes')}</span>}
    </span>
  );
}

function SelectedRange({ selected, store }: { selected: [number, number]; store: AppStore }) {
  const [from, to] = selected;
  return (
    <div class="selected-range" role="status">
      <span>{t('timeline.selected', { from: formatClock(from, false), to: formatClock(to, false), span: formatDuration((to - from) * 1e6) })}</span>
      <button type="button" class="ghost small" onClick={() => store.change({ range: { from: String(from), to: String(to) }, selected: null })}>
        <Icon name="search" /> {t('timeline.zoom')}
      </button>
      <button type="button" class="ghost small" onClick={() => store.change({ selected: null })}>
        <Icon name="close" /> {t('timeline.clear')}
      </button>
    </div>
  );
}

function ClearSelection({ state, store }: { state: AppState; store: AppStore }) {
  if (Object.keys(state.labels).length === 0 && !state.selected) return null;
  return <button type="button" class="button" onClick={() => store.change({ labels: {}, selected: null })}>{t('empty.clear')}</button>;
}

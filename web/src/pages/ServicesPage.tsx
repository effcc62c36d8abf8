/** All services, the busiest first, and the machine as a whole. */
import { useMemo } from 'preact/hooks';
import { api, selectionParams } from '../api/client';
import type { Service, Services, Status } from '../api/types';
import { useQuery } from '../api/use-query';
import { Icon } from '../components/Icon';
import { KindBar } from '../components/KindBar';
import { Link } from '../components/Link';
import { QualityBadges } from '../components/QualityBadges';
import { EmptyState } from '../components/EmptyState';
import type { AppStore } from '../components/use-app-state';
import { t, type MessageKey } from '../i18n';
import { formatCores, formatCount, formatShare } from '../model/format';
import { resolveRange, stepMs } from '../model/time-range';
import { DEFAULT_STATE, DEFAULT_VIEW, formatUrl, type AppState } from '../model/url-state';
import { Sparkline } from '../timeline/Sparkline';
import { Timeline } from '../timeline/Timeline';

type Column = 'service' | 'cpu_now' | 'cpu' | 'samples' | 'processes';
const COLUMNS: Column[] = ['service', 'cpu_now', 'cpu', 'samples', 'processes'];

export function ServicesPage({ store, tick, status }: { store: AppStore; tick: number; status: Status | null }) {
  const { state, change } = store;
  const params = selectionParams(state, false);
  const key = params.toString();
  const services = useQuery(key, 'services', tick, (signal) => api.services(params, signal));
  const { fromMs, toMs } = resolveRange(state.range, Date.now());
  const timelineParams = new URLSearchParams(params);
  timelineParams.set('step', String(stepMs(fromMs, toMs, 240)));
  const timeline = useQuery(timelineParams.toString(), 'services', tick, (signal) => api.timeline(timelineParams, signal));
  const rows = useMemo(() => (services.data ? chooseRows(services.data.services, state) : []), [services.data, state.filter, state.serviceSort]);
  const sort = (column: string) => {
    const descending = state.serviceSort.column === column ? !state.serviceSort.descending : column !== 'service';
    change({ serviceSort: { column, descending } }, { replace: true });
  };
  return (
    <div class="page">
      <div class="page-head">
        <h1>{t('services.title')}</h1>
        {services.data && <span class="faint">{t('services.summary', { count: services.data.services.length, cores: formatCores(services.data.total_cpu) })}</span>}
        <span class="spring" />
        <label class="check">
          <input type="checkbox" checked={state.excludeSelf} onChange={(event) => change({ excludeSelf: event.currentTarget.checked })} /> {t('services.excludeSelf')}
        </label>
        <div class="search">
          <Icon name="search" />
          <input type="search" value={state.filter} placeholder={t('services.filter')} aria-label={t('services.filter')} onInput={(event) => change({ filter: event.currentTarget.value }, { replace: true })} />
        </div>
      </div>
      {timeline.data && timeline.data.series.length > 0 && (
        <div class="card">
          <Timeline data={timeline.data} by={null} selected={null} onSelect={(range) => range && change({ range: { from: String(range[0]), to: String(range[1]) } })} />
        </div>
      )}
      {services.error ? (
        <EmptyState title={t('error.query')} text={services.error.message} />
      ) : !services.data ? (
        <div class="empty loading">{t('state.loading')}</div>
      ) : services.data.services.length === 0 ? (
        <EmptyState {...whyEmpty(status)} />
      ) : (
        <ServiceTable data={services.data} rows={rows} state={state} onSort={sort} onOpen={(service) => change(serviceState(state, service))} />
      )}
    </div>
  );
}

function whyEmpty(status: Status | null): { title: string; text: string } {
  if (status && status.data.to_ms) return { title: t('empty.range'), text: t('empty.rangeHint') };
  return { title: t('empty.start'), text: t('empty.startHint') };
}

function chooseRows(services: Service[], state: AppState): Service[] {
  const needle = state.filter.toLowerCase();
  const { column, descending } = state.serviceSort;
  const sign = descending ? -1 : 1;
  return services
    .filter((s) => s.service.toLowerCase().includes(needle))
    .sort((a, b) => sign * compare(a, b, COLUMNS.includes(column as Column) ? (column as Column) : 'cpu') || compare(a, b, 'service'));
}

function compare(a: Service, b: Service, column: Column): number {
  return column === 'service' ? a.service.localeCompare(b.service) : a[column] - b[column];
}

function serviceState(state: AppState, service: string | null): AppState {
  return { ...DEFAULT_STATE, page: 'service', service, range: state.range, excludeSelf: state.excludeSelf, view: DEFAULT_VIEW };
}

interface ServiceTableProps {
  data: Services;
  rows: Service[];
  state: AppState;
  onSort(column: string): void;
  onOpen(service: string | null): void;
}

function ServiceTable({ data, rows, state, onSort, onOpen }: ServiceTableProps) {
  const header = (column: Column, extra = '') => {
    const active = state.serviceSort.column === column;
    return (
      <th class={extra} aria-sort={active ? (state.serviceSort.descending ? 'descending' : 'ascending') : 'none'}>
        <button type="button" class="sort" onClick={() => onSort(column)}>
          {t(`services.${column}` as MessageKey)} <span class="arrow">{active ? (state.serviceSort.descending ? '↓' : '↑') : ''}</span>
        </button>
      </th>
    );
  };
  const total = data.total_cpu;
  return (
    <div class="card table-card">
      <table class="services">
        <thead>
          <tr>
            {header('service')}
            {header('cpu_now', 'number')}
            <th>{t('services.trend')}</th>
            {header('cpu', 'share')}
            <th class="kinds">{t('services.kinds')}</th>
            {header('samples', 'number')}
            {header('processes', 'number')}
            <th>{t('services.quality')}</th>
          </tr>
        </thead>
        <tbody>
          {state.filter === '' && <TotalRow data={data} state={state} onOpen={onOpen} />}
          {rows.map((row) => (
            <tr key={row.service} onClick={() => onOpen(row.service)}>
              <td class="name">
                <Link href={formatUrl(serviceState(state, row.service))} onFollow={() => onOpen(row.service)}>{row.service}</Link>
                {row.is_self && <span class="badge self" title={t('services.selfHint')}>{t('services.self')}</span>}
              </td>
              <td class="number strong">{formatCores(row.cpu_now)}</td>
              <td class="trend"><Sparkline values={row.spark.cpu} /></td>
              <td class="share">
                <ShareBar share={total > 0 ? row.cpu / total : 0} cores={row.cpu} />
              </td>
              <td class="kinds"><KindBar kinds={row.kinds} /></td>
              <td class="number">{formatCount(row.samples)}</td>
              <td class="number">{row.processes}</td>
              <td><QualityBadges truncated={row.truncated_share} guessed={row.guessed_share} unnamed={row.unnamed_share} samples={row.samples} /></td>
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <EmptyState title={t('services.noMatch')} text={t('services.noMatchHint', { filter: state.filter })} />}
    </div>
  );
}

function TotalRow({ data, state, onOpen }: { data: Services; state: AppState; onOpen(service: string | null): void }) {
  const sum = (pick: (s: Service) => number) => data.services.reduce((a, s) => a + pick(s), 0);
  const samples = sum((s) => s.samples);
  const weighted = (pick: (s: Service) => number) => (samples > 0 ? sum((s) => pick(s) * s.samples) / samples : 0);
  const kinds: Record<string, number> = {};
  for (const s of data.services) for (const [kind, n] of Object.entries(s.kinds)) kinds[kind] = (kinds[kind] ?? 0) + n;
  return (
    <tr class="total" onClick={() => onOpen(null)}>
      <td class="name">
        <Link href={formatUrl(serviceState(state, null))} onFollow={() => onOpen(null)}>{t('services.total')}</Link>
        <span class="faint">{t('services.totalHint')}</span>
      </td>
      <td class="number strong">{formatCores(sum((s) => s.cpu_now))}</td>
      <td class="trend"><Sparkline values={sumSparks(data.services)} /></td>
      <td class="share"><ShareBar share={1} cores={data.total_cpu} /></td>
      <td class="kinds"><KindBar kinds={kinds} /></td>
      <td class="number">{formatCount(samples)}</td>
      <td class="number">{sum((s) => s.processes)}</td>
      <td><QualityBadges truncated={weighted((s) => s.truncated_share)} guessed={weighted((s) => s.guessed_share)} unnamed={weighted((s) => s.unnamed_share)} samples={samples} /></td>
    </tr>
  );
}

function sumSparks(services: Service[]): (number | null)[] {
  const length = Math.max(0, ...services.map((s) => s.spark.cpu.length));
  return Array.from({ length }, (_, i) => {
    const known = services.map((s) => s.spark.cpu[i]).filter((v): v is number => typeof v === 'number');
    return known.length > 0 ? known.reduce((a, b) => a + b, 0) : null;
  });
}

function ShareBar({ share, cores }: { share: number; cores: number }) {
  return (
    <div class="share-bar">
      <span class="share-track"><span style={{ width: `${(share * 100).toFixed(2)}%` }} /></span>
      <span class="share-text">{formatShare(share)}</span>
      <span class="faint">{t('services.cores', { cores: formatCores(cores) })}</span>
    </div>
  );
}

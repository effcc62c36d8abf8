/**
 * The HTTP API with made-up data, and the built page: for working on the page without an agent, and for its tests.
 *
 *   node dev/mock-server.mjs [--port 4750] [--empty]
 *
 * `createMock()` also lets tests look at the requests, send windows and break the connection.
 */
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { encodeTree } from './irt1.mjs';
import { largeTree, machineTree, random, serviceTree } from './mock-trees.mjs';

const DIST = fileURLToPath(new URL('../dist', import.meta.url));
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const HZ = 99;
const CSP = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; worker-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'";

const SERVICES = [
  { service: 'checkout', cpu: 0.82, kinds: { native: 71, kernel: 29 }, processes: 4, containers: 2, truncated: 0, unnamed: 0.002 },
  { service: 'gateway', cpu: 0.47, kinds: { go: 58, runtime: 27, kernel: 15 }, processes: 2, containers: 2, truncated: 0.001, unnamed: 0 },
  { service: 'postgres', cpu: 0.31, kinds: { native: 83, kernel: 17 }, processes: 9, containers: 1, truncated: 0, unnamed: 0.017 },
  { service: 'report-worker', cpu: 0.12, kinds: { jit: 44, runtime: 30, native: 16, kernel: 10 }, processes: 1, containers: 1, truncated: 0.083, unnamed: 0.11 },
  { service: 'nginx.service', cpu: 0.064, kinds: { kernel: 68, native: 32 }, processes: 3, containers: 0, truncated: 0, unnamed: 0 },
  { service: 'infrared', cpu: 0.006, kinds: { native: 80, kernel: 20 }, processes: 1, containers: 0, truncated: 0, unnamed: 0, self: true },
  { service: 'cron.service', cpu: 0.0004, kinds: { kernel: 70, native: 30 }, processes: 1, containers: 0, truncated: 0, unnamed: 0 },
];

export function createMock({ empty = false } = {}) {
  const large = { bytes: null };
  const server = createServer((request, answer) => {
    const url = new URL(request.url, 'http://localhost');
    if (!url.pathname.startsWith('/api/')) return serveFile(url.pathname, answer);
    mock.requests.push(`${url.pathname}${url.search}`);
    if (mock.broken) return request.socket.destroy();
    setTimeout(() => handle(mock, large, url, request, answer), mock.delayMs);
  });
  const mock = {
    /** @type {string[]} */
    requests: [],
    /** Cut every connection instead of answering. */
    broken: false,
    delayMs: 0,
    empty,
    streams: new Set(),
    /** Values differ a little from one window to the next. */
    seed: 1,
    sendWindow() {
      mock.seed++;
      const now = Date.now();
      for (const stream of mock.streams) stream.write(`event: window\ndata: {"from_ms":${now - 10_000},"to_ms":${now}}\n\n`);
    },
    /** @returns {Promise<string>} */
    listen: (port = 0) => new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(`http://127.0.0.1:${server.address().port}`))),
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
  return mock;
}

function handle(mock, large, url, request, answer) {
  const { searchParams: params } = url;
  const name = url.pathname.slice('/api/v1/'.length);
  const json = (value, status = 200) => send(answer, status, 'application/json', Buffer.from(JSON.stringify(value)));
  switch (name) {
    case 'events':
      answer.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      answer.write(': hello\n\n');
      mock.streams.add(answer);
      request.on('close', () => mock.streams.delete(answer));
      return;
    case 'status':
      return json(status(mock));
    case 'services':
      return json(services(mock, params));
    case 'timeline':
      return json(timeline(mock, params));
    case 'labels':
      return json(mock.empty ? { labels: [] } : labels());
    case 'quality':
      return json(quality(mock, params));
    case 'tree':
      return send(answer, 200, 'application/vnd.infrared.tree', treeBytes(mock, large, params));
    case 'export':
      answer.setHeader('content-disposition', `attachment; filename="infrared.${params.get('format')}"`);
      return send(answer, 200, 'application/octet-stream', Buffer.from(`export ${params}`));
    default:
      return json({ error: { code: 'not_found', message: `there is no ${url.pathname}` } }, 404);
  }
}

function send(answer, status, type, body) {
  answer.writeHead(status, { 'content-type': type, 'content-encoding': 'gzip', 'cache-control': 'no-store' });
  answer.end(gzipSync(body, { level: 1 }));
}

function serveFile(path, answer) {
  const wanted = normalize(join(DIST, path));
  const file = wanted.startsWith(DIST) && existsSync(wanted) && statSync(wanted).isFile() ? wanted : join(DIST, 'index.html');
  answer.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream', 'content-security-policy': CSP });
  createReadStream(file).pipe(answer);
}

function time(text, fallback) {
  const now = Date.now();
  const relative = /^-(\d+)([smhd])$/.exec(text ?? fallback);
  if (relative) return now - Number(relative[1]) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[relative[2]];
  return (text ?? fallback) === 'now' ? now : Number(text ?? fallback);
}

function range(params) {
  return [time(params.get('from'), '-15m'), time(params.get('to'), 'now')];
}

/** CPU of a service at a moment: a slow wave, noise, and a burst now and then. */
function cpuAt(service, ms) {
  const phase = service.service.length;
  const wave = 1 + 0.35 * Math.sin(ms / 140_000 + phase) + 0.12 * Math.sin(ms / 17_000 + phase * 3);
  const noise = random(Math.floor(ms / 1000) * 31 + phase)();
  const burst = Math.sin(ms / 410_000 + phase * 2) > 0.86 ? 1.5 : 1;
  return service.cpu * wave * burst * (0.85 + 0.3 * noise);
}

function chosen(mock, params) {
  if (mock.empty) return [];
  const names = params.getAll('service');
  const known = SERVICES.filter((s) => params.get('exclude_self') !== 'true' || !s.self);
  if (names.includes('large')) return [{ ...SERVICES[0], service: 'large' }];
  return names.length === 0 ? known : known.filter((s) => names.includes(s.service));
}

function status(mock) {
  const now = Date.now();
  return {
    version: '0.1.0', started_ms: now - 7.2e6, now_ms: now, hosts: 1,
    data: mock.empty ? { from_ms: null, to_ms: null, bytes: 0, retention_s: 604_800 } : { from_ms: now - 7.2e6, to_ms: now, bytes: 48_211_004, retention_s: 604_800 },
    agent: { hz: HZ, event: 'cpu-clock', warnings: ['no PMU on this machine: samples are taken by cpu-clock instead of cycles'] },
  };
}

function spark(list, from, to, points) {
  const stepMs = Math.max(1000, (to - from) / points);
  const count = Math.max(1, Math.floor((to - from) / stepMs));
  const gap = from + (to - from) * 0.32;
  const cpu = Array.from({ length: count }, (_, i) => {
    const at = from + i * stepMs;
    return at > gap && at < gap + (to - from) * 0.02 ? null : Number(list.reduce((sum, s) => sum + cpuAt(s, at), 0).toFixed(4));
  });
  return { start_ms: Math.round(from), step_ms: Math.round(stepMs), cpu };
}

function services(mock, params) {
  const [from, to] = range(params);
  const rows = chosen(mock, params).map((s) => ({
    service: s.service, cpu: s.cpu, cpu_now: cpuAt(s, to), samples: Math.round((s.cpu * HZ * (to - from)) / 1000),
    truncated_share: s.truncated, guessed_share: s.guessed ?? 0, unnamed_share: s.unnamed, processes: s.processes, hosts: 1, containers: s.containers, is_self: Boolean(s.self),
    kinds: s.kinds, spark: spark([s], from, to, 60),
  }));
  return { services: rows, total_cpu: rows.reduce((sum, r) => sum + r.cpu, 0), from_ms: from, to_ms: to };
}

function timeline(mock, params) {
  const [from, to] = range(params);
  const list = chosen(mock, params);
  if (list.length === 0) return { start_ms: from, step_ms: 1000, series: [] };
  const step = Number(params.get('step') ?? 5000);
  const points = Math.max(1, Math.floor((to - from) / step));
  const base = spark(list, from, to, points);
  const by = params.get('by');
  if (!by) return { start_ms: base.start_ms, step_ms: base.step_ms, series: [{ labels: {}, cpu: base.cpu }] };
  const values = labels().labels.find((l) => l.name === by)?.values ?? [];
  const sum = values.reduce((a, v) => a + v.cpu, 0);
  return {
    start_ms: base.start_ms, step_ms: base.step_ms,
    series: values.map((v, k) => ({ labels: { [by]: v.value }, cpu: base.cpu.map((c, i) => (c === null ? null : c * (v.cpu / sum) * (1 + 0.2 * Math.sin(i / 7 + k)))) })),
  };
}

function labels() {
  return {
    labels: [
      { name: 'process.pid', values: [{ value: '1842', cpu: 0.41 }, { value: '1843', cpu: 0.22 }, { value: '1844', cpu: 0.13 }, { value: '1901', cpu: 0.06 }] },
      { name: 'thread.name', values: [{ value: 'tokio-runtime-w', cpu: 0.71 }, { value: 'checkout', cpu: 0.08 }, { value: 'pricing-cache', cpu: 0.03 }] },
      { name: 'container.id', values: [{ value: '8b21f0c4d9aa', cpu: 0.52 }, { value: 'c03e77d1be42', cpu: 0.3 }] },
      { name: 'host.name', values: [{ value: 'node-1', cpu: 0.82 }] },
    ],
  };
}

function quality(mock, params) {
  const [from, to] = range(params);
  const list = chosen(mock, params);
  const samples = Math.round(list.reduce((sum, s) => sum + s.cpu, 0) * HZ * ((to - from) / 1000));
  const truncated = Math.round(list.reduce((sum, s) => sum + s.truncated * s.cpu * HZ, 0) * ((to - from) / 1000));
  return {
    samples_taken: samples, samples_lost: { ring_buffer_full: samples > 0 ? 3 : 0 }, truncated: truncated > 0 ? { no_unwind_table: Math.ceil(truncated * 0.7), stack_page_not_resident: Math.floor(truncated * 0.3) } : {},
    unnamed_frames: Math.round(samples * 0.04), low_confidence_frames: Math.round(samples * 0.01), frames: samples * 22, rooted_share: samples > 0 ? 0.995 - truncated / samples : 1, guessed: Math.round(samples * 0.005), user_stacks: samples,
  };
}

function treeBytes(mock, large, params) {
  const names = params.getAll('service');
  if (mock.empty) return encodeTree({ name: '', kind: 'group' });
  if (names.includes('large')) return (large.bytes ??= encodeTree(largeTree()));
  if (names.length === 1) return encodeTree(serviceTree(names[0], mock.seed));
  return encodeTree(machineTree(chosen(mock, params).map((s) => s.service), mock.seed));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const argument = (name, fallback) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback);
  const mock = createMock({ empty: process.argv.includes('--empty') });
  console.log(`mock server on ${await mock.listen(Number(argument('--port', 4750)))}`);
  setInterval(mock.sendWindow, 5000);
}

/** Made-up but plausible call trees for the mock server, tests and the benchmark. Deterministic. */

/** A small, fast generator of numbers in [0, 1). */
export function random(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const LIBC = '/usr/lib/x86_64-linux-gnu/libc.so.6';
const f = (name, children = [], self = 0, extra = {}) => ({ name, children, self, ...extra });
const k = (name, children = [], self = 0) => f(name, children, self, { kind: 'kernel', module: '[kernel]' });
const inlined = (name, module, children = [], self = 0) => f(name, children, self, { flags: 1, module });

const syscall = (name, children, self = 2) =>
  k('entry_SYSCALL_64_after_hwframe', [k('do_syscall_64', [k(name, children, self)], 3)], 1);

function checkout() {
  const m = '/opt/shop/bin/checkout';
  const serde = inlined('serde_json::de::Deserializer<R>::parse_value', m, [
    inlined('core::str::from_utf8', m, [f('core::str::validations::run_utf8_validation', [], 96, { module: m })], 14),
    f('<alloc::vec::Vec<T> as serde::Deserialize>::deserialize', [f('alloc::raw_vec::RawVec<T,A>::grow_one', [f('realloc', [f('_int_realloc', [], 33, { module: LIBC })], 8, { module: LIBC })], 4, { module: m })], 41, { module: m }),
  ], 58);
  const pricing = f('checkout::pricing::apply_discounts', [
    f('checkout::pricing::rules::RuleSet::evaluate', [
      inlined('checkout::pricing::rules::match_sku', m, [f('regex_automata::meta::strategy::Core::search', [f('regex_automata::dfa::onepass::DFA::try_search_slots', [], 141, { module: m, place: 'src/dfa/onepass.rs:2158' })], 12, { module: m })], 22),
      f('rust_decimal::ops::div::div_impl', [], 74, { module: m }),
    ], 31, { module: m }),
    f('<hashbrown::map::HashMap<K,V,S,A>>::insert', [], 38, { module: m }),
  ], 17, { module: m });
  const poll = f('checkout::http::handle_checkout::{{closure}}', [
    serde, pricing,
    f('checkout::store::Orders::insert::{{closure}}', [
      f('tokio_postgres::query::encode', [f('bytes::bytes_mut::BytesMut::reserve_inner', [], 15, { module: m })], 12, { module: m }),
      f('__libc_send', [syscall('__x64_sys_sendto', [k('tcp_sendmsg', [k('tcp_sendmsg_locked', [k('tcp_push', [k('__tcp_push_pending_frames', [k('tcp_write_xmit', [k('ip_queue_xmit', [], 24)], 21)], 3)], 2), k('copy_from_iter', [], 18)], 9)], 6)])], 4, { module: LIBC }),
    ], 9, { module: m }),
  ], 11, { module: m });
  const worker = f('tokio::runtime::scheduler::multi_thread::worker::run', [
    f('tokio::runtime::scheduler::multi_thread::worker::Context::run_task', [
      inlined('tokio::runtime::coop::budget', m, [f('tokio::runtime::task::harness::Harness<T,S>::poll', [poll], 7, { module: m })], 2),
    ], 9, { module: m }),
    f('tokio::runtime::io::driver::Driver::turn', [f('epoll_wait', [syscall('__x64_sys_epoll_wait', [k('do_epoll_wait', [k('schedule_hrtimeout_range', [k('schedule', [k('__schedule', [k('finish_task_switch', [], 29)], 12)], 3)], 2), k('ep_send_events', [], 17)], 8)])], 3, { module: LIBC })], 6, { module: m }),
  ], 8, { module: m });
  return f('start_thread', [f('std::sys::pal::unix::thread::Thread::new::thread_start', [f('std::panicking::try', [worker], 0, { module: m })], 0, { module: m })], 0, { module: LIBC });
}

function goGateway() {
  const m = '/usr/local/bin/gateway';
  const g = (name, children = [], self = 0) => f(name, children, self, { kind: 'go', module: m });
  const r = g;
  return [
    g('runtime.goexit', [g('net/http.(*conn).serve', [
      g('net/http.serverHandler.ServeHTTP', [g('gateway/proxy.(*Proxy).ServeHTTP', [
        g('gateway/auth.Verify', [g('crypto/ecdsa.Verify', [g('crypto/internal/nistec.(*P256Point).ScalarMult', [g('crypto/internal/nistec.p256PointAddAsm', [], 88)], 27)], 5)], 6),
        g('encoding/json.(*Decoder).Decode', [g('encoding/json.(*decodeState).object', [g('encoding/json.(*decodeState).literalStore', [r('runtime.mallocgc', [r('runtime.nextFreeFast', [], 12)], 31)], 26)], 34)], 8),
        g('net/http.(*Transport).RoundTrip', [g('syscall.Syscall6', [syscall('__x64_sys_write', [k('vfs_write', [k('sock_write_iter', [k('tcp_sendmsg', [], 42)], 6)], 4)])], 3)], 12),
      ], 14)], 3),
    ], 8)]),
    r('runtime.mstart', [r('runtime.gcBgMarkWorker', [r('runtime.gcDrain', [r('runtime.scanobject', [r('runtime.greyobject', [], 29)], 71), r('runtime.markroot', [], 11)], 9)], 2), r('runtime.schedule', [r('runtime.findRunnable', [r('runtime.stealWork', [], 14), r('runtime.futexsleep', [syscall('__x64_sys_futex', [k('futex_wait', [], 12)])], 2)], 9)], 4)]),
  ];
}

function database() {
  const m = '/usr/lib/postgresql/15/bin/postgres';
  const p = (name, children = [], self = 0) => f(name, children, self, { module: m });
  return p('_start', [f('__libc_start_main', [p('main', [p('PostmasterMain', [p('ServerLoop', [p('PostgresMain', [
    p('exec_simple_query', [
      p('pg_parse_query', [p('raw_parser', [p('base_yyparse', [p('core_yylex', [], 31)], 44)], 3)], 2),
      p('pg_plan_queries', [p('standard_planner', [p('query_planner', [p('make_one_rel', [], 27)], 8)], 6)], 2),
      p('PortalRun', [p('standard_ExecutorRun', [p('ExecProcNode', [p('ExecIndexScan', [p('index_getnext_tid', [p('btgettuple', [p('_bt_search', [p('_bt_compare', [], 72)], 21), p('_bt_next', [], 18)], 6)], 3), p('heap_hot_search_buffer', [], 37)], 15), p('ExecModifyTable', [p('heap_update', [p('XLogInsert', [p('XLogInsertRecord', [], 26)], 9)], 18)], 7)], 12)], 4)], 3),
    ], 9),
    f('postgres+0x2f81c4', [f('postgres+0x2f7aa0', [], 9, { module: m, flags: 2 })], 5, { module: m, flags: 2 }),
  ], 4)])])])], 0, { module: LIBC })]);
}

const TRUNCATED = () => f('[truncated: no unwind table]', [f('libjvm.so+0x8d12f0', [f('Interpreter', [f('com.acme.report.Render.page', [], 22, { kind: 'jit', module: '[anon]', flags: 4 })], 6, { kind: 'runtime', module: '/usr/lib/jvm/libjvm.so', flags: 4 })], 4, { module: '/usr/lib/jvm/libjvm.so', flags: 2 })], 0, { kind: 'truncated' });

const TREES = { checkout: () => [checkout()], gateway: goGateway, postgres: () => [database()], 'report-worker': () => [TRUNCATED(), database()] };

/** The tree of one service; values differ a little by `seed`. */
export function serviceTree(service, seed = 1) {
  const make = TREES[service] ?? (() => [f('_start', [f('main', [f('work', [], 40, { module: `/usr/bin/${service}` })], 3, { module: `/usr/bin/${service}` })])]);
  return sorted(jitter({ name: '', kind: 'group', children: make() }, random(seed)));
}

export function machineTree(services, seed = 1) {
  const children = services.map((s) => ({ ...serviceTree(s, seed), name: s }));
  return sorted({ name: '', kind: 'group', children });
}

function jitter(node, next) {
  return { ...node, self: Math.round((node.self ?? 0) * (4 + next())), children: node.children.map((c) => jitter(c, next)) };
}

/** Children by total, largest first. */
export function sorted(node) {
  const weigh = (n) => (n.total = (n.self ?? 0) + (n.children ?? []).reduce((sum, c) => sum + weigh(c), 0));
  const order = (n) => {
    n.children?.sort((a, b) => b.total - a.total || (a.name < b.name ? -1 : 1));
    n.children?.forEach(order);
  };
  weigh(node);
  order(node);
  return node;
}

/** A tree of about `size` nodes, up to `depth` deep, with 6,000 names: what a busy machine gives over a day. */
export function largeTree(size = 200_000, depth = 90, seed = 7) {
  const next = random(seed);
  const kinds = ['native', 'native', 'native', 'kernel', 'go', 'jit', 'runtime'];
  const frame = () => {
    const n = Math.floor(next() ** 2 * 6000);
    const kind = kinds[n % kinds.length];
    const flags = n % 9 === 0 ? 1 : n % 31 === 0 ? 2 : 0;
    return { name: `module${n % 40}::component_${n % 300}::Function${n}::call`, kind, flags, module: kind === 'kernel' ? '[kernel]' : `/usr/lib/app/lib${n % 40}.so`, self: 0, children: [] };
  };
  const root = { name: '', kind: 'group', self: 0, children: [] };
  let count = 1;
  while (count < size) {
    let node = root;
    const goal = 8 + Math.floor(next() * (depth - 8));
    for (let d = 0; d < goal && count < size; d++) {
      const width = d < 3 ? 4 : 1 + Math.floor(next() * 3);
      if (node.children.length > 0 && (node.children.length >= width + d / 4 || next() < 0.86)) {
        node = node.children[Math.floor(next() ** 3 * node.children.length)];
      } else {
        const child = frame();
        node.children.push(child);
        node = child;
        count++;
      }
    }
    node.self += Math.min(200_000, Math.floor((1 - next()) ** -1.4));
  }
  return sorted(root);
}

import { describe, expect, it } from 'vitest';
import { encodeTree } from '../dev/irt1.mjs';
import { Kind, type CallTree, type KindName } from '../src/model/call-tree';
import { decodeTree } from '../src/model/decode';
import { functionTable } from '../src/model/functions';
import { originOf } from '../src/model/origin';
import { OTHER_CODE, ownCode } from '../src/model/own-code';
import { formatUrl, parseUrl } from '../src/model/url-state';

const CASES: [KindName, name: string, module: string, file: string, origin: string][] = [
  ['kernel', 'tcp_sendmsg', '[kernel]', '', 'system'],
  ['runtime', '_PyEval_EvalFrameDefault', '/usr/bin/python3.11', '', 'standard'],
  ['python', 'Cart.total', '', '/srv/shop/cart.py', 'own'],
  ['python', 'get', '', '/srv/venv/lib/python3.11/site-packages/requests/api.py', 'dependency'],
  ['python', 'dumps', '', '/usr/lib/python3.11/json/__init__.py', 'standard'],
  ['python', '_call', '', '<frozen importlib._bootstrap>', 'standard'],
  ['javascript', 'total', '', 'file:///srv/shop/cart.js', 'own'],
  ['javascript', 'handle', '', '/srv/shop/node_modules/express/lib/router/index.js', 'dependency'],
  ['javascript', 'onread', '', 'node:internal/stream_base_commons', 'standard'],
  ['javascript', 'Array.prototype.map', '', '', 'standard'],
  ['java', 'com.shop.Cart.add', '', 'Cart.java', 'own'],
  ['java', 'Main.run', '', 'Main.java', 'own'],
  ['java', 'java.util.ArrayList.add', '', 'ArrayList.java', 'standard'],
  ['java', 'org.springframework.web.servlet.DispatcherServlet.doDispatch', '', '', 'dependency'],
  ['go', 'main.main', '/srv/shop', '/home/me/shop/main.go', 'own'],
  ['go', 'shop/cart.(*Cart).Add', '/srv/shop', '/home/me/shop/cart/cart.go', 'own'],
  ['go', 'github.com/shop/cart.Sum[...]', '/srv/shop', '/home/me/cart/sum.go', 'own'],
  ['go', 'github.com/lib/pq.(*conn).query', '/srv/shop', '/root/go/pkg/mod/github.com/lib/pq@v1.10.9/conn.go', 'dependency'],
  ['go', 'github.com/lib/pq.(*conn).query', '/srv/shop', '/home/me/shop/vendor/github.com/lib/pq/conn.go', 'dependency'],
  ['go', 'net/http.(*conn).serve', '/srv/shop', '/usr/local/go/src/net/http/server.go', 'standard'],
  ['go', 'runtime.mallocgc', '/srv/shop', '', 'standard'],
  ['go', 'aeshashbody', '/srv/shop', '', 'standard'],
  ['native', 'shop::total', '/srv/shop/bin/shop', '', 'own'],
  ['native', 'shop::total', '/srv/shop/bin/shop', '/home/me/shop/src/cart.rs', 'own'],
  ['native', 'serde::de::from_str', '/srv/shop/bin/shop', '/root/.cargo/registry/src/index-1/serde-1.0.0/src/de.rs', 'dependency'],
  ['native', 'alloc::vec::Vec<T,A>::push', '/srv/shop/bin/shop', '/rustc/abc/library/alloc/src/vec/mod.rs', 'standard'],
  ['native', '<alloc::vec::Vec<T> as core::clone::Clone>::clone', '/srv/shop/bin/shop', '', 'standard'],
  ['native', 'std::vector<int>::push_back(int&&)', '/srv/shop/bin/shop', '/usr/include/c++/12/bits/stl_vector.h', 'standard'],
  ['native', '_start', '/srv/shop/bin/shop', '', 'standard'],
  ['native', 'malloc', '/usr/lib/x86_64-linux-gnu/libc.so.6', 'malloc.c', 'system'],
  ['native', 'ngx_http_handler', '/usr/sbin/nginx', '', 'system'],
  ['native', 'JavaMain', '/opt/jdk/lib/server/libjvm.so', '', 'standard'],
  ['native', 'uv_run', '/opt/node/bin/node', '', 'standard'],
  ['native', 'dgemm', '/srv/venv/lib/python3.11/site-packages/numpy.libs/libopenblas.so', '', 'dependency'],
  ['native', 'encoder_call', '/opt/python/lib/python3.11/lib-dynload/_json.cpython-311-x86_64-linux-gnu.so', '_json.c', 'standard'],
  ['native', 'memcmp@plt', '/srv/shop/bin/shop', '', 'standard'],
  ['python', '[python: not read]', '', '', 'standard'],
  ['jit', '[anon]+0x10', '', '', 'own'],
];

type Input = Parameters<typeof encodeTree>[0];
const node = (name: string, self: number, kind: string | number, extra: Partial<Input> = {}, children: Input[] = []): Input => ({ name, self, kind: kind as string, children, ...extra });
const libc = { module: '/usr/lib/libc.so.6' };
const shop = { module: '/srv/shop' };
const tree = decodeTree(encodeTree(node('', 0, 'group', {}, [
  node('shop', 0, 'group', {}, [
    node('_start', 1, 'native', shop, [
      node('main', 2, 'native', shop, [
        node('qsort', 4, 'native', libc, [node('compare', 8, 'native', shop, [node('memcmp', 16, 'native', libc)])]),
        node('page_fault', 32, 'kernel'),
      ]),
    ]),
    node('[truncated: no table]', 0, 'truncated', {}, [node('total', 64, 'native', shop), node('memcpy', 128, 'native', libc)]),
    node('kthread', 256, 'kernel'),
  ]),
])));

function lines(of: CallTree): string[] {
  return Array.from(of.nodes.frame, (frame, i) => `${'>'.repeat(of.nodes.depth[i])}${of.frames.name[frame]} ${of.nodes.self[i]}`);
}

describe('whose code it is', () => {
  it.each(CASES)('%s %s %s %s', (kind, name, module, file, origin) => expect(originOf(Kind[kind], name, module, file)).toBe(origin));
});

describe('my code', () => {
  it('has what others burned in the function of mine that called them, and the rest beside it', () => {
    const own = ownCode(tree);
    expect(own.nodes.total[0]).toBe(tree.nodes.total[0]);
    expect(lines(own)).toEqual([
      ' 0', '>shop 0', `>>${OTHER_CODE} 257`, '>>[truncated: no table] 0', `>>>${OTHER_CODE} 128`, '>>>total 64', '>>main 38', '>>>compare 24',
    ]);
  });

  it('is a tree of functions like any other', () => {
    const own = ownCode(tree);
    const table = functionTable(own);
    const row = (name: string) => [...table.fn].findIndex((fn) => own.frames.name[own.frames.fnFrame[fn]] === name);
    expect([table.self[row(OTHER_CODE)], table.total[row('main')], row('qsort')]).toEqual([385, 62, -1]);
  });

  it('stands in the link', () => {
    const state = parseUrl('/service?code=own');
    expect(state.view.code).toBe('own');
    expect(formatUrl(state)).toContain('code=own');
    expect(formatUrl(parseUrl('/service?code=x'))).not.toContain('code');
  });
});

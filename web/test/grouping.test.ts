import { describe, expect, it } from 'vitest';
import { encodeTree } from '../dev/irt1.mjs';
import { Kind, type CallTree, type KindName } from '../src/model/call-tree';
import { decodeTree } from '../src/model/decode';
import { functionTable } from '../src/model/functions';
import { groupTree, GROUPINGS, packageOf } from '../src/model/grouping';
import { formatUrl, parseUrl } from '../src/model/url-state';

const PACKAGES: [KindName, name: string, file: string, of: string][] = [
  ['java', 'com.shop.cart.Cart.add', 'Cart.java', 'com.shop.cart'],
  ['java', 'Main.main', 'Main.java', ''],
  ['go', 'net/http.(*conn).serve', '', 'net/http'],
  ['go', 'github.com/shop/cart/v2.Sum[go.shape.int]', '', 'github.com/shop/cart/v2'],
  ['go', 'main.main.func1', '', 'main'],
  ['go', 'aeshashbody', '', ''],
  ['python', 'get', '/srv/lib/python3.11/site-packages/requests/api.py', 'requests'],
  ['python', 'six', '/srv/lib/python3.11/site-packages/six.py', 'six'],
  ['python', 'total', '/srv/shop/cart.py', '/srv/shop'],
  ['python', 'total', 'cart.py', 'cart.py'],
  ['javascript', 'x', '/srv/node_modules/a/node_modules/@b/c/index.js', '@b/c'],
  ['native', 'serde_json::de::from_str', '', 'serde_json'],
  ['native', '<alloc::vec::Vec<T> as core::clone::Clone>::clone', '', 'alloc'],
  ['native', '<&mut shop::Cart as core::fmt::Debug>::fmt', '', 'shop'],
  ['native', 'std::vector<int>::push_back(int&&)', '', 'std'],
  ['native', 'void std::sort<int*>(int*)', '', ''],
  ['native', 'main', '', ''],
  ['kernel', 'tcp_sendmsg', '', ''],
];

type Input = Parameters<typeof encodeTree>[0];
const at = (name: string, self: number, place: string, children: Input[] = [], extra: Partial<Input> = {}): Input => ({ name, self, place, children, module: '/srv/bin/shop', ...extra });
const tree = decodeTree(encodeTree({ name: '', kind: 'group', children: [
  at('main', 1, 'main.c:9', [
    at('total', 2, 'cart.c:5', [at('tax', 4, 'cart.c:20', [at('round', 8, '', [], { module: '/lib/libm.so.6' })])]),
    at('help', 16, 'main.c:30', [at('tax', 32, 'cart.c:21')]),
  ]),
  { name: '[truncated: no table]', kind: 'truncated', children: [at('tax', 64, 'cart.c:22')] },
] }));
const lines = (of: CallTree) => Array.from(of.nodes.frame, (frame, i) => `${'>'.repeat(of.nodes.depth[i])}${of.frames.label[frame]} ${of.nodes.self[i]}`);

describe('packages', () => {
  it.each(PACKAGES)('%s %s %s', (kind, name, file, of) => expect(packageOf(Kind[kind], name, file)).toBe(of));
});

describe('a tree of groups', () => {
  it('has files in place of functions, neighbours of the same one together, and keeps what says that stacks are cut', () => {
    expect(lines(groupTree(tree, 'file'))).toEqual([
      ' 0', '>[truncated: no table] 0', '>>cart.c 64', '>main.c 17', '>>cart.c 38', '>>>libm.so.6 8',
    ]);
    expect(lines(groupTree(tree, 'module'))).toEqual([' 0', '>[truncated: no table] 0', '>>shop 64', '>shop 55', '>>libm.so.6 8']);
  });

  it('keeps the total, and its table is one of groups', () => {
    for (const by of GROUPINGS) expect(groupTree(tree, by).nodes.total[0]).toBe(127);
    const files = groupTree(tree, 'file');
    const table = functionTable(files);
    const shown = [...table.fn].map((fn, row) => [files.frames.label[files.frames.fnFrame[fn]], table.self[row], table.total[row]]);
    expect(shown).toEqual([['cart.c', 102, 110], ['main.c', 17, 63], ['libm.so.6', 8, 8], ['[truncated: no table]', 0, 64]]);
    expect(groupTree(tree, 'function')).toBe(tree);
  });

  it('stands in the link', () => {
    expect(formatUrl(parseUrl('/service?group=package'))).toContain('group=package');
    expect(parseUrl('/service?group=x').view.group).toBe('function');
  });
});

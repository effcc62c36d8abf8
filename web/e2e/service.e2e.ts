import { describe, expect, test } from 'vitest';
import { eventually, harness } from './harness';

const h = harness();
const detail = () => h.page.locator('.detail-name').first().textContent();
const parameter = (name: string) => new URL(h.page.url()).searchParams.get(name);

/** Moves the pointer to a bar of the given row and returns the name it shows. */
async function hover(row: number, share = 0.2) {
  const box = await h.page.locator('.flame canvas').last().boundingBox();
  if (!box) throw new Error('no flame graph');
  await h.page.mouse.move(box.x + box.width * share, box.y + row * 20 + 10);
  await h.page.waitForSelector('.tooltip');
  return h.page.locator('.tooltip-name').textContent();
}

async function drag(from: number, to: number) {
  const box = await h.page.locator('.u-over').boundingBox();
  if (!box) throw new Error('no timeline');
  await h.page.mouse.move(box.x + box.width * from, box.y + 40);
  await h.page.mouse.down();
  await h.page.mouse.move(box.x + box.width * ((from + to) / 2), box.y + 40);
  await h.page.mouse.move(box.x + box.width * to, box.y + 40);
  await h.page.mouse.up();
}

describe('the timeline', () => {
  test('a drag narrows the profile to that time and pauses the page; clearing follows again', async () => {
    await h.open('/service?name=checkout');
    await eventually(() => h.mock.streams.size).toBe(1);
    await drag(0.5, 0.75);
    await eventually(() => parameter('sel')).not.toBeNull();
    const [from, to] = (parameter('sel') ?? '').split('~').map(Number);
    expect((to - from) / 900_000).toBeCloseTo(0.25, 1);
    await eventually(() => h.asked('/tree', `from=${from}`, `to=${to}`)).toBe(1);
    await eventually(() => h.asked('/quality', `from=${from}`)).toBe(1);
    await eventually(() => h.page.locator('.live').textContent()).toContain('Paused');
    await eventually(() => h.mock.streams.size).toBe(0);
    await h.page.getByRole('button', { name: 'Clear', exact: true }).click();
    await eventually(() => parameter('sel')).toBeNull();
    await eventually(() => h.mock.streams.size).toBe(1);
  });

  test('splits by a label', async () => {
    await h.open('/service?name=checkout');
    await h.page.getByLabel('Split by').selectOption('thread.name');
    await eventually(() => h.page.locator('.timeline-key').count()).toBe(3);
    await eventually(() => parameter('by')).toBe('thread.name');
  });

  test('a relative range is one click', async () => {
    await h.open('/service?name=checkout');
    await h.page.getByRole('button', { name: 'Last 15m' }).click();
    await h.page.getByRole('button', { name: 'Last 1h' }).click();
    await eventually(() => h.asked('/tree', 'from=-1h')).toBe(1);
    await eventually(() => parameter('from')).toBe('-1h');
  });
});

describe('the flame graph', () => {
  test('a click zooms, the link holds the zoom, the back button undoes it', async () => {
    await h.open('/service?name=checkout');
    const name = await hover(8);
    await h.page.mouse.down();
    await h.page.mouse.up();
    await eventually(() => parameter('zoom')).toMatch(/^[0-9a-f]{8}$/);
    await eventually(() => h.page.locator('.crumb').last().textContent()).toBe(name);
    await h.page.reload();
    await h.page.waitForSelector('.crumb');
    await eventually(() => h.page.locator('.crumb').last().textContent()).toBe(name);
    await h.page.goBack();
    await eventually(() => parameter('zoom')).toBeNull();
    await eventually(() => h.page.locator('.crumb').count()).toBe(0);
  });

  test('the tooltip gives share, interval, CPU time and samples', async () => {
    await h.open('/service?name=checkout');
    await hover(1);
    const text = () => h.page.locator('.tooltip').innerText();
    await eventually(text).toMatch(/start_thread/);
    await eventually(text).toMatch(/libc\.so\.6/);
    await eventually(text).toMatch(/Total\s+100\.0 %\s+[\d.]+–100\.00? %\s+[\d.]+ s\s+\d+/);
  });

  test('is used by keyboard alone, and says where it is', async () => {
    await h.open('/service?name=checkout');
    await h.page.locator('.flame-scroll').focus();
    await h.page.keyboard.press('ArrowDown');
    await h.page.keyboard.press('ArrowDown');
    await eventually(detail).toBe('std::sys::pal::unix::thread::Thread::new::thread_start');
    await eventually(() => h.page.locator('[role=treeitem]').getAttribute('aria-level')).toBe('3');
    await eventually(() => h.page.locator('.detail [aria-live=polite]').textContent()).toContain('total');
    await h.page.keyboard.press('Enter');
    await eventually(() => parameter('zoom')).not.toBeNull();
    await h.page.keyboard.press('Escape');
    await eventually(() => parameter('zoom')).toBeNull();
    await h.page.keyboard.press('End');
    await h.page.keyboard.press('f');
    await eventually(() => parameter('view')).toBe('callers');
    await h.page.keyboard.press('?');
    await eventually(() => h.page.locator('dialog.help').isVisible()).toBe(true);
    await h.page.keyboard.press('Escape');
    await h.page.keyboard.press('/');
    await eventually(() => h.page.evaluate(() => document.activeElement?.getAttribute('type'))).toBe('search');
  });

  test('the wheel zooms with Ctrl and the link follows', async () => {
    await h.open('/service?name=checkout');
    await hover(3, 0.5);
    await h.page.keyboard.down('Control');
    await h.page.mouse.wheel(0, -240);
    await h.page.keyboard.up('Control');
    await eventually(() => parameter('x')).toMatch(/^0\.\d+~0\.\d+$/);
    await h.page.getByRole('button', { name: 'Show all' }).click();
    await eventually(() => parameter('x')).toBeNull();
  });

  test('folding a kind keeps the total and removes its frames', async () => {
    await h.open('/service?name=checkout&q=tcp_');
    await eventually(() => h.page.locator('.search-status').textContent()).toContain('functions: 5,');
    const total = await h.page.locator('.detail-numbers').textContent();
    await h.page.locator('.legend-item', { hasText: 'Kernel' }).click();
    await eventually(() => h.page.locator('.search-status').textContent()).toContain('functions: 0,');
    await eventually(() => parameter('fold')).toBe('runtime,kernel');
    await eventually(async () => (await h.page.locator('.detail-numbers').textContent())?.slice(0, 20)).toBe(total?.slice(0, 20));
  });
});

describe('names', () => {
  test('are short in graph and table where that is chosen; the tooltip has both, the search the full ones, exports follow', async () => {
    await h.open('/service?name=checkout&view=split&q=hashbrown%3A%3Amap');
    const rows = () => h.page.locator('.functions-row .col-name .ellipsis').allTextContents();
    await eventually(rows).toContain('<hashbrown::map::HashMap<K,V,S,A>>::insert');
    await h.page.getByLabel('Names').selectOption('short');
    await eventually(rows).toContain('HashMap<…>::insert');
    await eventually(() => parameter('names')).toBe('short');
    expect(await h.page.locator('.functions-row .col-name').first().getAttribute('title')).toContain('hashbrown::map::HashMap');
    const full = h.page.locator('.tooltip-full');
    let shown = await hover(1);
    for (let row = 2; (await full.count()) === 0; row++) shown = await hover(row);
    expect((await full.textContent())?.length).toBeGreaterThan(shown?.length ?? 0);
    await h.page.getByRole('button', { name: 'Export' }).click();
    expect(await h.page.locator('a[data-format=folded]').getAttribute('href')).toContain('names=short');
  });
});

describe('the search', () => {
  test('shows the matched share, filters the table and is part of the link', async () => {
    await h.open('/service?name=checkout&view=split');
    await h.page.keyboard.press('/');
    await h.page.keyboard.type('tcp_');
    await eventually(() => h.page.locator('.search-share').textContent()).toMatch(/^\d+(\.\d+)? %$/);
    await eventually(() => h.page.locator('.functions-row').count()).toBe(5);
    await eventually(() => parameter('q')).toBe('tcp_');
  });

  test('a broken expression is explained, an endless one is given up, and the page goes on', async () => {
    await h.open('/service?name=checkout');
    await h.page.getByRole('button', { name: 'Regular expression' }).click();
    const box = h.page.getByRole('searchbox');
    await box.fill('(');
    await eventually(() => h.page.locator('.search-status').textContent()).toContain('Not a valid expression');
    await box.fill('^((\\w|:|_|<|>|,)+)+$ ');
    await box.fill('^(([a-z_:]+)+)+[0-9]{9}$');
    await eventually(() => h.page.locator('.search-status').textContent()).toContain('too long');
    await box.fill('^epoll');
    await eventually(() => h.page.locator('.search-status').textContent()).toContain('functions: 1,');
  });
});

describe('functions', () => {
  test('the table sorts, marks a function in the graph, and opens its callers and callees', async () => {
    await h.open('/service?name=gateway&view=split');
    await h.page.getByRole('columnheader', { name: 'Total' }).getByRole('button').click();
    await eventually(() => h.page.locator('.functions-row').first().textContent()).toMatch(/runtime\.goexit|net\/http\.\(\*conn\)\.serve/);
    const row = h.page.locator('.functions-row', { hasText: 'runtime.mallocgc' });
    await row.click();
    await eventually(() => parameter('fn')).toBe('runtime.mallocgc');
    await eventually(() => row.getAttribute('aria-selected')).toBe('true');
    await h.page.getByRole('button', { name: 'Callers & callees' }).first().click();
    await h.page.waitForSelector('.sandwich-head');
    await eventually(() => h.page.locator('.sandwich-head').textContent()).toContain('runtime.mallocgc');
    await eventually(() => h.page.getByRole('tree').count()).toBe(2);
  });

  test('the table is used by keyboard', async () => {
    await h.open('/service?name=gateway&view=table');
    await h.page.locator('.functions-body').focus();
    await h.page.keyboard.press('ArrowDown');
    await h.page.keyboard.press('Enter');
    await eventually(() => parameter('view')).toBe('callers');
    await eventually(() => parameter('fn')).toBeTruthy();
  });
});

describe('filters, exports, refresh', () => {
  test('filters reach every question and the link', async () => {
    await h.open('/service?name=checkout');
    await h.page.getByRole('button', { name: 'Thread' }).click();
    await h.page.getByLabel('pricing-cache').check();
    await eventually(() => h.asked('/tree', 'label.thread.name=pricing-cache')).toBe(1);
    await eventually(() => h.asked('/timeline', 'label.thread.name=pricing-cache')).toBe(1);
    await eventually(() => parameter('label.thread.name')).toBe('pricing-cache');
  });

  test('exports ask for the same selection', async () => {
    await h.open('/service?name=checkout&sel=1700000000000~1700000060000&label.process.pid=1842&exclude_self=true');
    await h.page.getByRole('button', { name: 'Export' }).click();
    const links = await h.page.locator('a[data-format]').evaluateAll((all) => all.map((a) => [a.getAttribute('data-format'), a.getAttribute('href')]));
    expect(links.map(([format]) => format)).toEqual(['html', 'svg', 'pprof', 'speedscope', 'folded', 'json']);
    for (const [format, href] of links) {
      expect(href).toBe(`/api/v1/export?from=1700000000000&to=1700000060000&service=checkout&label.process.pid=1842&exclude_self=true&format=${format}`);
    }
    const [download] = await Promise.all([h.page.waitForEvent('download'), h.page.locator('a[data-format=pprof]').click()]);
    expect(download.suggestedFilename()).toBe('infrared.pprof');
  });

  test('new windows are followed; a hidden tab is quiet and catches up', async () => {
    await h.open('/service?name=checkout');
    await eventually(() => h.mock.streams.size).toBe(1);
    const before = h.asked('/tree');
    h.mock.sendWindow();
    await eventually(() => h.asked('/tree')).toBe(before + 1);
    const hide = (hidden: boolean) => h.page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { configurable: true, value });
      document.dispatchEvent(new Event('visibilitychange'));
    }, hidden);
    await hide(true);
    await eventually(() => h.mock.streams.size).toBe(0);
    await hide(false);
    await eventually(() => h.asked('/tree')).toBe(before + 2);
  });

  test('zoom and focus stay while data change', async () => {
    await h.open('/service?name=checkout');
    const name = await hover(8);
    await h.page.mouse.down();
    await h.page.mouse.up();
    await eventually(() => h.page.locator('.crumb').last().textContent()).toBe(name);
    const before = h.asked('/tree');
    h.mock.sendWindow();
    await eventually(() => h.asked('/tree')).toBe(before + 1);
    await h.page.mouse.move(5, 5);
    await eventually(detail).toBe(name);
    await eventually(() => h.page.locator('.crumb').last().textContent()).toBe(name);
  });

  test('a whole view comes back from its link', async () => {
    const link = '/service?name=gateway&from=-1h&by=thread.name&view=split&q=runtime&orient=flame&color=module&fold=kernel&fn=runtime.mallocgc&module=%2Fusr%2Flocal%2Fbin%2Fgateway&fsort=-total';
    await h.open(link);
    await h.page.waitForSelector('.search-share');
    await eventually(() => h.page.getByRole('searchbox').inputValue()).toBe('runtime');
    await eventually(() => h.page.locator('.segmented [aria-pressed=true]').textContent()).toBe('Both');
    await eventually(() => h.page.getByRole('button', { name: 'Root below' }).count()).toBe(1);
    await eventually(() => h.page.getByLabel('Colours').inputValue()).toBe('module');
    await eventually(() => h.page.locator('.legend-item.off').textContent()).toContain('Kernel');
    await eventually(() => h.page.locator('.functions-row.selected').textContent()).toContain('runtime.mallocgc');
    await eventually(() => h.page.locator('[aria-sort=descending]').textContent()).toContain('Total');
  });
});

describe('source lines', () => {
  test('are in the tooltip and the table; a phone has the names of functions', async () => {
    await h.open('/service?name=checkout&view=table&q=try_search_slots');
    const row = h.page.locator('.functions-row', { hasText: 'try_search_slots' });
    await eventually(() => row.locator('.col-place').textContent()).toBe('onepass.rs:2158');
    expect(await row.locator('.col-name').getAttribute('title')).toContain('src/dfa/onepass.rs:2158');
    const size = h.page.viewportSize();
    await h.page.setViewportSize({ width: 390, height: 844 });
    const name = await row.locator('.col-name').boundingBox();
    expect(name?.width).toBeGreaterThan(150);
    expect((name?.x ?? 0) + (name?.width ?? 0)).toBeLessThanOrEqual(390);
    if (size) await h.page.setViewportSize(size);
  });
});

describe('my code', () => {
  test('leaves the functions of others out, keeps the total, and is in the link', async () => {
    await h.open('/service?name=checkout&view=split');
    const rows = () => h.page.locator('.functions-row .col-name .ellipsis').allTextContents();
    await eventually(async () => (await rows()).includes('_int_realloc')).toBe(true);
    const total = await h.page.locator('.detail-numbers').textContent();
    await h.page.getByLabel('Code').selectOption('own');
    await eventually(async () => (await rows()).includes('_int_realloc')).toBe(false);
    await eventually(() => parameter('code')).toBe('own');
    expect((await rows()).length).toBeGreaterThan(2);
    await eventually(async () => (await h.page.locator('.detail-numbers').textContent())?.slice(0, 20)).toBe(total?.slice(0, 20));
  });
});

describe('nodes', () => {
  test('can be modules in place of functions; the link says so', async () => {
    await h.open('/service?name=checkout&view=split');
    const rows = () => h.page.locator('.functions-row .col-name .ellipsis').allTextContents();
    await eventually(async () => (await rows()).length).toBeGreaterThan(20);
    await h.page.getByLabel('Nodes').selectOption('module');
    await eventually(async () => (await rows()).includes('libc.so.6')).toBe(true);
    await eventually(() => parameter('group')).toBe('module');
    expect((await rows()).length).toBeLessThan(20);
  });
});

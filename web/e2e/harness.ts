/** One mock server and one browser per test file; every test gets a fresh page and fails on anything the console complains about. */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { Browser, Page } from 'playwright-core';
import { createMock } from '../dev/mock-server.mjs';
import { launch } from '../scripts/browser.mjs';

export interface Harness {
  page: Page;
  url: string;
  mock: ReturnType<typeof createMock>;
  /** Opens a path and waits until it shows its data. */
  open(path: string): Promise<void>;
  /** Number of requests so far whose address contains all of these. */
  asked(...parts: string[]): number;
  /** What the console says is expected in this test. */
  allow(pattern: RegExp): void;
}

export function harness(): Harness {
  let browser: Browser;
  const h = {} as Harness;
  let complaints: string[] = [];
  let allowed: RegExp[] = [];
  beforeAll(async () => {
    h.mock = createMock();
    h.url = await h.mock.listen();
    browser = await launch();
  });
  afterAll(async () => {
    await browser.close();
    await h.mock.close();
  });
  beforeEach(async () => {
    Object.assign(h.mock, { broken: false, delayMs: 0, empty: false, requests: [] });
    complaints = [];
    allowed = [];
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB', acceptDownloads: true });
    h.page = await context.newPage();
    h.page.setDefaultTimeout(15_000);
    h.page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    h.page.on('pageerror', (error) => complaints.push(String(error)));
  });
  afterEach(async () => {
    await h.page.context().close();
    expect(complaints.filter((c) => !allowed.some((a) => a.test(c)))).toEqual([]);
  });
  h.open = async (path) => {
    await h.page.goto(h.url + path);
    if (!path.startsWith('/service')) return void (await h.page.waitForSelector('.services tbody tr'));
    for (const part of ['.profile', '.u-over', '.quality']) await h.page.waitForSelector(part);
    await atRest(h.page);
  };
  h.asked = (...parts) => h.mock.requests.filter((r: string) => parts.every((p) => r.includes(p))).length;
  h.allow = (pattern) => void allowed.push(pattern);
  return h;
}

/** Waits until nothing loads and nothing moved for some frames: a pointer that aims at a moving graph hits another bar. */
async function atRest(page: Page) {
  await page.evaluate(async () => {
    const places = () => [...document.querySelectorAll('.u-over, .flame-scroll, .functions-row')].map((e) => Object.values(e.getBoundingClientRect().toJSON())).join();
    const loads = () => document.querySelector('.loading, [aria-busy=true]') !== null;
    for (let still = 0, before = ''; still < 5; ) {
      await new Promise(requestAnimationFrame);
      const now = places();
      still = now === before && !loads() ? still + 1 : 0;
      before = now;
    }
  });
}

/** Waits until a value becomes what is expected; for what the page does on its own. */
export function eventually<T>(read: () => T | Promise<T>) {
  return expect.poll(read, { timeout: 10_000, interval: 50 });
}

import { describe, test } from 'vitest';
import { eventually, harness } from './harness';

const h = harness();
const names = () => h.page.locator('.services tbody .name a').allTextContents();

describe('the services list', () => {
  test('shows everything first, then the busiest services, with the profiler labelled', async () => {
    await h.open('/');
    await eventually(names).toEqual(['Total', 'checkout', 'gateway', 'postgres', 'report-worker', 'nginx.service', 'infrared', 'cron.service']);
    await eventually(() => h.page.locator('tr', { hasText: 'infrared' }).locator('.badge.self').textContent()).toBe('this profiler');
    await eventually(() => h.page.locator('tr', { hasText: 'report-worker' }).locator('.badge.bad').first().textContent()).toContain('truncated');
  });

  test('filters and sorts, and the link says so', async () => {
    await h.open('/');
    await h.page.getByPlaceholder('Filter services').fill('r');
    await eventually(names).toEqual(['postgres', 'report-worker', 'nginx.service', 'infrared', 'cron.service']);
    await h.page.getByRole('button', { name: 'Service' }).click();
    await eventually(() => h.page.url()).toContain('filter=r&sort=service');
    await h.page.reload();
    await h.page.waitForSelector('.services tbody tr');
    await eventually(names).toEqual(['cron.service', 'infrared', 'nginx.service', 'postgres', 'report-worker']);
    await h.page.getByPlaceholder('Filter services').fill('no such service');
    await eventually(() => h.page.locator('.empty').textContent()).toContain('No service matches');
  });

  test('leaves out what the profiler burns when asked to', async () => {
    await h.open('/');
    await h.page.getByLabel('Without Infrared itself').check();
    await eventually(names).not.toContain('infrared');
    await eventually(() => h.asked('/services', 'exclude_self=true')).toBeGreaterThan(0);
  });

  test('a click opens the service and the back button returns', async () => {
    await h.open('/?from=-5m');
    await h.page.getByRole('link', { name: 'gateway' }).click();
    await h.page.waitForSelector('.profile');
    await eventually(() => h.page.url()).toBe(`${h.url}/service?name=gateway&from=-5m`);
    await h.page.goBack();
    await h.page.waitForSelector('.services');
    await eventually(() => h.page.url()).toBe(`${h.url}/?from=-5m`);
  });

  test('says that nothing was sampled yet, and fills when the first window comes', async () => {
    h.mock.empty = true;
    await h.page.goto(h.url);
    await eventually(() => h.page.locator('.empty').textContent()).toContain('No samples yet');
    await eventually(() => h.mock.streams.size).toBe(1);
    h.mock.empty = false;
    h.mock.sendWindow();
    await eventually(names).toContain('checkout');
  });
});

describe('the connection', () => {
  test('a server that goes away is announced with the next try, and forgotten when it is back', async () => {
    h.allow(/ERR_|Failed to load/);
    await h.open('/');
    h.mock.broken = true;
    await h.page.getByLabel('Without Infrared itself').check();
    await eventually(() => h.page.locator('.banner').textContent()).toContain('cannot be reached');
    await eventually(names).toContain('checkout');
    h.mock.broken = false;
    await h.page.getByRole('button', { name: 'Try now' }).click();
    await eventually(() => h.page.locator('.banner').count()).toBe(0);
    await eventually(names).not.toContain('infrared');
  });
});

describe('an idle page', () => {
  test('notices that the server is gone, and catches up when it is back', async () => {
    h.allow(/ERR_|Failed to load/);
    await h.open('/');
    await eventually(() => h.mock.streams.size).toBe(1);
    h.mock.broken = true;
    for (const stream of h.mock.streams) stream.destroy();
    await eventually(() => h.page.locator('.banner').count()).toBe(1);
    const before = h.asked('/services');
    h.mock.broken = false;
    await eventually(() => h.page.locator('.banner').count()).toBe(0);
    await eventually(() => h.asked('/services')).toBeGreaterThan(before);
  });
});

describe('settings', () => {
  test('theme and language change at once and are kept', async () => {
    await h.open('/');
    await h.page.getByRole('button', { name: '中文' }).click();
    await eventually(() => h.page.locator('h1').textContent()).toBe('服务');
    await h.page.getByRole('button', { name: '主题：跟随系统' }).click();
    await h.page.getByRole('button', { name: '主题：浅色' }).click();
    await eventually(() => h.page.evaluate(() => document.documentElement.dataset.theme)).toBe('dark');
    await h.page.reload();
    await h.page.waitForSelector('.services tbody tr');
    await eventually(() => h.page.locator('h1').textContent()).toBe('服务');
    await eventually(() => h.page.evaluate(() => [document.documentElement.dataset.theme, document.documentElement.lang])).toEqual(['dark', 'zh-CN']);
  });
});

/**
 * Visits a running page as a person would: node scripts/visit.mjs URL SERVICE [PICTURE.png]
 *
 * From the list to the service, its functions sorted by self time, and to the self-contained HTML export. Prints what it saw as
 * JSON; ends with an error if the page shows nothing within 30 s, or complains on its console.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './browser.mjs';

const WAIT_MS = 30_000;
const [url, service, picture] = process.argv.slice(2);
if (!url || !service) {
  console.error('usage: node scripts/visit.mjs URL SERVICE [PICTURE.png]');
  process.exit(2);
}

const texts = (page, selector) => page.locator(selector).allTextContents();
const functions = async (page) => {
  const rows = await page.locator('.functions-row').all();
  return Promise.all(rows.map(async (row) => ({ name: await row.locator('.col-name').innerText(), self: await row.locator('.col-self').innerText() })));
};
/** Whether anything but one flat colour is on the canvas. */
const isPainted = (page) =>
  page.locator('.flame canvas').last().evaluate((canvas) => {
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size > 8;
  });

const folder = await mkdtemp(path.join(tmpdir(), 'visit-'));
const browser = await launch();
try {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: 'en-GB', acceptDownloads: true, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const complaints = [];
  page.setDefaultTimeout(WAIT_MS);
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));

  await page.goto(url);
  await page.waitForSelector('.services tbody tr');
  await page.locator('.services tbody a', { hasText: service }).first().click();
  await page.waitForSelector('.flame canvas');
  await page.getByRole('button', { name: 'Both', exact: true }).click();
  await page.waitForSelector('.functions-row');
  await page.waitForFunction(() => document.querySelector('.timeline canvas') !== null);
  const seen = { functions: await functions(page), quality: await texts(page, '.quality-fact dt, .quality-fact b'), painted: await isPainted(page), complaints };
  if (picture) await page.screenshot({ path: picture });

  await page.getByRole('button', { name: /export/i }).click();
  const download = page.waitForEvent('download');
  await page.locator('[data-format=html]').click();
  const file = path.join(folder, 'export.html');
  await (await download).saveAs(file);
  const standalone = await context.newPage();
  standalone.on('pageerror', (error) => complaints.push(String(error)));
  await page.close();
  await context.setOffline(true);
  await standalone.goto(pathToFileURL(file).href);
  await standalone.waitForSelector('.flame canvas');
  await standalone.waitForTimeout(200);
  console.log(JSON.stringify({ ...seen, standalonePainted: await isPainted(standalone) }));
  if (complaints.length > 0) throw new Error(complaints.join('\n'));
} finally {
  await browser.close();
  await rm(folder, { recursive: true });
}

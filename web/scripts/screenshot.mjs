/**
 * A picture of the running page: node scripts/screenshot.mjs URL OUT.png [--service NAME] [--dark] [--width 1440] [--height 900]
 *
 * Waits until the page shows samples; ends with an error if it has none within 30 s.
 */
import { launch } from './browser.mjs';

const WAIT_MS = 30_000;
const [url, out] = process.argv.slice(2).filter((argument, i, all) => !argument.startsWith('--') && !/^--(service|width|height)$/.test(all[i - 1] ?? ''));
const option = (name, fallback) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : fallback);

if (!url || !out) {
  console.error('usage: node scripts/screenshot.mjs URL OUT.png [--service NAME] [--dark] [--width 1440] [--height 900]');
  process.exit(2);
}

const service = option('--service', null);
const address = new URL(service === null ? '/' : `/service?name=${encodeURIComponent(service)}`, url);
const browser = await launch();
try {
  const page = await browser.newPage({
    viewport: { width: Number(option('--width', 1440)), height: Number(option('--height', 900)) },
    colorScheme: process.argv.includes('--dark') ? 'dark' : 'light',
    reducedMotion: 'reduce',
    deviceScaleFactor: 2,
  });
  await page.goto(address.href);
  await page.waitForSelector(service === null ? '.services tbody tr' : '.flame canvas', { timeout: WAIT_MS });
  await page.waitForSelector('.timeline canvas', { timeout: WAIT_MS });
  await page.waitForTimeout(500);
  await page.screenshot({ path: out });
  console.log(`wrote ${out}`);
} finally {
  await browser.close();
}

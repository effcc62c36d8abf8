/**
 * Loads a tree of 200,000 nodes in Chromium and zooms it: prints load time, frames per second and the longest task.
 * Needs `npm run build`. Usage: npm run bench [-- --nodes 200000]
 */
import { createMock } from '../dev/mock-server.mjs';
import { launch } from '../scripts/browser.mjs';

const ROUNDS = 5;
const mock = createMock();
const url = await mock.listen();
const browser = await launch();
await fetch(`${url}/api/v1/tree?service=large`).then((answer) => answer.arrayBuffer());

const loads = [];
const frames = [];
let zoom;
for (let round = 0; round < ROUNDS; round++) {
  const page = await (await browser.newContext({ viewport: { width: 1600, height: 1000 } })).newPage();
  await page.addInitScript(watch);
  await page.goto(`${url}/service?name=large`);
  await page.waitForSelector('.flame canvas');
  await page.waitForFunction(() => window.__painted !== null);
  loads.push(await page.evaluate(() => ({ ...window.__painted, longest: window.__longest() })));
  zoom = await page.evaluate(zoomFor, 3000);
  frames.push(zoom);
  await page.context().close();
}
await browser.close();
await mock.close();

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const line = (label, value) => console.log(`${label.padEnd(58)} ${value}`);
line('tree answered → decoded and painted (median)', `${median(loads.map((l) => l.sinceTree)).toFixed(0)} ms`);
line('page opened → painted (median)', `${median(loads.map((l) => l.sinceStart)).toFixed(0)} ms`);
line('longest task of the page while loading (median)', `${median(loads.map((l) => l.longest)).toFixed(0)} ms`);
line('zooming with the wheel: frames per second (median)', median(frames.map((f) => f.fps)).toFixed(1));
line('zooming: 95th percentile between two frames (median)', `${median(frames.map((f) => f.p95)).toFixed(1)} ms`);
line('zooming: longest task (median)', `${median(frames.map((f) => f.longest)).toFixed(0)} ms`);

/** Runs in the page before anything else: notes the first paint of the graph and all long tasks. */
function watch() {
  window.__painted = null;
  const tasks = [];
  new PerformanceObserver((list) => tasks.push(...list.getEntries().map((e) => e.duration))).observe({ type: 'longtask', buffered: true });
  window.__longest = () => {
    const longest = Math.max(0, ...tasks);
    tasks.length = 0;
    return longest;
  };
  const fillText = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (...args) {
    if (window.__painted === null && this.canvas.closest('.flame')) {
      const tree = performance.getEntriesByType('resource').find((e) => e.name.includes('/api/v1/tree'));
      window.__painted = { sinceStart: performance.now(), sinceTree: performance.now() - (tree?.responseStart ?? 0) };
    }
    return fillText.apply(this, args);
  };
}

/** Zooms in and out at the pointer for a while, one wheel event a frame. */
async function zoomFor(ms) {
  const box = document.querySelector('.flame-scroll');
  const { left, top, width } = box.getBoundingClientRect();
  window.__longest();
  const gaps = [];
  const start = performance.now();
  let last = start;
  let step = 0;
  while (last - start < ms) {
    const deltaY = Math.floor(step++ / 40) % 2 === 0 ? -40 : 40;
    box.dispatchEvent(new WheelEvent('wheel', { deltaY, ctrlKey: true, clientX: left + width * 0.7, clientY: top + 40, bubbles: true, cancelable: true }));
    const now = await new Promise((resolve) => requestAnimationFrame(resolve));
    if (step > 1) gaps.push(now - last);
    last = now;
  }
  gaps.sort((a, b) => a - b);
  return { fps: (gaps.length * 1000) / gaps.reduce((a, b) => a + b, 0), p95: gaps[Math.floor(gaps.length * 0.95)], longest: window.__longest() };
}

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { encodeTree } from '../dev/irt1.mjs';
import { serviceTree } from '../dev/mock-trees.mjs';
import { eventually, harness } from './harness';

const h = harness();
const root = join(import.meta.dirname, '..');
const LIMIT_BYTES = 120 * 1024;

function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true }).filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name));
}

describe('what is shipped', () => {
  test('the page is smaller than 120 KB, gzipped', () => {
    const bytes = files(join(root, 'dist')).reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0);
    expect(bytes).toBeLessThan(LIMIT_BYTES);
  });

  test('neither the page nor the report viewer names another host, but for notices of origin', () => {
    for (const file of [...files(join(root, 'dist')), join(root, 'dist-standalone/viewer.js')]) {
      const addresses = readFileSync(file, 'utf8').match(/https?:\/\/[\w.-]+/g) ?? [];
      expect(addresses.filter((a) => !/www\.w3\.org|localhost|github\.com/.test(a)), file).toEqual([]);
    }
  });

  test('the report viewer is a single script that can stand inside HTML', () => {
    const script = readFileSync(join(root, 'dist-standalone/viewer.js'), 'utf8');
    expect(readdirSync(join(root, 'dist-standalone'))).toEqual(['viewer.js']);
    expect(script).not.toContain('</script');
  });
});

describe('a self-contained report', () => {
  const script = readFileSync(join(root, 'dist-standalone/viewer.js'), 'utf8');
  const tree = Buffer.from(gzipSync(encodeTree(serviceTree('checkout')))).toString('base64');
  const html = (data: string) => `<!doctype html><meta charset="utf-8"><body style="margin:0"><div id="r"></div><script>${script}</script><script>InfraredViewer.mount(document.getElementById('r'), ${data})</script>`;

  test('shows graph, search and table from base64 gzip, without a network', async () => {
    await h.page.context().setOffline(true);
    await h.page.setContent(html(JSON.stringify(tree)));
    await h.page.waitForSelector('.flame canvas');
    await h.page.getByRole('searchbox').fill('tcp_');
    await eventually(() => h.page.locator('.search-status').textContent()).toContain('functions: 5,');
    await h.page.getByRole('button', { name: 'Functions' }).click();
    await eventually(() => h.page.locator('.functions-row').count()).toBe(5);
  });

  test('takes plain bytes too, and says so when they are broken', async () => {
    const bytes = [...encodeTree(serviceTree('checkout'))];
    await h.page.setContent(html(`Uint8Array.from(${JSON.stringify(bytes)})`));
    await h.page.waitForSelector('.flame canvas');
    await h.page.setContent(html('Uint8Array.of(1, 2, 3)'));
    await eventually(() => h.page.locator('[role=alert]').textContent()).toContain('this is no Infrared tree');
    await h.page.setContent(html('"AAAA"'));
    await eventually(() => h.page.locator('#r').textContent()).toContain('cannot be shown');
  });
});

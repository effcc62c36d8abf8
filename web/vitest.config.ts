import { defineConfig } from 'vitest/config';

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: { include: ['test/**/*.test.ts'], environment: 'node', testTimeout: 60_000, reporters: ['default', './scripts/failed-tests.mjs'] },
});

import { defineConfig } from 'vitest/config';

/** Drives a real Chromium against the mock server; needs `npm run build` first. */
export default defineConfig({
  test: { include: ['e2e/**/*.e2e.ts'], environment: 'node', fileParallelism: false, testTimeout: 60_000, hookTimeout: 60_000, reporters: ['default', './scripts/failed-tests.mjs'] },
});

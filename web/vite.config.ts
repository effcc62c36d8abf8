import { defineConfig } from 'vite';

/** The single-page application, served by `infrared` from its own binary. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { target: 'es2022', outDir: 'dist', emptyOutDir: true, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  worker: { format: 'es' },
  server: { proxy: { '/api': process.env.INFRARED_API ?? 'http://127.0.0.1:4747' } },
});

import { defineConfig } from 'vite';

/** One script without imports, for self-contained HTML reports: `InfraredViewer.mount(element, tree)`. */
export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    outDir: 'dist-standalone',
    emptyOutDir: true,
    lib: { entry: 'src/standalone/viewer.tsx', formats: ['iife'], name: 'InfraredViewer', fileName: () => 'viewer.js' },
  },
});

import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

export default defineConfig({
  plugins: [react()],
  define: { 'process.env.NODE_ENV': '"production"', 'process.env': '{}' },
  build: { outDir: '../build/dashboards', emptyOutDir: true, target: 'es2022', chunkSizeWarningLimit: 20000, minify: false },
  resolve: {
    // The compatibility package wants version 5 underneath; version 6 has what it exports.
    alias: { 'react-router-dom-v5-compat': 'react-router-dom' },
    dedupe: ['react', 'react-dom', 'react-router-dom'].concat(
      ['data', 'ui', 'runtime', 'schema', 'i18n'].map((name) => `@grafana/${name}`),
    ),
  },
});

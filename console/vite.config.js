import { defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  logLevel: 'warn',
  build: {
    target: 'es2022',
    outDir: 'dist',
    emptyOutDir: true,
    // An inlined picture is a data URI in the page; everything else comes by name.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    // `npx vite console` beside a running server: the pages are built on the fly.
    proxy: { '/v1': 'http://127.0.0.1:4400', '/session': 'http://127.0.0.1:4400' },
  },
})

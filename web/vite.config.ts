import {defineConfig} from 'vitest/config';

// A node on this address answers while developing: npm run dev.
const node = 'http://127.0.0.1:8080';

export default defineConfig({
  base: './',
  worker: {format: 'es'},
  build: {
    target: 'es2023',
    assetsInlineLimit: 0, // the node's policy allows no data: but pictures
    modulePreload: {polyfill: false},
    chunkSizeWarningLimit: 1500,
    license: {fileName: 'licences.txt'},
  },
  server: {proxy: {'/api': {target: node, ws: true}, '/config.json': node}},
  test: {include: ['src/**/*.test.ts']},
});

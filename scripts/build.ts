import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { build, type InlineConfig } from 'vite'
import { root } from './run.ts'

/**
 * Builds what a browser loads: the page and the tracker. setup.mjs runs it when a source has changed. Each function keeps what is
 * built in its folder `built/`, which is not committed.
 */
const at = (...parts: string[]) => join(root, 'functions', ...parts)
const shared: InlineConfig = { configFile: false, logLevel: 'warn', envDir: false }

const page: InlineConfig = {
  ...shared,
  root: at('serve-dashboard', 'page'),
  base: '/page/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: at('serve-dashboard', 'built'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: { polyfill: false },
    // Inlined as data: URLs they would be against the page's policy.
    assetsInlineLimit: 0,
  },
}

/** One classic script without imports; its own functions are all there is in it. Browsers since the end of 2020 can read it. */
const tracker: InlineConfig = {
  ...shared,
  root: at('collect-hit', 'tracker'),
  build: {
    outDir: at('collect-hit', 'built'),
    emptyOutDir: true,
    target: 'es2021',
    lib: { entry: 'tracker.ts', formats: ['iife'], name: 'footfallTracker', fileName: () => 'footfall.js' },
    minify: 'oxc',
    rolldownOptions: { optimization: { inlineConst: { mode: 'all', pass: 3 } } },
  },
}

for (const config of [page, tracker]) {
  rmSync(config.build!.outDir!, { recursive: true, force: true })
  await build(config)
}

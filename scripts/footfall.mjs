#!/usr/bin/env node
// The `footfall` command for any Node ≥ 18: runs footfall.ts on the Node that Footfall brings along.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const node = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))
const script = fileURLToPath(new URL('./footfall.ts', import.meta.url))

if (existsSync(node)) {
  // Ctrl-C reaches the child too, which ends by itself with its summary; it is waited for.
  process.on('SIGINT', () => {})
  const args = ['--disable-warning=ExperimentalWarning', script, ...process.argv.slice(2)]
  const { status, signal, error } = spawnSync(node, args, { stdio: 'inherit' })
  if (error) console.error(`${node} cannot be run: ${error.message}`)
  if (signal) process.kill(process.pid, signal)
  process.exitCode = status ?? 1
} else {
  console.error('Footfall is not installed yet.\nRun `npm run footfall -- --help` in its folder once; that installs what is missing.')
  process.exitCode = 1
}

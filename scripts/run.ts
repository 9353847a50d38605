import { spawn } from 'node:child_process'
import { join } from 'node:path'

/** The folder of the checkout. */
export const root = join(import.meta.dirname, '..')

const bin = (name: string) => join(root, 'node_modules', name)

/** Runs one of the project's tools on the project's Node, its output as ours; answers its exit code. */
export const runTool = (tool: string, args: readonly string[], env: Record<string, string> = {}): Promise<number> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [bin(tool), ...args], {
      cwd: root,
      stdio: 'inherit',
      env: { ...process.env, NODE_OPTIONS: '--disable-warning=ExperimentalWarning', ...env },
    })
    child.on('error', reject)
    child.on('exit', (code) => resolve(code ?? 1))
  })

export const tools = { tsc: 'typescript/bin/tsc', biome: '@biomejs/biome/bin/biome', vitest: 'vitest/vitest.mjs' } as const

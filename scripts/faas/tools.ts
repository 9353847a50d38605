import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { root } from '../run.ts'
import { type Progress, servicesFolder } from '../services/downloads.ts'

/**
 * The real gateway and the real faas-cli of OpenFaaS, built from the committed Go modules under tools/ (the last versions under the MIT
 * licence): `go install` takes no version of them from the module proxy, a module that requires them does. `compose` is what Docker
 * Compose reads its files with, for the tests of deploy/. Built once; they lie under .services/cache, in a folder named after what the
 * module says.
 */

export type ToolName = 'gateway' | 'faas-cli' | 'compose'

type Tool = { package: string; variables: Readonly<Record<string, string>> }

/** What is built, and what each binary is told of itself. */
export const tools: Readonly<Record<ToolName, Tool>> = {
  gateway: {
    package: 'github.com/openfaas/faas/gateway',
    variables: {
      'github.com/openfaas/faas/gateway/version.Version': '0.27.2',
      'github.com/openfaas/faas/gateway/version.GitCommitSHA': '02205b8b1954',
    },
  },
  'faas-cli': {
    package: 'github.com/openfaas/faas-cli',
    variables: {
      'github.com/openfaas/faas-cli/version.Version': '0.13.14',
      'github.com/openfaas/faas-cli/version.GitCommit': '08e3e965c831',
    },
  },
  compose: { package: 'github.com/compose-spec/compose-go/v2/cmd', variables: {} },
}

const moduleOf = (name: ToolName): string => join(root, 'tools', name)

const folderOf = (name: ToolName): string => {
  const said = ['go.mod', 'go.sum'].map((file) => readFileSync(join(moduleOf(name), file)))
  const hash = createHash('sha256').update(Buffer.concat(said)).digest('hex').slice(0, 12)
  return join(servicesFolder, 'cache', `${name}-${hash}`)
}

/** The binary of a tool; it is there after `ensureTools`. */
export const toolPath = (name: ToolName): string => join(folderOf(name), name)

const isMissing = (error: Error): boolean => 'code' in error && error.code === 'ENOENT'

/** Builds a tool into `folder`; nothing but what go.sum has is taken. */
const build = (name: ToolName, folder: string): Promise<void> =>
  new Promise((resolve, reject) => {
    const { package: path, variables } = tools[name]
    const flags = ['-s', '-w', ...Object.entries(variables).map(([variable, value]) => `-X ${variable}=${value}`)].join(' ')
    const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '' }
    const go = spawn('go', ['build', '-mod=readonly', '-trimpath', '-ldflags', flags, '-o', join(folder, name), path], {
      cwd: moduleOf(name),
      env,
    })
    const said: Buffer[] = []
    for (const output of [go.stdout, go.stderr]) output.on('data', (part: Buffer) => said.push(part))
    go.once('error', (error) =>
      reject(isMissing(error) ? new Error(`Go is missing, and ${name} is built with it: install Go 1.24 or newer.`) : error),
    )
    go.once('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`go build of ${path} failed (${code}):\n${Buffer.concat(said).toString().trim()}`)),
    )
  })

/** Builds what is not built yet; a minute or two each, the first time. */
export const ensureTools = async (names: readonly ToolName[], progress: Progress): Promise<void> => {
  for (const name of names) {
    if (existsSync(toolPath(name))) continue
    progress(`${name}: building it with Go, once (a minute or two) …`)
    const folder = folderOf(name)
    const half = `${folder}.building-${process.pid}`
    await mkdir(half, { recursive: true })
    try {
      await build(name, half)
      // Another process may have been quicker: its binary is as good.
      if (!existsSync(folder)) await rename(half, folder)
    } finally {
      await rm(half, { recursive: true, force: true })
    }
    progress(`${name}: built`)
  }
}

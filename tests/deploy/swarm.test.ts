import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig, servicesOf } from '#shared/config.ts'
import { ensureTools, toolPath } from '../../scripts/faas/tools.ts'
import { root } from '../../scripts/run.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** deploy/swarm/footfall.yml: what compose-go makes of it, and that it names what there is. No swarm was run. */

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
type Service = {
  image: string
  command: string[]
  user: string
  read_only: boolean
  cap_drop: string[]
  environment: Record<string, string>
  configs?: { source: string; target: string }[]
  secrets: { source: string; target?: string; uid: string; mode: number }[]
  ports?: { target: number; published: number; mode: string }[]
  healthcheck: { test: string[] }
  stop_grace_period: string
  deploy: { mode?: string; replicas?: number }
}
const path = 'deploy/swarm/footfall.yml'
// Modes of files are octal where Docker reads them.
const stack = parse(read(path), { version: '1.1' }) as {
  services: Record<'edge' | 'trigger', Service>
  configs: Record<string, { file: string }>
  secrets: Record<string, { external: boolean }>
}
const { edge, trigger } = stack.services

test('compose-go takes it', async ({ skip }) => {
  if (spawnSync('go', ['version']).status !== 0) skip('Go is missing (1.24 or newer)')
  await ensureTools(['compose'], (text) => console.warn(text))
  const { status, stdout, stderr } = spawnSync(toolPath('compose'), [path], { cwd: root, encoding: 'utf8' })
  expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' })
}, 120_000)

describe(path, () => {
  test('runs images of this version, as nobody, who may write nothing', () => {
    const { version } = JSON.parse(read('package.json'))
    expect(trigger.image.split(':')[1]).toBe(version)
    expect(edge.image).toBe(parse(read('compose.dev.yml'), { merge: true }).services.edge.image)
    const user = /^USER (\d+:\d+)/m.exec(read('Dockerfile'))![1]!
    for (const one of [edge, trigger]) {
      expect(one).toMatchObject({ user, read_only: true, cap_drop: ['ALL'] })
      for (const secret of one.secrets) expect(secret).toMatchObject({ uid: user.split(':')[0], mode: 0o400 })
    }
    expect(existsSync(join(root, trigger.command.at(-1)!))).toBe(true)
    expect([trigger.deploy.replicas, edge.deploy.mode]).toEqual([2, 'global'])
  })

  test('names settings that there are, all that the trigger needs, and files that it is given', () => {
    const { path: folder, remove } = temporaryFolder()
    try {
      const given = Object.entries(trigger.environment).map(([name, value]) => {
        if (!value.startsWith('/run/secrets/')) return [name, value.replace(/^\$\{REDIS_URL:-(.*)\}$/, '$1')]
        expect(trigger.secrets.map(({ source }) => source)).toContain(basename(value))
        writeFileSync(join(folder, basename(value)), 'secret')
        return [name, join(folder, basename(value))]
      })
      const config = readConfig(Object.fromEntries(given))
      expect(config.gateway).toBeDefined()
      expect(servicesOf(config).cassandra.login?.user).toBe('footfall')
    } finally {
      remove()
    }
  })

  test('tells haproxy.cfg what it asks for', () => {
    const asked = [...read('haproxy.cfg').matchAll(/\$\{(FOOTFALL_EDGE_\w+)\}/g)].map(([, name]) => name)
    const preset = [...read('haproxy.cfg').matchAll(/presetenv (\w+)/g)].map(([, name]) => name)
    const told = Object.keys(edge.environment)
    expect(told.filter((name) => !asked.includes(name))).toEqual([])
    const left = new Set(asked.filter((name) => !told.includes(name!) && !preset.includes(name)))
    expect([...left]).toEqual(['FOOTFALL_EDGE_DIRECT'])
    expect(join('deploy/swarm', stack.configs['haproxy']!.file)).toBe('haproxy.cfg')
    expect(edge.command.at(-1)).toBe(edge.configs![0]!.target)
    expect(edge.environment['FOOTFALL_EDGE_CERT']).toBe(`/run/secrets/${edge.secrets[0]!.target}`)
    const stop = Number(/hard-stop-after (\d+)s/.exec(read('haproxy.cfg'))![1])
    expect(Number.parseInt(edge.stop_grace_period, 10)).toBeGreaterThan(stop)
  })

  test('opens the public ports of the edge, at its own node, and nothing else', () => {
    const portOf = (name: string) => Number(edge.environment[name]!.replace(/.*:/, ''))
    expect(edge.ports!.map(({ target, published, mode }) => [target, published, mode])).toEqual([
      [portOf('FOOTFALL_EDGE_BIND'), 80, 'host'],
      [portOf('FOOTFALL_EDGE_TLS_BIND'), 443, 'host'],
    ])
    expect(trigger.ports).toBeUndefined()
    expect(edge.healthcheck.test.at(-1)).toBe(`http://127.0.0.1:${portOf('FOOTFALL_EDGE_STATS')}/health`)
    expect(trigger.healthcheck.test.at(-1)).toContain(`127.0.0.1:${trigger.environment['FOOTFALL_PORT']}/health`)
  })

  test('has secrets that its head tells how to make', () => {
    const used = [edge, trigger].flatMap(({ secrets }) => secrets.map(({ source }) => source))
    expect(Object.keys(stack.secrets).sort()).toEqual(used.sort())
    for (const name of used) expect(read(path)).toContain(`docker secret create ${name} `)
  })
})

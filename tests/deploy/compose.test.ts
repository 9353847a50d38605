import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '#shared/config.ts'
import { functionNames } from '#shared/runtime/routes.ts'
import { ensureTools, toolPath, tools } from '../../scripts/faas/tools.ts'
import { root } from '../../scripts/run.ts'
import { settingsOf as cassandraSettings, dataCentre } from '../../scripts/services/cassandra.ts'
import { clusterId, settingsOf as kafkaSettings } from '../../scripts/services/kafka.ts'
import { settings as redisSettings } from '../../scripts/services/redis.ts'

/** compose.dev.yml: what Docker Compose itself makes of it (compose-go), and that it says what our own scripts start. No container is run. */

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
type Service = {
  image: string
  command?: string[]
  environment?: Record<string, string>
  depends_on?: Record<string, unknown>
  ports?: string[]
  mem_limit?: string
}
const { services, volumes } = parse(read('compose.dev.yml'), { merge: true }) as {
  services: Record<string, Service>
  volumes: Record<string, unknown>
}
const node = { folder: '/x', data: '/x', host: 'x', ports: { client: 1, peer: 2 }, options: {} }
const tagOf = (name: string): string => services[name]!.image.split(':')[1]!
const pomVersion = (set: string, artifact: string): string =>
  new RegExp(`<artifactId>${artifact}</artifactId><version>([^<]+)<`).exec(read(`scripts/services/${set}/pom.xml`))![1]!

test('Docker Compose takes it', async ({ skip }) => {
  if (spawnSync('go', ['version']).status !== 0) skip('Go is missing (1.24 or newer)')
  await ensureTools(['compose'], (text) => console.warn(text))
  const { status, stdout, stderr } = spawnSync(toolPath('compose'), ['compose.dev.yml'], { cwd: root, encoding: 'utf8' })
  expect({ status, said: status === 0 ? '' : stdout + stderr }).toEqual({ status: 0, said: '' })
}, 120_000)

describe('compose.dev.yml', () => {
  test('has every function, with the limit of stack.yml, and what it depends on', () => {
    const { functions } = parse(read('stack.yml'))
    for (const name of functionNames) {
      expect(services[name]!.command!.at(-1)).toBe(`functions/${name}/main.ts`)
      const limit = functions[name].limits.memory.replace('Mi', 'm').replace('Gi', 'g')
      expect([name, services[name]!.mem_limit]).toEqual([name, limit])
      expect(read('deploy/compose/functions.cfg')).toContain(`\nbackend ${name}\n`)
    }
    for (const { depends_on = {} } of Object.values(services))
      for (const name of Object.keys(depends_on)) expect(Object.keys(services)).toContain(name)
    expect(Object.keys(volumes)).toContain('key')
  })

  test('opens the edge to this machine, and nothing else to anybody', () => {
    const ports = Object.entries(services).flatMap(([name, one]) => (one.ports ?? []).map((port) => [name, port]))
    expect(ports).toEqual([['edge', '127.0.0.1:8000:8000']])
  })

  test('names settings that there are', () => {
    for (const [name, { environment = {} }] of Object.entries(services)) {
      const own = Object.fromEntries(Object.entries(environment).filter(([key]) => key.startsWith('FOOTFALL_')))
      if (name === 'edge' || name === 'data-path') {
        const file = read(name === 'edge' ? 'haproxy.cfg' : 'deploy/compose/functions.cfg')
        for (const key of Object.keys(own)) expect(file).toContain(`\${${key}}`)
        continue
      }
      // The file of the key is in a volume.
      const { FOOTFALL_KEY_FILE: _, ...others } = own
      expect(() => readConfig(others)).not.toThrow()
    }
  })

  test('has Kafka, Redis and Cassandra as scripts/services starts one node', () => {
    const { CLUSTER_ID, KAFKA_HEAP_OPTS: _, ...said } = services['kafka']!.environment!
    expect(CLUSTER_ID).toBe(clusterId)
    const ours = kafkaSettings(node)
    const places = ['controller.quorum.voters', 'listeners', 'advertised.listeners', 'log.dirs']
    for (const [key, value] of Object.entries(said)) {
      const name = key.replace('KAFKA_', '').toLowerCase().replaceAll('_', '.')
      if (!places.includes(name)) expect([name, value]).toEqual([name, String(ours[name])])
    }
    const flags = services['redis']!.command!.slice(1)
    const given = Object.fromEntries(flags.flatMap((flag, i) => (i % 2 === 0 ? [[flag.slice(2), flags[i + 1]]] : [])))
    expect(given).toEqual({ ...redisSettings, save: '' })
    const inContainer = /^(seed_provider|listen_address|rpc_address|storage_port|native_transport_port|.*_director(y|ies))$/
    const rest = (all: object) => Object.fromEntries(Object.entries(all).filter(([name]) => !inContainer.test(name)))
    expect(rest(parse(read('deploy/compose/cassandra.yaml')))).toEqual(rest(cassandraSettings(node)))
    expect(services['collect-hit']!.environment!['FOOTFALL_CASSANDRA']).toBe(`cassandra:9042;${dataCentre}`)
  })

  test('has the versions that the scripts run', () => {
    expect([tagOf('kafka'), tagOf('cassandra')]).toEqual([pomVersion('kafka', 'kafka_2.13'), pomVersion('cassandra', 'cassandra-all')])
    for (const [variable, value] of Object.entries(tools.gateway.variables))
      expect(read('tools/gateway/Dockerfile')).toContain(`-X ${variable}=${value}`)
  })
})

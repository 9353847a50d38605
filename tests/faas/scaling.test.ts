import { mkdirSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { temporaryFolder } from '../fixtures/folder.ts'
import { until } from '../process/server.ts'
import { anOpenFaas, type OpenFaas, reasonAgainstOpenFaas } from './open-faas.ts'

/** Scaling by load, the Community Edition's way: real Prometheus and Alertmanager tell the real gateway, which asks the provider. */

const reason = await reasonAgainstOpenFaas()
/** From the load to the alert it takes some 15 s, a step more each 30 s, and back at once when the alert is over. */
const patienceMs = 120_000

describe.skipIf(reason !== undefined)(`scaling${reason === undefined ? '' : ` (${reason})`}`, () => {
  const ends: (() => unknown)[] = []
  let faas: OpenFaas

  beforeAll(async () => {
    const folder = temporaryFolder()
    ends.push(folder.remove)
    mkdirSync(folder.path, { recursive: true })
    faas = await anOpenFaas({ folder: folder.path, parts: ['prometheus', 'alertmanager', 'data-path', 'provider', 'gateway'] })
    ends.push(faas.close)
  }, 120_000)

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  }, 120_000)

  it('goes up under load and down after it, and fails no request', { timeout: 3 * patienceMs }, async () => {
    const envVars = {
      FOOTFALL_MODE: 'distributed',
      FOOTFALL_KAFKA: '127.0.0.1:9092',
      FOOTFALL_REDIS: 'redis://127.0.0.1:6379',
      FOOTFALL_CASSANDRA: '127.0.0.1:9042;dc1',
      FOOTFALL_NATS: 'nats://127.0.0.1:4222',
    }
    const labels = { 'com.openfaas.scale.max': '3', 'com.openfaas.scale.factor': '100' }
    const body = { service: 'serve-dashboard', image: 'footfall/serve-dashboard:0.1.0', envVars, labels }
    expect((await faas.ask('POST', '/system/functions', body)).status).toBe(202)
    await faas.ready()
    const replicas = async (): Promise<number> => (await faas.functions())[0]!.availableReplicas
    expect(await replicas()).toBe(1)

    let isLoaded = true
    const statuses = new Map<number, number>()
    const load = async () => {
      while (isLoaded) {
        const { status } = await fetch(`${faas.gateway}/function/serve-dashboard/`).catch(() => ({ status: 0 }))
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    }
    const loads = Array.from({ length: 4 }, load)
    try {
      await until('more replicas', async () => ((await replicas()) === 3 ? true : undefined), patienceMs)
    } finally {
      isLoaded = false
    }
    await Promise.all(loads)
    await until('as few as before', async () => ((await replicas()) === 1 ? true : undefined), patienceMs)
    expect([...statuses.keys()]).toEqual([200])
  })
})

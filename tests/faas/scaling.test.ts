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

  it('Prometheus reads the metrics of each replica, as the provider names them', { timeout: 2 * patienceMs }, async () => {
    const envVars = {
      FOOTFALL_MODE: 'distributed',
      FOOTFALL_KAFKA: '127.0.0.1:9092',
      FOOTFALL_REDIS: 'redis://127.0.0.1:6379',
      FOOTFALL_CASSANDRA: '127.0.0.1:9042;dc1',
      FOOTFALL_NATS: 'nats://127.0.0.1:4222',
    }
    const labels = { 'com.openfaas.scale.max': '3', 'com.openfaas.scale.factor': '100' }
    const annotations = { 'prometheus.io.scrape': 'true' }
    const body = { service: 'serve-dashboard', image: 'footfall/serve-dashboard:0.1.0', envVars, labels, annotations }
    expect((await faas.ask('POST', '/system/functions', body)).status).toBe(202)
    await faas.ready()
    const prometheus = faas.find('prometheus')!.address
    type Answer = { data: { result: { metric: Record<string, string>; value: [number, string] }[] } }
    const query = async (text: string) =>
      ((await (await fetch(`http://${prometheus}/api/v1/query?query=${encodeURIComponent(text)}`)).json()) as Answer).data.result
    const asked = 'footfall_ready{job="functions",function="serve-dashboard"}'
    const [sample] = await until('its metrics', async () => ((await query(asked)).length > 0 ? query(asked) : undefined), patienceMs)
    expect([sample!.metric['replica'], sample!.value[1]]).toEqual(['serve-dashboard-0', '1'])
    expect((await query('up{job="functions",function="serve-dashboard"}')).map(({ value }) => value[1])).toEqual(['1'])
    // Who does not know the password is not told where replicas are.
    expect((await fetch(`http://${faas.find('provider')!.address}/prometheus/targets`)).status).toBe(401)
  })

  it('goes up under load and down after it, and fails no request', { timeout: 3 * patienceMs }, async () => {
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

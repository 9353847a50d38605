import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FunctionName, functionNames } from '#shared/runtime/routes.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { nats } from '../../scripts/services/nats.ts'
import { redis } from '../../scripts/services/redis.ts'
import { until } from '../process/server.ts'
import { functionService } from './functions.ts'
import { anInstallation, type Installed } from './installation.ts'
import { aPlace, reasonAgainst } from './place.ts'

const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

/** Every function as a process of its own over real Kafka, Redis, Cassandra and NATS: a click is in the numbers. */

const reasons = await Promise.all([kafka, cassandra, redis, nats].map(reasonAgainst))

describe.skipIf(reasons.some((reason) => reason !== undefined))('the distributed mode', () => {
  let home: Installed
  beforeAll(async () => {
    home = await anInstallation()
  }, 180_000)
  afterAll(() => home?.close())

  const hit = (fields: Record<string, unknown>) =>
    fetch(`${home.url}/api/hit`, {
      method: 'POST',
      headers: { 'user-agent': firefox },
      body: JSON.stringify({ name: 'pageview', ...fields }),
    })

  it('counts a click within a moment, site by site, on whatever partition', async () => {
    const sites = ['a.example', 'b.example', 'c.example', 'd.example']
    for (const site of sites) await home.getSoon('POST', '/api/sites', { site })
    for (const [i, site] of sites.entries())
      for (let n = 0; n <= i; n++) {
        const answered = await until('the salts of today', async () => {
          const { status } = await hit({ id: `${site}-${n}-${'x'.repeat(20)}`, site, url: `https://${site}/page-${n}` })
          return status === 202 ? status : undefined
        })
        expect(answered).toBe(202)
      }
    for (const [i, site] of sites.entries()) {
      const { hours } = await home.settled(site)
      expect(hours.reduce((sum: number, { counted }: { counted: number }) => sum + counted, 0)).toBe(i + 1)
      const { results } = await home.get('POST', '/api/v2/query', {
        site_id: site,
        date_range: 'day',
        metrics: ['visitors', 'pageviews'],
      })
      expect(results[0].metrics).toEqual([1, i + 1])
    }
  })

  /** A metric of a function: the sum over its labels, where some are not named. */
  const metric = async (name: FunctionName, what: string, labels = ''): Promise<number | undefined> => {
    const text = await (await fetch(`${home.urls[name]}/metrics`)).text()
    const values = text
      .split('\n')
      .filter((line) => line.startsWith(`${what}{`) && line.includes(labels))
      .map((line) => Number(line.split(' ').at(-1)))
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0)
  }
  const readiness = async (url: string) => (await fetch(`${url}/_/ready`)).status

  it('tells at /metrics what became of the hits', async () => {
    expect(await metric('collect-hit', 'footfall_hits_total', 'outcome="accepted"')).toBe(10)
    expect(await metric('collect-hit', 'footfall_http_requests_total', 'route="/api/hit",status="2xx"')).toBe(10)
    expect(await metric('enrich-session', 'footfall_enriched_hits_total', 'outcome="counted"')).toBe(10)
    expect(await metric('enrich-session', 'footfall_visits_total')).toBe(4)
    expect(await metric('rollup-window', 'footfall_unflushed_age_seconds')).toBeGreaterThan(0)
    expect(await metric('rollup-window', 'footfall_redis_memory_limit_bytes')).toBe(256 * 2 ** 20)
    expect(await metric('rollup-window', 'footfall_redis_memory_used_bytes')).toBeGreaterThan(100_000)
    for (const name of functionNames) expect([name, await metric(name, 'footfall_ready')]).toEqual([name, 1])
    for (const name of functionNames) expect([name, await readiness(home.urls[name]!)]).toEqual([name, 200])
  })

  it('without Redis those that have reached it stay ready, and say what is wrong; one that has not takes no place', async () => {
    await home.redis.kill()
    const place = await aPlace(functionService('query-metrics', home.env))
    try {
      const late = await place.start()
      expect(await readiness(`http://${late.address}`)).toBe(503)
      expect(await readiness(home.urls['query-metrics']!)).toBe(200)
      expect((await home.ask('GET', '/api/ledger?site=a.example')).body).toMatchObject({ code: 'store-unavailable' })
      await until('Redis to be told as away', async () => ((await metric('query-metrics', 'footfall_redis_up')) === 0 ? true : undefined))
      expect(await metric('query-metrics', 'footfall_store_errors_total', 'store="redis"')).toBeGreaterThan(0)
      await home.redis.start()
      await until('the late one to be ready', async () => ((await readiness(`http://${late.address}`)) === 200 ? true : undefined))
      await until('Redis to be told as back', async () => ((await metric('query-metrics', 'footfall_redis_up')) === 1 ? true : undefined))
    } finally {
      await place.end()
    }
  })
})

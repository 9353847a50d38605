import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { nats } from '../../scripts/services/nats.ts'
import { redis } from '../../scripts/services/redis.ts'
import { until } from '../process/server.ts'
import { anInstallation, type Installed } from './installation.ts'
import { reasonAgainst } from './place.ts'

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
})

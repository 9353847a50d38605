import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Kafka, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { kafka } from '../../scripts/services/kafka.ts'
import { nats } from '../../scripts/services/nats.ts'
import { redis } from '../../scripts/services/redis.ts'
import { until } from '../process/server.ts'
import { anInstallation, type Installed } from './installation.ts'
import { reasonAgainst } from './place.ts'

/**
 * The distributed mode whole, while it moves to topics with more partitions, and after its topics were deleted: what was answered 2xx is
 * counted once, whenever it came.
 */

const reasons = await Promise.all([kafka, cassandra, redis, nats].map(reasonAgainst))
const root = join(import.meta.dirname, '../..')
const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const sites = ['a.example', 'b.example', 'c.example']
const patienceMs = 300_000

describe.skipIf(reasons.some((reason) => reason !== undefined))('topics of other generations', () => {
  let home: Installed
  /** Ids that were answered 202, by site. */
  const ok = new Map(sites.map((site) => [site, new Set<string>()]))
  let sent = 0

  beforeAll(async () => {
    home = await anInstallation({ partitions: 2 })
    for (const site of sites) await home.getSoon('POST', '/api/sites', { site, identity: 'cookie' })
  }, 180_000)
  afterAll(() => home?.close())

  /** Sends a hit until it is answered 202; answers how often it was not. */
  const send = async (site: string, id: string): Promise<number> => {
    const body = JSON.stringify({ site, id, name: 'pageview', url: `https://${site}/`, visitor: 'one-visitor-1.20260101' })
    let refused = 0
    await until(`an answer to ${id}`, async () => {
      const { status } = await fetch(`${home.url}/api/hit`, { method: 'POST', headers: { 'user-agent': firefox }, body })
      if (status !== 202) refused++
      return status === 202 ? true : undefined
    })
    ok.get(site)!.add(id)
    return refused
  }
  const sendNew = async (count: number): Promise<number> => {
    let refused = 0
    for (let n = 0; n < count; n++) refused += await send(sites[sent % sites.length]!, `hit-${sent++}-${'x'.repeat(16)}`)
    return refused
  }
  const resend = async (): Promise<void> => {
    for (const [site, ids] of ok) for (const id of ids) await send(site, id)
  }

  const migrate = async (...more: string[]): Promise<string> => {
    const args = [join(root, 'scripts/footfall.mjs'), 'migrate', '--replication', '1', ...more]
    const env = { ...process.env, ...home.env, FOOTFALL_MODE: 'distributed', NODE_OPTIONS: '' }
    return (await promisify(execFile)(process.execPath, args, { env })).stdout
  }

  /** All that was answered is in the answers, once, and is one visitor, wherever his hits lie. */
  const check = async (): Promise<void> => {
    for (const site of sites) {
      const { hours, balanced } = await home.settled(site, patienceMs)
      const total = (name: 'counted' | 'lost') => hours.reduce((sum: number, hour: Record<string, number>) => sum + hour[name]!, 0)
      expect([site, total('counted'), total('lost'), balanced]).toEqual([site, ok.get(site)!.size, 0, true])
      const { results, meta } = await home.get('POST', '/api/v2/query', {
        site_id: site,
        date_range: 'all',
        metrics: ['visitors', 'pageviews'],
      })
      expect([site, ...results[0].metrics, meta.incomplete_since]).toEqual([site, 1, ok.get(site)!.size, undefined])
    }
  }

  it('are moved to while hits come in, and repeats are known in them', { timeout: patienceMs }, async () => {
    await until('the salts of today', async () => ((await sendNew(1)) >= 0 ? true : undefined))
    await sendNew(29)
    await check()
    let isDone = false
    const moved = migrate('--new-topics', '--partitions', '5').finally(() => {
      isDone = true
    })
    let refused = 0
    while (!isDone) {
      refused += await sendNew(3)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    expect(await moved).toContain('Generation 1 takes hits, in 5 partitions of hits-1.')
    expect(await moved).toContain('Generation 0 takes no more hits')
    expect(refused).toBe(0)
    expect((await home.topics.generations.list()).map(({ state }) => state)).toEqual(['ended', 'open'])
    await sendNew(30)
    await resend()
    await check()
  })

  it('are taken over where hits were deleted and made anew, with what came until somebody did something', {
    timeout: patienceMs,
  }, async () => {
    const admin = new Kafka({ brokers: home.kafkas.map((part) => part.process().address), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    await admin.deleteTopics({ topics: ['hits-1', 'events-1'] })
    await admin.disconnect()
    await until('the topics to be made anew', () =>
      home.topics.topics.make({ hits: 'hits-1', events: 'events-1', dead: 'dead-1' }, { partitions: 5, copies: 1 }).catch(() => undefined),
    )
    await sendNew(30)
    const [trigger] = home.triggers
    await until('the alarm', () => readFileSync(trigger!.process().log, 'utf8').includes('topic was made anew') || undefined, patienceMs)
    const reply = await home.ask('POST', '/api/v2/query', { site_id: sites[0], date_range: 'all', metrics: ['pageviews'] })
    const { meta } = reply.body as { meta: { incomplete_since?: string } }
    expect(meta.incomplete_since).toEqual(expect.any(String))
    await expect(migrate()).rejects.toMatchObject({ stderr: expect.stringContaining('footfall migrate --new-topics') })

    expect(await migrate('--new-topics')).toContain('Generation 2 takes hits, in 5 partitions of hits-1.')
    expect((await home.topics.generations.list()).map(({ state }) => state)).toEqual(['ended', 'gone', 'open'])
    await sendNew(30)
    await resend()
    await check()
    expect(await migrate()).toContain('generation 2 takes hits')
  })
})

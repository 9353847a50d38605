import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { createHandler as createCollect } from '#functions/collect-hit/handler.ts'
import { createHandler as createEnrich } from '#functions/enrich-session/handler.ts'
import { createHandler as createQuery } from '#functions/query-metrics/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import type { Handler } from '#shared/handler.ts'
import type { Topic } from '#shared/ports/log.ts'
import { hashOf } from '#shared/site/access.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { createLoop } from '#shared/trigger/loop.ts'
import { wire } from '#shared/wire.ts'
import { aSiteConfig, minute, noon } from './fixtures/hit.ts'
import { createRandom } from './model/random.ts'
import { createVirtualClock } from './model/virtual-clock.ts'

/**
 * What versions of Footfall that run side by side hand to each other, as version 0.1 writes it: records of both topics, visits and rows of
 * the state. The files in fixtures/records stay for ever: they must be readable, and mean the same. While today's code writes the same bytes,
 * old and new functions may be mixed in any order.
 *
 * Red here means that a format has changed. Keep the files; write what is new into files of their own, under the next version; let readers
 * that know both be deployed before the first writer (docs/operations.md, upgrade). `FORMATS_WRITE=1` writes files that are not there.
 * Segments have such files in tests/segment/fixtures.
 */
const folder = join(import.meta.dirname, 'fixtures/records')

const golden = (name: string, now: readonly string[]): string[] => {
  const path = join(folder, name)
  if (!existsSync(path) && process.env['FORMATS_WRITE'] === '1') {
    mkdirSync(folder, { recursive: true })
    writeFileSync(path, now.map((line) => `${line}\n`).join(''))
  }
  return readFileSync(path, 'utf8').trim().split('\n')
}

const hits = [
  {
    hits: [
      {
        id: 'formats-0001',
        url: 'https://example.com/docs?utm_source=news&utm_campaign=june',
        referrer: 'https://mail.example/',
        title: 'Docs',
      },
      { id: 'formats-0002', url: 'https://example.com/docs', name: 'signup', props: { plan: 'pro', seats: 3, trial: false } },
      { id: 'formats-0003', url: 'https://example.com/paid', name: 'order', revenue: { amount: '12.99', currency: 'EUR' }, user: 'u-1' },
      { id: 'formats-0004', url: 'https://example.com/docs', name: 'engagement', engaged: 4200, scroll: 80 },
    ].map((hit) => ({ site: 'example.com', visitor: 'jane.20260610', screen: '1920x1080', language: 'de-DE', ...hit })),
  },
  { site: 'example.com', id: 'formats-0005', url: 'https://example.com/', visitor: 'joe.20260609' },
  // Sent again, by a robot, and refused.
  { site: 'example.com', id: 'formats-0005', url: 'https://example.com/', visitor: 'joe.20260609' },
  { site: 'example.com', id: 'formats-0006', url: 'https://example.com/robot' },
  { site: 'example.com', id: 'formats-0007', url: 7 },
]

const numbers = { metrics: ['visitors', 'visits', 'pageviews', 'events', 'bounce_rate', 'total_revenue'] }

/** An installation in memory. */
const anInstallation = async () => {
  const clock = createVirtualClock(noon, createRandom(1))
  const stores = await wire(':memory:', 'all', clock)
  const key = `ff_read_${'k'.repeat(43)}`
  await stores.sites.put(aSiteConfig())
  await stores.secrets.put({ hash: hashOf(key), kind: 'key', role: 'read', site: '', label: '', created: 0, until: 0 })
  for (const date of [20260609, 20260610]) await stores.salts.make(date, clock.random(16))
  const device = { br: 'Firefox', brv: '140', os: 'Linux', osv: '6', type: 'Desktop' as const }
  const agents = (agent: string) => (agent.startsWith('curl') ? { device, bot: 'library' } : { device })
  const edge = { agents, places: () => ({ c: 'DE', r: 'DE-BE', ci: 'Berlin' }), isTrustedProxy: () => false }
  const collect = createCollect({ ...stores, clock, ...edge }, { rate: 0 })
  const query = createQuery({ ...stores, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  const ask = async (handle: Handler, path: string, body: unknown, headers: Record<string, string>) =>
    handle({ method: 'POST', path, query: '', headers, body: Buffer.from(JSON.stringify(body)), address: '192.0.2.7' })
  const logOf = async (topic: Topic): Promise<string[]> =>
    (await stores.log.read(topic, 0, 0, { records: 1_000, bytes: 1e9, waitMs: 0 })).map(({ body }) => body)
  const drain = async (name: string, topic: Topic, handler: Handler) => {
    const loop = createLoop({ name, topic, partition: 0 }, { log: stores.log, leases: stores.leases, clock, call: () => handler })
    const { end } = await stores.log.ends(topic, 0)
    for (let i = 0; i < 20 && loop.report().position !== end; i++) await loop.step(undefined, 0)
    expect(loop.report().position).toBe(end)
  }
  return {
    stores,
    logOf,
    collect: async () => {
      for (const [i, value] of hits.entries()) {
        clock.advance(minute)
        await ask(collect.handle, '/api/hit', value, { 'user-agent': i === 3 ? 'curl/8' : 'Mozilla/5.0 Firefox/140' })
      }
      await collect.flush()
    },
    append: (topic: Topic, bodies: string[]) => stores.log.append(topic, 0, bodies),
    enrich: () => drain('enrich-session', 'hits', createEnrich({ ...stores, clock })),
    rollup: () => drain('rollup-window', 'events', createRollup({ ...stores, clock })),
    visits: () =>
      stores.files.state
        .prepare('SELECT key, state FROM sess ORDER BY key')
        .all()
        .map((row) => JSON.stringify(row)),
    rows: () =>
      stores.files.state
        .prepare('SELECT site, day, "from", body FROM block ORDER BY site, day, "from"')
        .all()
        .map((row) => JSON.stringify(row)),
    putRows: (rows: readonly string[]) => {
      const put = stores.files.state.prepare('UPDATE block SET body = ? WHERE site = ? AND day = ? AND "from" = ?')
      for (const { site, day, from, body } of rows.map((row) => JSON.parse(row))) expect(put.run(body, site, day, from).changes).toBe(1)
    },
    numbers: async (): Promise<unknown> => {
      const body = { site_id: 'example.com', date_range: ['2026-06-10', '2026-06-10'], ...numbers }
      const reply = await ask(query, '/api/v2/query', body, { authorization: `Bearer ${key}` })
      return JSON.parse(String(reply.body)).results
    },
  }
}

describe('formats', () => {
  let now: Awaited<ReturnType<typeof anInstallation>>
  afterEach(() => now.stores.close())

  test('collect-hit writes records of hits as ever', async () => {
    now = await anInstallation()
    await now.collect()
    const written = await now.logOf('hits')
    expect(written).toEqual(golden('hits-1.ndjson', written))
    expect(written.length).toBe(6)
  })

  test('enrich-session reads them, and writes events and visits as ever', async () => {
    now = await anInstallation()
    await now.append('hits', golden('hits-1.ndjson', []))
    await now.enrich()
    const [events, visits] = [await now.logOf('events'), now.visits()]
    expect(events).toEqual(golden('events-1.ndjson', events))
    expect(visits).toEqual(golden('visits-1.ndjson', visits))
  })

  test('rollup-window reads events, and writes rows as ever; they mean what they meant', async () => {
    now = await anInstallation()
    await now.append('events', golden('events-1.ndjson', []))
    await now.rollup()
    const rows = now.rows()
    const known = golden('rows-1.ndjson', rows)
    expect(rows).toEqual(known)
    // What is asked is what an older process has left, also once a newer one writes something else.
    now.putRows(known)
    expect(await now.numbers()).toEqual([{ dimensions: [], metrics: [2, 2, 2, 4, 100, { currency: 'EUR', value: '12.99' }] }])
  })
})

import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHandler as createQueries } from '#functions/query-metrics/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import { hashOf, newKey } from '#shared/site/access.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { encodeBatch } from '#shared/trigger/envelope.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { anEvent, aSiteConfig, aTouch, hour, minute, noon, today } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** Exports through the life of a day: hot, flushed in part, flushed, closed; and while it goes on. */

let clock: VirtualClock
let stores: Stores
let ask: (method: string, path: string, query?: string, body?: unknown) => ReturnType<ReturnType<typeof createQueries>>
let rollup: ReturnType<typeof createRollup>
let offset = 0
beforeEach(async () => {
  offset = 0
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
  await stores.sites.put(aSiteConfig({ zones: [{ tz: 'UTC', from: 0 }] }))
  const key = newKey('read', clock)
  await stores.secrets.put({ hash: hashOf(key), kind: 'key', role: 'read', site: '', label: '', created: 0, until: 0 })
  const handle = createQueries({ ...stores, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  ask = (method, path, query = '', body = '') =>
    handle({
      ...{ method, path, query, headers: { authorization: `Bearer ${key}` }, address: '::1' },
      body: Buffer.from(JSON.stringify(body)),
    })
  rollup = createRollup({ ...stores, clock }, { holdMs: 0, flushRows: 1_000 }, (error) => {
    throw error
  })
  await tick()
})
afterEach(() => stores.close())

const tick = async (): Promise<void> => {
  const fence = await stores.memtables.fence(0)
  const records = await stores.log.read('events', 0, fence?.next ?? 0, { records: 10_000, bytes: 1e9, waitMs: 0 })
  const facts = { topic: 'events' as const, partition: 0, logTime: clock.now(), caughtUp: true, retry: false, mode: '' as const }
  for (const some of fence ? [records, []] : [[]])
    await rollup(encodeBatch('rollup-window', { ...facts, logId: '', logEnd: (await stores.log.ends('events', 0)).end, records: some }))
}
const later = async (ms: number): Promise<void> => {
  clock.advance(ms)
  await tick()
}

/** So many visits of a hit each; every third belongs to a visit that there was before. */
const put = async (n: number): Promise<void> => {
  const events = Array.from({ length: n }, () => {
    const at = offset++
    const isSecond = at % 3 === 2
    const hits = isSecond ? 2 : 1
    const touch = aTouch({
      s: { id: `0-${(isSecond ? at - 1 : at).toString(36)}-0`, pv: hits, ev: hits },
      h: [{ t: noon + at, path: `/${at}` }],
    })
    return anEvent({ at, lt: clock.now(), n: { hour: noon - (noon % hour), received: 1, counted: 1 }, x: [touch] })
  })
  await stores.log.append(
    'events',
    0,
    events.map((event) => JSON.stringify(event)),
  )
  await tick()
}

const open = async () => {
  const { status, body } = await ask('GET', '/api/v2/export', 'site_id=example.com&date_range=all&columns=page&format=ndjson')
  expect(status).toBe(200)
  return (body as AsyncIterable<string>)[Symbol.asyncIterator]()
}
const restOf = async (reader: AsyncIterator<string>): Promise<string[]> => {
  let text = ''
  for (let step = await reader.next(); !step.done; step = await reader.next()) text += step.value
  const lines = text.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line).page).sort()
}
const eventsOf = async (): Promise<number> => {
  const body = { site_id: 'example.com', metrics: ['events'], date_range: 'all' }
  return JSON.parse(String((await ask('POST', '/api/v2/query', '', body)).body)).results[0].metrics[0]
}
const pages = (count: number) => Array.from({ length: count }, (_, n) => `/${n}`).sort()
const levels = async () => (await stores.segments.list(0, 'example.com', today, today)).map(({ level }) => level)

test('each hit is a row, wherever its day is in its life', async () => {
  const check = async (): Promise<void> => {
    expect(await restOf(await open())).toEqual(pages(offset))
    expect(await eventsOf()).toBe(offset)
  }
  await put(29)
  await check()
  await later(60 * minute)
  expect(await levels()).toEqual([0])
  await check()
  await put(33)
  await check()
  await later(60 * minute)
  await put(5)
  await check()
  for (let n = 0; n < 5; n++) await later(24 * hour)
  expect(await levels()).toContain(1)
  await check()
})

test('what was there when it began is there to its end, while the day is flushed and goes on', async () => {
  await put(2_000)
  const reader = await open()
  const first = String((await reader.next()).value)
  await put(600)
  await later(60 * minute)
  await put(100)
  for (let n = 0; n < 5; n++) await later(24 * hour)
  const came = first.split('\n').slice(0, -1)
  expect([...came.map((line) => JSON.parse(line).page), ...(await restOf(reader))].sort()).toEqual(pages(2_000))
  expect(await restOf(await open())).toEqual(pages(2_700))
})

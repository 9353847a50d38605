import { afterEach, beforeEach, expect, test } from 'vitest'
import { createHandler } from '#functions/rollup-window/handler.ts'
import { readConfig } from '#shared/config.ts'
import type { Topic } from '#shared/ports/log.ts'
import type { Meter } from '#shared/ports/meter.ts'
import { openFunction } from '#shared/runtime/functions.ts'
import { saltDates } from '#shared/site/salts.ts'
import { encodeBatch } from '#shared/trigger/envelope.ts'
import { createLoop } from '#shared/trigger/loop.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { aHit, anEvent, aSiteConfig, hour, minute, noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** What the functions tell for metrics while hits go their way. */

let clock: VirtualClock
let stores: Stores
let told: unknown[][]
let meter: Meter
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
  for (const date of saltDates(noon).make) await stores.salts.make(date, Buffer.from(`salt of ${date}`))
  await stores.sites.put(aSiteConfig({ zones: [{ tz: 'UTC', from: 0 }] }))
  told = []
  const tell =
    (name: string) =>
    (...what: unknown[]) =>
      void told.push([name, ...what])
  meter = {
    hits: tell('hits'),
    enriched: ({ counted, repeated, dead }, visits) => void told.push(['enriched', { counted, repeated, dead }, visits]),
    dead: tell('dead'),
    flushed: tell('flushed'),
    unflushed: tell('unflushed'),
  }
})
afterEach(() => stores.close())

const since = (): unknown[][] => told.splice(0)

/** Hands over what the topic has from `from` on; with `from` beyond its end that is a tick. */
const batchOf = async (name: string, topic: Topic, from: number, retry = false) => {
  const records = await stores.log.read(topic, 0, from, { records: 100, bytes: 1e6, waitMs: 0 })
  const { id, end } = await stores.log.ends(topic, 0)
  return encodeBatch(name, { topic, partition: 0, logTime: clock.now(), logId: id, logEnd: end, caughtUp: true, retry, mode: '', records })
}

test('hits are told as they are taken, given to visits, and unusable', async () => {
  const { handle } = await openFunction('collect-hit', stores, readConfig({}), clock, { meter })
  const headers = { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' }
  const id = 'an-id-of-one-hit-0001'
  const hits = [aHit({ id }), aHit({ id }), aHit({ url: 'nowhere' }), aHit({ site: 'nobody.example' })]
  const body = Buffer.from(JSON.stringify({ hits }))
  const { status } = await handle({ method: 'POST', path: '/api/hit', query: '', headers, body, address: '192.0.2.1' })
  expect(status).toBe(202)
  expect(since()).toEqual([
    ['hits', 'bad-url', 1],
    ['hits', 'unknown-site', 1],
    ['hits', 'accepted', 2],
  ])

  await stores.log.append('hits', 0, ['no record'])
  const enrich = await openFunction('enrich-session', stores, readConfig({}), clock, { meter })
  const subscription = { name: 'enrich-session', topic: 'hits', partition: 0 } as const
  const loop = createLoop(subscription, { log: stores.log, leases: stores.leases, clock, call: () => enrich.handle })
  while (loop.report().position !== (await stores.log.ends('hits', 0)).end) await loop.step(undefined, 0)
  const enriched = since()
  expect(enriched.filter(([name]) => name === 'dead')).toEqual([['dead', 1]])
  expect(enriched).toContainEqual(['enriched', { counted: 1, repeated: 1, dead: 0 }, 1])
  // Once more, as after a lost answer: nothing is taken twice, so nothing is told twice.
  await enrich.handle(await batchOf('enrich-session', 'hits', 0, true))
  expect(since()).toEqual([])
})

test('rows that wait are told as old as they are, rows in segments are counted, and events that cannot be used', async () => {
  const handle = createHandler({ ...stores, clock }, { holdMs: 0 }, undefined, meter)
  const ask = async (from: number) => handle(await batchOf('rollup-window', 'events', from))
  await ask(99)
  await ask(99)
  expect(since()).toEqual([['unflushed', 0, 0]])
  await stores.log.append('events', 0, [
    JSON.stringify(anEvent({ at: 0, lt: noon, n: { received: 1, counted: 1 } })),
    JSON.stringify(anEvent({ at: 1, x: 7 } as never)),
  ])
  await ask(0)
  expect(since()).toContainEqual(['dead', 1])
  clock.advance(59 * minute)
  await ask(99)
  expect(since()).toEqual([['unflushed', 0, 59 * minute]])
  clock.advance(hour)
  await ask(99)
  const told = since()
  expect(told[0]).toEqual(['unflushed', 0, 59 * minute + hour])
  expect(told.some(([name, rows]) => name === 'flushed' && (rows as number) > 0)).toBe(true)
  await ask(99)
  expect(since()).toEqual([['unflushed', 0, 0]])
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHandler, type Ports } from '#functions/rollup-window/handler.ts'
import { FootfallError } from '#shared/errors.ts'
import type { LogRecord } from '#shared/ports/log.ts'
import { decodeLedger, decodeRows } from '#shared/rollup/block.ts'
import { feedLimit } from '#shared/rollup/feed.ts'
import { liveMs } from '#shared/rollup/fold.ts'
import { type Batch, type BatchAnswer, encodeBatch } from '#shared/trigger/envelope.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { anEvent, aTouch, minute, noon, today } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

let clock: VirtualClock
let stores: Stores
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
})
afterEach(() => stores.close())

const everything = { records: 10_000, bytes: 1e9, waitMs: 0 }
const putEvents = (...events: (Parameters<typeof anEvent>[0] | string)[]) =>
  stores.log.append(
    'events',
    0,
    events.map((event) => (typeof event === 'string' ? event : JSON.stringify(anEvent(event)))),
  )
const eventRecords = (from = 0) => stores.log.read('events', 0, from, everything)
const blocks = async (fromDay: number, toDay: number, site = 'example.com') => (await stores.memtables.read(0, site, fromDay, toDay)).blocks
const rows = async () => (await blocks(today, today)).flatMap(decodeRows)
const ledger = async (site = 'example.com') => (await blocks(-today, -today, site)).flatMap(decodeLedger)
const fence = async () => (await stores.memtables.fence(0))!

type Answer = BatchAnswer & { status: number }
const aStage = (ports: Partial<Ports> = {}) => {
  const handle = createHandler({ ...stores, clock, ...ports })
  const ask = async (records: LogRecord[], facts: Partial<Batch> = {}): Promise<Answer> => {
    const all = {
      topic: 'events' as const,
      partition: 0,
      logTime: clock.now(),
      logId: '',
      logEnd: 0,
      caughtUp: true,
      retry: false,
      mode: '' as const,
      ...facts,
    }
    const { status, body } = await handle(encodeBatch('rollup-window', { ...all, records }))
    return { status, ...JSON.parse(String(body)) }
  }
  return { ask }
}
const begun = async (ports: Partial<Ports> = {}) => {
  const stage = aStage(ports)
  await stage.ask([])
  return stage
}
const aVisit = (at: number, fields: Parameters<typeof aTouch>[0] = {}) => ({ at, n: { received: 1, counted: 1 }, x: [aTouch(fields)] })

describe('a batch in order', () => {
  test('rows, ledger, live sums and fence in one', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0, { opened: 1, h: [{ id: 'a', t: noon }] }), { at: 1, n: { received: 3, refused: { rate: 3 } } })
    expect(await ask(await eventRecords())).toEqual({ status: 200, next: 2 })
    expect(await fence()).toMatchObject({ next: 2, src: 1, logTime: noon })
    expect(await rows()).toMatchObject([{ off: 0, h: [{ id: 'a' }] }])
    expect(await ledger()).toMatchObject([{ n: { received: 4, counted: 1, refused: { rate: 3 } } }])
    expect(await stores.memtables.live(0, 'example.com', 0)).toEqual({
      visitors: 1,
      minutes: [{ minute: noon, pageviews: 1, events: 1, visits: 1 }],
    })
  })

  test('blocks hold exactly the rows of their interval of the log', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0), aVisit(1))
    await ask(await eventRecords())
    await putEvents(aVisit(2))
    await ask(await eventRecords(2))
    expect((await blocks(today, today)).map(({ from, to, rows: n }) => [from, to, n])).toEqual([
      [0, 2, 2],
      [2, 3, 1],
    ])
  })

  test('beyond the fence: sent back; below it: skipped; across it: only the rest', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0), aVisit(1), aVisit(2))
    expect(await ask(await eventRecords(1))).toEqual({ status: 409, seek: 0 })
    expect(await ask((await eventRecords()).slice(0, 2))).toEqual({ status: 200, next: 2 })
    expect(await ask((await eventRecords()).slice(0, 2))).toEqual({ status: 200, next: 2 })
    expect(await ask(await eventRecords(1))).toEqual({ status: 200, next: 3 })
    expect((await rows()).map(({ off }) => off)).toEqual([0, 1, 2])
    expect((await ledger()).reduce((sum, { n }) => sum + n.received, 0)).toBe(3)
  })

  test('misplaced events and what is none are passed over, the fence moves on', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0), 'no event', { ...aVisit(1), src: 1 }, '', { ...aVisit(4), src: 1 })
    expect(await ask(await eventRecords())).toEqual({ status: 200, next: 5 })
    expect((await rows()).map(({ off }) => off)).toEqual([0, 4])
    expect(await fence()).toMatchObject({ next: 5, src: 1 })
    await putEvents('no event')
    expect(await ask(await eventRecords(5))).toEqual({ status: 200, next: 6 })
    expect(await fence()).toMatchObject({ next: 6, src: 1, logTime: noon })
  })

  test('a gap without a word stops the partition, one that says how much was lost does not', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0), { at: 1, src: 9, site: '', n: { lost: 9 } })
    expect(await ask(await eventRecords())).toEqual({ status: 200, next: 2 })
    expect(await ledger('')).toMatchObject([{ n: { lost: 9 } }])
    await putEvents({ at: 2, src: 12 })
    await expect(ask(await eventRecords(2))).rejects.toMatchObject({ code: 'partition-stopped' })
    expect(await fence()).toMatchObject({ next: 2, src: 9 })
  })
})

describe('fence', () => {
  test('with no state it begins at the first event there is', async () => {
    await putEvents(aVisit(0), aVisit(1))
    expect(await aStage().ask(await eventRecords())).toEqual({ status: 409, seek: 0 })
    expect(await aStage().ask(await eventRecords())).toEqual({ status: 200, next: 2 })
    expect(await fence()).toMatchObject({ next: 2, src: 1 })
  })

  test('with no state and the first events gone it stops: never a smaller number', async () => {
    await putEvents(aVisit(0), aVisit(1))
    await stores.log.trim('events', 0, 1)
    expect(await aStage().ask(await eventRecords(1))).toEqual({ status: 409, seek: 1 })
    await expect(aStage().ask(await eventRecords(1))).rejects.toMatchObject({ code: 'partition-stopped' })
  })

  test('lost and begun again it is another generation, with the same rows', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0), aVisit(1))
    await ask(await eventRecords())
    const before = { rows: await rows(), ledger: await ledger(), gen: (await fence()).gen }
    stores.files.state.exec(
      'DELETE FROM rollup_fence; DELETE FROM block; DELETE FROM memtable; DELETE FROM sealed; DELETE FROM seen; DELETE FROM minute',
    )
    await ask([])
    await ask(await eventRecords())
    expect([await rows(), await ledger()]).toEqual([before.rows, before.ledger])
    expect((await fence()).gen).not.toBe(before.gen)
  })

  test('of two at the same time one commits, the other is sent on; rows are there once', async () => {
    await begun()
    await putEvents(aVisit(0))
    const records = await eventRecords()
    const answers = await Promise.all([aStage().ask(records), aStage().ask(records)])
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409])
    expect(answers).toContainEqual({ status: 409, seek: 1 })
    expect(await rows()).toHaveLength(1)
    expect((await ledger()).length).toBe(1)
  })

  test('a commit that fails moves nothing', async () => {
    await begun()
    await putEvents(aVisit(0))
    const { ask } = aStage({ memtables: { ...stores.memtables, commit: () => Promise.reject(new FootfallError('store-unavailable')) } })
    await expect(ask(await eventRecords())).rejects.toMatchObject({ code: 'store-unavailable' })
    expect(await fence()).toMatchObject({ next: 0, src: -1 })
  })

  test.each<[string, () => void]>([
    ['another topic', () => stores.files.state.exec("UPDATE rollup_fence SET topic = 'another'")],
    ['a fence beyond the end', () => stores.files.state.exec('UPDATE rollup_fence SET next = 7')],
  ])('%s stops the partition', async (_what, breakIt) => {
    const { ask } = await begun()
    await putEvents(aVisit(0))
    breakIt()
    await expect(ask([])).rejects.toMatchObject({ code: 'partition-stopped', status: 500 })
    await expect(ask(await eventRecords(), { retry: true })).rejects.toMatchObject({ code: 'partition-stopped' })
    expect(await rows()).toEqual([])
  })

  test('events that are gone stop the partition: they were never counted', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0), aVisit(1), aVisit(2))
    await stores.log.trim('events', 0, 2)
    await expect(ask([])).rejects.toMatchObject({ code: 'partition-stopped' })
    await expect(ask(await eventRecords(2))).rejects.toMatchObject({ code: 'partition-stopped' })
  })
})

describe('an event whose content cannot be used', () => {
  const unusable: [string, Record<string, unknown>, site: string, ledger: Record<string, unknown>][] = [
    ['no visits', { x: 7 }, 'example.com', { received: 3, counted: 0, repeated: 1, dead: 2 }],
    ['a visit that is none', { x: [null] }, 'example.com', { received: 3, dead: 2 }],
    ['a visit without days', { x: [aTouch({ s: { days: [] } })] }, 'example.com', { received: 3, dead: 2 }],
    ['a hit on a day the visit has not', { x: [aTouch({ h: [{ day: 20200101 }] })] }, 'example.com', { received: 3, dead: 2 }],
    ['a time that is none', { x: [aTouch({ h: [{ t: 'soon' as never }] })] }, 'example.com', { received: 3, dead: 2 }],
    ['a row no segment can hold', { x: [aTouch({ s: { user: 'me' } })] }, 'example.com', { received: 3, dead: 2 }],
    ['a field nobody knows', { x: [aTouch({ h: [{ later: 1 } as never] })] }, 'example.com', { received: 3, dead: 2 }],
    ['a site that is none', { site: { a: 1 } }, '', { received: 3, dead: 2 }],
    ['no site', { site: undefined }, '', { received: 3, dead: 2 }],
    ['no sums', { n: undefined }, 'example.com', { received: 1, dead: 1 }],
    ['sums that are none', { n: { hour: noon, received: 'x' } }, 'example.com', { received: 1, dead: 1 }],
    [
      'sums that are more than they say',
      { x: null, n: { ...anEvent().n, received: 1, repeated: 2 } },
      'example.com',
      { received: 1, dead: 1 },
    ],
    ['no log time', { lt: null }, 'example.com', { received: 3, dead: 2 }],
  ]
  test.each(unusable)('%s: dead in the ledger, and the partition goes on', async (_what, fields, site, expected) => {
    const { ask } = await begun()
    const bad = JSON.stringify({ ...anEvent({ at: 1, n: { received: 3, counted: 2, repeated: 1 }, x: [aTouch()] }), ...fields })
    await putEvents(aVisit(0, { h: [{ id: 'a' }] }), bad, aVisit(2, { h: [{ id: 'c' }] }))
    expect(await ask(await eventRecords())).toEqual({ status: 200, next: 3 })
    expect(await fence()).toMatchObject({ next: 3, src: 2, logTime: noon })
    expect((await rows()).flatMap(({ h }) => h.map(({ id }) => id))).toEqual(['a', 'c'])
    const sums = (await ledger(site)).map(({ n }) => n)
    expect(sums[0]).toMatchObject(
      site === '' ? expected : { received: 2 + Number(expected['received']), counted: 2, dead: expected['dead'] },
    )
  })

  test('one that is parked is dead with its hits, whatever it holds', async () => {
    const { ask } = await begun()
    await putEvents(aVisit(0, { h: [{ id: 'a' }] }), aVisit(1, { h: [{ id: 'b' }] }), aVisit(2, { h: [{ id: 'c' }] }))
    await ask((await eventRecords()).slice(0, 1))
    expect(await ask((await eventRecords(1)).slice(0, 1), { mode: 'park' })).toEqual({ status: 200, next: 2 })
    await ask(await eventRecords(2))
    expect((await rows()).flatMap(({ h }) => h.map(({ id }) => id))).toEqual(['a', 'c'])
    expect(await fence()).toMatchObject({ next: 3, src: 2 })
    expect((await ledger()).map(({ n }) => [n.counted, n.dead])).toEqual([
      [1, 0],
      [0, 1],
      [1, 0],
    ])
  })

  test('is dead alone and in company, in one batch and in many', async () => {
    const bad = JSON.stringify({ ...anEvent({ at: 1, n: { received: 2, counted: 1, flagged: { data_center: 1 } } }), x: [{}] })
    const { ask } = await begun()
    await putEvents(aVisit(0), bad, aVisit(2))
    for (const at of [0, 1, 2]) await ask((await eventRecords(at)).slice(0, 1))
    const apart = { rows: await rows(), sums: (await ledger()).map(({ n }) => n) }
    expect(apart.sums[1]).toEqual({ hour: noon, received: 2, counted: 0, repeated: 0, dead: 2, lost: 0 })
    stores.files.state.exec(
      'DELETE FROM rollup_fence; DELETE FROM block; DELETE FROM memtable; DELETE FROM sealed; DELETE FROM seen; DELETE FROM minute',
    )
    await ask([])
    await ask(await eventRecords())
    expect(await rows()).toEqual(apart.rows)
    expect((await ledger()).map(({ n }) => [n.received, n.counted, n.dead])).toEqual([[4, 2, 2]])
  })

  test('tells the live feed nothing', async () => {
    const { ask } = await begun()
    const live: string[] = []
    stores.bus.subscribe('live.example.com', (message) => live.push(message))
    await putEvents({ ...aVisit(0), lt: 'never' as never })
    await ask(await eventRecords())
    expect(live).toEqual([])
  })
})

test('names that objects have of their own are names like any other', async () => {
  const { ask } = await begun()
  await putEvents({ at: 0, site: '__proto__', n: { received: 1, flagged: JSON.parse('{"__proto__":1}') }, x: [aTouch()] })
  expect(await ask(await eventRecords())).toEqual({ status: 200, next: 1 })
  expect(JSON.stringify((await ledger('__proto__'))[0]!.n.flagged)).toBe('{"__proto__":1}')
})

describe('the live feed', () => {
  const heard = (subject: string): string[] => {
    const messages: string[] = []
    stores.bus.subscribe(subject, (message) => messages.push(message))
    return messages
  }

  test('tells of hits after they are committed, and that there is news', async () => {
    const { ask } = await begun()
    const live = heard('live.example.com')
    const fresh = heard('fresh.example.com')
    await putEvents(aVisit(0, { s: { country: 'DE', city: 'Ulm', src: 'Google' }, h: [{ id: 'secret', path: '/a', t: noon }] }))
    await ask(await eventRecords())
    expect(live.map((message) => JSON.parse(message))).toEqual([
      { time: noon, name: 'pageview', page: '/a', country: 'DE', source: 'Google' },
    ])
    expect(fresh).toEqual([''])
  })

  test('never of what was not committed', async () => {
    await begun()
    const live = heard('live.example.com')
    await putEvents(aVisit(0))
    await aStage({ memtables: { ...stores.memtables, commit: async () => 'stale' } }).ask(await eventRecords())
    expect(live).toEqual([])
  })

  test('at most twenty hits a second and site', async () => {
    const { ask } = await begun()
    const live = heard('live.example.com')
    for (let i = 0; i < 5; i++) {
      await putEvents(aVisit(i, { h: Array.from({ length: 15 }, () => ({ t: noon })) }))
      await ask(await eventRecords(i))
    }
    expect(live).toHaveLength(feedLimit)
    clock.advance(1_000)
    await putEvents(aVisit(5))
    await ask(await eventRecords(5))
    expect(live).toHaveLength(feedLimit + 1)
  })

  test('hits of other sites have a budget of their own', async () => {
    const { ask } = await begun()
    const other = heard('live.other.example')
    await putEvents(aVisit(0, { h: Array.from({ length: 50 }, () => ({ t: noon })) }), { ...aVisit(1), site: 'other.example' })
    await ask(await eventRecords())
    expect(other).toHaveLength(1)
  })
})

test('a tick forgets who was seen an hour ago, by the time of the log', async () => {
  const { ask } = await begun()
  await putEvents(aVisit(0, { h: [{ t: noon }] }))
  await ask(await eventRecords())
  await ask([], { logTime: noon + liveMs - minute })
  expect((await stores.memtables.live(0, 'example.com', 0)).visitors).toBe(1)
  expect(await ask([], { logTime: noon + liveMs + minute })).toEqual({ status: 200, next: 1 })
  expect(await stores.memtables.live(0, 'example.com', 0)).toEqual({ visitors: 0, minutes: [] })
  expect(await rows()).toHaveLength(1)
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHandler, limits, type Options, type Ports } from '#functions/enrich-session/handler.ts'
import { FootfallError } from '#shared/errors.ts'
import type { LogRecord } from '#shared/ports/log.ts'
import type { EnrichFence } from '#shared/ports/sessions.ts'
import { type Batch, type BatchAnswer, encodeBatch } from '#shared/trigger/envelope.ts'
import type { EventRecord } from '#shared/visit/event.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { anEvent, aRecord, aSiteConfig, hour, minute, noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

let clock: VirtualClock
let stores: Stores
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
  await stores.sites.put(aSiteConfig())
})
afterEach(() => stores.close())

const everything = { records: 10_000, bytes: 1e9, waitMs: 0 }
const putHits = (...records: unknown[]) =>
  stores.log.append(
    'hits',
    0,
    records.map((record) => (typeof record === 'string' ? record : JSON.stringify(record))),
  )
const putEvents = (...records: unknown[]) =>
  stores.log.append(
    'events',
    0,
    records.map((record) => (typeof record === 'string' ? record : JSON.stringify(record))),
  )
const hits = (from = 0) => stores.log.read('hits', 0, from, everything)
const eventRecords = (from = 0) => stores.log.read('events', 0, from, everything)
const events = async (): Promise<EventRecord[]> => (await eventRecords()).map(({ body }) => JSON.parse(body))
const dead = async () => (await stores.log.read('dead', 0, 0, everything)).map(({ body }) => JSON.parse(body))
const fence = async () => (await stores.sessions.load(0, [], [], [])).fence!

type Answer = BatchAnswer & { status: number }
const aStage = (ports: Partial<Ports> = {}, options: Options = {}) => {
  const handle = createHandler({ ...stores, clock, ...ports }, options)
  const ask = async (records: LogRecord[], facts: Partial<Batch> = {}): Promise<Answer> => {
    const all = {
      topic: 'hits' as const,
      partition: 0,
      logTime: clock.now(),
      logId: '',
      logEnd: 0,
      caughtUp: true,
      retry: false,
      mode: '' as const,
      ...facts,
    }
    const { status, body } = await handle(encodeBatch('enrich-session', { ...all, records }))
    return { status, ...JSON.parse(String(body)) }
  }
  /** What the trigger does: goes where it is told until all hits are taken. */
  const drain = async (): Promise<void> => {
    let position = 0
    let catchup: number | undefined
    for (let i = 0; i < 100; i++) {
      const answer =
        catchup === undefined
          ? await ask(await hits(position), { retry: i === 0 })
          : await ask(await eventRecords(catchup), { topic: 'events', mode: 'catchup' })
      if ('seek' in answer) position = answer.seek
      else if ('catchup' in answer) catchup = answer.catchup
      else {
        position = answer.next
        if (answer.ev !== undefined) catchup = answer.end ? undefined : answer.ev
        if (catchup === undefined && position === (await stores.log.ends('hits', 0)).end) return
      }
    }
    throw new Error('never done')
  }
  return { ask, drain }
}

/** A stage that has begun: its fence stands at 0. */
const begun = async (ports: Partial<Ports> = {}) => {
  const stage = aStage(ports)
  await stage.ask([])
  await stage.ask([], { topic: 'events', mode: 'catchup' })
  return stage
}

/** A log, sessions or sites port of which some methods do something else. */
const altered = <K extends keyof Stores>(name: K, methods: Partial<Stores[K]>): Pick<Stores, K> =>
  ({ [name]: { ...stores[name], ...methods } }) as unknown as Pick<Stores, K>

describe('a batch in order', () => {
  test('one event per record, each where it says, then the fence behind all of it', async () => {
    const { ask } = await begun()
    await putHits(
      aRecord({ ev: [{ id: 'a' }] }),
      { v: 1, site: 'example.com', led: { rate: 2 }, hour: noon },
      aRecord({ ev: [{ id: 'b' }, { id: 'a' }] }),
    )
    expect(await ask(await hits())).toEqual({ status: 200, next: 3 })
    expect((await events()).map(({ src, at, site, n }) => ({ src, at, site, n }))).toEqual([
      { src: 0, at: 0, site: 'example.com', n: { hour: noon, received: 1, counted: 1, repeated: 0, dead: 0, lost: 0 } },
      {
        src: 1,
        at: 1,
        site: 'example.com',
        n: { hour: noon, received: 2, counted: 0, refused: { rate: 2 }, repeated: 0, dead: 0, lost: 0 },
      },
      { src: 2, at: 2, site: 'example.com', n: { hour: noon, received: 2, counted: 1, repeated: 1, dead: 0, lost: 0 } },
    ])
    expect(await fence()).toMatchObject({ next: 3, ev: 3, logTime: noon, mode: '' })
  })

  test('state goes on from batch to batch', async () => {
    const { ask } = await begun()
    await putHits(aRecord({ ev: [{ t: noon }] }))
    await ask(await hits())
    await putHits(aRecord({ ev: [{ t: noon + minute }] }))
    await ask(await hits(1))
    expect((await events()).map(({ x }) => [x[0]!.s.id, x[0]!.s.pv])).toEqual([
      ['0-0-0', 1],
      ['0-0-0', 2],
    ])
  })

  test('log time is a running maximum', async () => {
    const { ask } = await begun()
    await putHits(aRecord(), aRecord())
    const [a, b] = await hits()
    await ask([
      { ...a!, time: noon + hour },
      { ...b!, time: noon },
    ])
    expect((await events()).map(({ lt }) => lt)).toEqual([noon + hour, noon + hour])
  })

  test('a batch that begins beyond the fence is sent back', async () => {
    const { ask } = await begun()
    await putHits(aRecord(), aRecord(), aRecord())
    expect(await ask(await hits(1))).toEqual({ status: 409, seek: 0 })
    expect(await events()).toEqual([])
  })

  test('one below the fence is skipped; of one across it only the rest is taken', async () => {
    const { ask } = await begun()
    await putHits(aRecord(), aRecord())
    await ask(await hits())
    expect(await ask(await hits())).toEqual({ status: 200, next: 2 })
    await putHits(aRecord())
    expect(await ask(await hits())).toEqual({ status: 200, next: 3 })
    expect((await events()).map(({ src }) => src)).toEqual([0, 1, 2])
  })

  test('more events than one append takes', async () => {
    const { ask } = await begun()
    await putHits(...Array.from({ length: limits.sendRecords + 5 }, () => aRecord()))
    expect(await ask(await hits())).toEqual({ status: 200, next: limits.sendRecords + 5 })
    expect((await events()).every(({ at, src }, i) => at === i && src === i)).toBe(true)
  })
})

describe('dead records', () => {
  const big = `"${'x'.repeat(1_000_000)}"`
  test.each<[string, string, unknown]>([
    ['no JSON', 'not-json', 'no record'],
    ['nothing', 'not-json', ''],
    ['half of it', 'not-json', '{"v":1,"site":"example.com","ev":['],
    ['another version', 'unknown-version', { ...aRecord(), v: 2 }],
    ['a wrong shape', 'bad-shape', { ...aRecord(), ev: 'hits' }],
    ['a list', 'bad-shape', []],
    ['1 MB', 'bad-shape', big],
    ['a configuration nobody knows', 'unknown-config', aRecord({ cfg: 99 })],
    ['a site nobody knows', 'unknown-config', aRecord({ site: 'nobody.example' })],
    ['__proto__ for a site', 'unknown-config', aRecord({ site: '__proto__' })],
    ['what the step chokes on', 'unusable|bad-shape', aRecord({ vis: 'another', ev: [{ q: { us: 5 } as never }] })],
    ['a time that no calendar has', 'unusable|bad-shape', aRecord({ ev: [{ t: Number.MAX_SAFE_INTEGER }] })],
    ['a refusal for a reason nobody knows', 'bad-shape', { v: 1, site: '', led: { __proto__x: 1 }, hour: noon }],
  ])('%s costs only itself and is kept aside: %s', async (_what, reason, record) => {
    const { ask } = await begun()
    await putHits(aRecord({ ev: [{ id: 'before' }] }), record, aRecord({ ev: [{ id: 'after' }] }))
    expect(await ask(await hits())).toEqual({ status: 200, next: 3 })
    const why = expect.stringMatching(new RegExp(`^(${reason})$`))
    expect(await events()).toMatchObject([
      { n: { counted: 1 } },
      { src: 1, at: 1, n: { received: 1, dead: 1, counted: 0 }, x: [], dead: why },
      { n: { counted: 1 } },
    ])
    const body = (await hits(1))[0]!.body
    expect(await dead()).toEqual([{ topic: 'hits', offset: 1, time: noon, reason: why, body }])
  })

  test('one that is parked is not looked at, whatever it holds', async () => {
    const { ask } = await begun()
    await putHits(aRecord({ ev: [{ id: 'before' }] }), aRecord({ ev: [{ id: 'kills' }] }), aRecord({ ev: [{ id: 'after' }] }))
    await ask((await hits()).slice(0, 1))
    expect(await ask((await hits(1)).slice(0, 1), { mode: 'park' })).toEqual({ status: 200, next: 2 })
    await ask(await hits(2))
    expect(await events()).toMatchObject([
      { n: { counted: 1 } },
      { src: 1, at: 1, n: { dead: 1 }, x: [], dead: 'fatal' },
      { n: { counted: 1 } },
    ])
    expect(await dead()).toMatchObject([{ topic: 'hits', offset: 1, reason: 'fatal' }])
  })

  test('refusals of an hour that no calendar has are dead', async () => {
    const { ask } = await begun()
    await putHits({ v: 1, site: '', led: { rate: 1 }, hour: Number.MAX_SAFE_INTEGER })
    await ask(await hits())
    expect((await events())[0]).toMatchObject({ n: { dead: 1 } })
  })

  test('names that objects have of their own are names like any other', async () => {
    const { ask } = await begun()
    const props = JSON.parse('{"__proto__":"mine","constructor":1}')
    await putHits(
      aRecord({ vis: '__proto__', ev: [{ id: '__proto__', n: '__proto__', p: props }] }),
      aRecord({ vis: 'constructor', ev: [{ id: 'constructor' }] }),
    )
    await ask(await hits())
    const [first, second] = await events()
    expect(first).toMatchObject({ n: { counted: 1 }, x: [{ key: '__proto__' }] })
    expect(JSON.stringify(first!.x[0]!.h[0]!.p)).toBe('{"__proto__":"mine","constructor":1}')
    expect(second).toMatchObject({ n: { counted: 1 }, x: [{ opened: 1 }] })
  })

  test('a readable record is dead with all its hits, in the ledger of its site', async () => {
    const { ask } = await begun()
    await putHits(aRecord({ cfg: 99, ev: [{}, {}, {}] }))
    await ask(await hits())
    expect((await events())[0]).toMatchObject({ site: 'example.com', n: { received: 3, dead: 3 } })
  })

  test('a store of sites that is down is no reason to die', async () => {
    const { ask } = await begun(altered('sites', { at: () => Promise.reject(new Error('down')) }))
    await putHits(aRecord())
    await expect(ask(await hits())).rejects.toMatchObject({ code: 'store-unavailable', retryable: true })
    expect([await events(), await dead()]).toEqual([[], []])
  })
})

describe('appended before committed', () => {
  test('an append that fails commits nothing', async () => {
    const { ask } = await begun(
      altered('log', {
        append: () => Promise.reject(new FootfallError('log-unavailable')),
      }),
    )
    await putHits(aRecord())
    await expect(ask(await hits())).rejects.toMatchObject({ code: 'log-unavailable' })
    expect(await fence()).toMatchObject({ next: 0, ev: 0 })
  })

  test('an append that lands elsewhere is not committed: somebody else has appended', async () => {
    const { ask } = await begun()
    await putHits(aRecord())
    await putEvents('a stranger’s')
    expect(await ask(await hits())).toEqual({ status: 409, catchup: 0 })
    expect(await fence()).toMatchObject({ next: 0, ev: 0 })
  })

  test('after the first misplaced append no more is sent', async () => {
    const { ask } = await begun()
    await putHits(...Array.from({ length: limits.sendRecords + 5 }, () => aRecord()))
    await putEvents('a stranger’s')
    await ask(await hits())
    expect((await stores.log.ends('events', 0)).end).toBe(1 + limits.sendRecords)
  })

  test('a stale commit: on from the fence that stands', async () => {
    const zombie = await begun()
    const { drain } = aStage()
    await putHits(aRecord())
    const batch = await hits()
    const late = createStale()
    const asked = aStage(altered('sessions', { commit: late.commit })).ask(batch)
    await late.reached
    // Meanwhile another trigger finds the event, catches up with it, and goes on.
    await drain()
    late.go()
    expect(await asked).toEqual({ status: 200, next: 1 })
    expect(await zombie.ask(batch)).toEqual({ status: 200, next: 1 })
    expect((await events()).length).toBe(1)
  })

  /** A commit that is held until it is told to go. */
  const createStale = () => {
    let go = () => {}
    let arrive = () => {}
    const open = new Promise<void>((resolve) => {
      go = resolve
    })
    const reached = new Promise<void>((resolve) => {
      arrive = resolve
    })
    const commit: Stores['sessions']['commit'] = async (...args) => {
      arrive()
      await open
      return stores.sessions.commit(...args)
    }
    return { commit, reached, go: () => go() }
  }

  test('a stale commit of a state that was set back: catch up', async () => {
    const late = createStale()
    await begun()
    await putHits(aRecord())
    const asked = aStage(altered('sessions', { commit: late.commit })).ask(await hits())
    await late.reached
    stores.files.state.exec('UPDATE enrich_fence SET gen = gen + 1')
    late.go()
    expect(await asked).toEqual({ status: 409, catchup: 0 })
  })
})

describe('catching up', () => {
  test('a retry looks first at what was left behind', async () => {
    await begun()
    await putHits(aRecord({ ev: [{ id: 'a', t: noon }] }))
    const { ask } = aStage(altered('sessions', { commit: () => Promise.reject(new FootfallError('store-unavailable')) }))
    await expect(ask(await hits())).rejects.toMatchObject({ code: 'store-unavailable' })
    expect((await events()).length).toBe(1)

    const again = aStage()
    expect(await again.ask(await hits(), { retry: true })).toEqual({ status: 409, catchup: 0 })
    expect(await again.ask(await eventRecords(), { topic: 'events', mode: 'catchup' })).toEqual({ status: 200, next: 1, ev: 1, end: true })
    await putHits(aRecord({ ev: [{ id: 'a' }, { t: noon + 1 }] }))
    await again.ask(await hits(1))
    expect((await events())[1]).toMatchObject({ src: 1, at: 1, n: { repeated: 1, counted: 1 }, x: [{ s: { id: '0-0-0', pv: 2 } }] })
  })

  test('a part that was appended is taken as it stands, the rest is computed anew', async () => {
    await begun()
    await putHits(...Array.from({ length: limits.sendRecords + 5 }, () => aRecord()))
    let sends = 0
    const append: Ports['log']['append'] = (...args) =>
      sends++ === 0 ? stores.log.append(...args) : Promise.reject(new FootfallError('log-unavailable'))
    await expect(aStage(altered('log', { append })).ask(await hits())).rejects.toMatchObject({ code: 'log-unavailable' })
    expect((await events()).length).toBe(limits.sendRecords)
    await aStage().drain()
    const all = await events()
    expect(all.map(({ src }) => src)).toEqual(Array.from({ length: limits.sendRecords + 5 }, (_, i) => i))
    expect(all.at(-1)!.x[0]!.s.pv).toBe(limits.sendRecords + 5)
  })

  test('it begins where the fence says, and misplaced events are passed over', async () => {
    const { ask } = await begun()
    await putEvents('a stranger’s', anEvent({ at: 0, src: 5 }), anEvent({ at: 2, src: 0 }))
    expect(await ask(await eventRecords(1), { topic: 'events', mode: 'catchup' })).toEqual({ status: 409, catchup: 0 })
    expect(await ask((await eventRecords()).slice(0, 2), { topic: 'events', mode: 'catchup' })).toEqual({
      status: 200,
      next: 0,
      ev: 2,
      end: false,
    })
    expect(await ask(await eventRecords(2), { topic: 'events', mode: 'catchup' })).toEqual({ status: 200, next: 1, ev: 3, end: true })
  })

  test('an event that skips a record stops the partition', async () => {
    const { ask } = await begun()
    await putHits(aRecord(), aRecord(), aRecord())
    await ask(await hits())
    await putEvents(anEvent({ at: 3, src: 7 }))
    await expect(ask(await eventRecords(3), { topic: 'events', mode: 'catchup' })).rejects.toMatchObject({ code: 'partition-stopped' })
  })

  test('two that catch up at the same time: one moves on, the other follows', async () => {
    await begun()
    await putEvents(anEvent({ at: 0, src: 0 }))
    const answers = await Promise.all([1, 2].map(async () => aStage().ask(await eventRecords(), { topic: 'events', mode: 'catchup' })))
    expect(answers).toContainEqual({ status: 200, next: 1, ev: 1, end: true })
    expect(await fence()).toMatchObject({ next: 1, ev: 1 })
  })
})

describe('restore', () => {
  test('a state set back to before what the log still has is as good as none', async () => {
    const { drain } = await begun()
    await putHits(aRecord({ ev: [{ id: 'a', t: noon }] }))
    await drain()
    const old = await fence()
    clock.advance(26 * hour)
    await putHits(aRecord({ ev: [{ id: 'b', t: clock.now() }] }))
    await drain()
    await putHits(aRecord({ ev: [{ id: 'c', t: clock.now() }] }))
    await drain()
    await stores.log.trim('events', 0, 2)
    stores.files.state.prepare('UPDATE enrich_fence SET next = ?, ev = ?').run(old.next, old.ev)
    await putHits(aRecord({ ev: [{ id: 'c' }, { id: 'd', t: clock.now() }] }))
    await aStage().drain()
    expect(await fence()).toMatchObject({ next: 4, ev: 4, mode: '' })
    expect((await events()).at(-1)).toMatchObject({ n: { repeated: 1, counted: 1 } })
  })

  test('with no state at all, everything that could matter is folded anew before a hit is taken', async () => {
    const { drain } = await begun()
    await putHits(aRecord({ ev: [{ id: 'a', t: noon }] }))
    await drain()
    stores.files.state.exec('DELETE FROM enrich_fence; DELETE FROM sess; DELETE FROM ids')

    const { ask } = aStage()
    await putHits(aRecord({ ev: [{ id: 'a' }, { id: 'b', t: noon + 1 }] }))
    expect(await ask(await hits(1))).toEqual({ status: 409, catchup: 0 })
    expect(await fence()).toMatchObject({ next: 0, ev: 0, mode: 'restore' })
    expect(await ask(await hits(1))).toEqual({ status: 409, catchup: 0 })
    expect(await ask([])).toEqual({ status: 409, catchup: 0 })
    expect(await ask(await eventRecords(), { topic: 'events', mode: 'catchup' })).toEqual({ status: 200, next: 1, ev: 1, end: true })
    expect(await fence()).toMatchObject({ mode: '' })
    expect(await ask(await hits(1))).toEqual({ status: 200, next: 2 })
    expect((await events())[1]).toMatchObject({ n: { repeated: 1, counted: 1 }, x: [{ s: { id: '0-0-0', pv: 2 } }] })
  })

  test('a catch-up that finds no state begins a restore', async () => {
    expect(await aStage().ask([], { topic: 'events', mode: 'catchup' })).toEqual({ status: 409, catchup: 0 })
    expect(await fence()).toMatchObject({ mode: 'restore' })
  })

  test('it begins a day and a quarter of an hour before the last accepted event', async () => {
    const horizon = 24 * hour + 15 * minute
    await putEvents(anEvent({ at: 0, src: 0, lt: noon }))
    clock.advance(1)
    await putEvents(anEvent({ at: 1, src: 1, lt: clock.now() }))
    clock.advance(horizon)
    await putEvents(anEvent({ at: 2, src: 2, lt: clock.now() }), 'a stranger’s')
    expect(await aStage().ask([])).toEqual({ status: 409, catchup: 1 })
  })

  test('another generation: what was before it cannot write any more', async () => {
    await begun()
    const before = await fence()
    stores.files.state.exec('DELETE FROM enrich_fence')
    await begun()
    expect((await fence()).gen).not.toBe(before.gen)
    expect(await stores.sessions.commit(0, before, { ...before, next: 9 }, { sessions: [], dropped: [], ids: [], lines: [] })).toBe('stale')
  })
})

describe('holes', () => {
  test('records that were gone before they could be read: an event says how many, and work goes on behind them', async () => {
    const { ask, drain } = await begun()
    await putHits(...Array.from({ length: 7 }, () => aRecord()))
    await stores.log.trim('hits', 0, 5)
    expect(await ask([])).toEqual({ status: 200, next: 5 })
    expect(await events()).toMatchObject([{ src: 4, at: 0, site: '', n: { lost: 5, received: 0 }, dead: 'lost' }])
    await drain()
    expect((await events()).map(({ src }) => src)).toEqual([4, 5, 6])
  })

  test('a batch behind the hole closes it too', async () => {
    const { ask } = await begun()
    await putHits(aRecord(), aRecord(), aRecord())
    await stores.log.trim('hits', 0, 2)
    expect(await ask(await hits(2))).toEqual({ status: 200, next: 2 })
    expect((await events())[0]!.n.lost).toBe(2)
  })

  test('a hole is accepted by who catches up', async () => {
    const { ask, drain } = await begun()
    await putHits(aRecord(), aRecord(), aRecord())
    await ask((await hits()).slice(0, 1))
    await stores.log.trim('hits', 0, 2)
    await drain()
    stores.files.state.exec('DELETE FROM enrich_fence')
    await aStage().drain()
    expect(await fence()).toMatchObject({ next: 3, ev: 3 })
  })
})

describe('a log that does not fit the state stops the partition', () => {
  const stopped = { code: 'partition-stopped', status: 500 }
  const setFence = (fields: Partial<EnrichFence>) => {
    for (const [name, value] of Object.entries(fields)) stores.files.state.prepare(`UPDATE enrich_fence SET ${name} = ?`).run(value)
  }

  test('another topic', async () => {
    const { ask } = await begun()
    setFence({ topic: 'another' })
    await putHits(aRecord())
    await expect(ask([])).rejects.toMatchObject(stopped)
    await expect(ask(await hits(), { retry: true })).rejects.toMatchObject(stopped)
    expect(await events()).toEqual([])
  })

  test('a fence beyond the end', async () => {
    const { ask } = await begun()
    await putHits(aRecord())
    setFence({ next: 5 })
    await expect(ask([])).rejects.toMatchObject(stopped)
    await expect(ask(await hits(), { retry: true })).rejects.toMatchObject(stopped)
  })
})

describe('ticks', () => {
  test('take nothing and change no output', async () => {
    const { ask } = await begun()
    await putHits(aRecord())
    const before = await fence()
    expect(await ask([])).toEqual({ status: 200, next: 0 })
    expect(await fence()).toEqual(before)
    expect(await events()).toEqual([])
  })

  test('one after an error looks first at what was left behind', async () => {
    const { ask } = await begun()
    await putEvents(anEvent({ at: 0, src: 0 }))
    expect(await ask([], { retry: true })).toEqual({ status: 409, catchup: 0 })
  })

  test('sweep what is absent already, by log time', async () => {
    const { ask } = await begun()
    await putHits(aRecord({ vis: 'v', ev: [{ id: 'a', t: noon }] }))
    await ask(await hits())
    clock.advance(9 * hour)
    await putHits(aRecord({ vis: 'w', ev: [{ id: 'b', t: clock.now() }] }))
    await ask([]) // the clock alone sweeps nothing
    const held = () => stores.sessions.load(0, [{ site: 'example.com', key: 'v' }], [{ site: 'example.com', id: 'a' }], [])
    expect((await held()).sessions[0]).toBeDefined()
    await ask(await hits(1))
    await ask([])
    expect([(await held()).sessions[0], (await held()).ids[0]]).toEqual([undefined, noon])
  })
})

describe('a horizon of two hours', () => {
  const horizonMs = 2 * hour
  const hit = (id: string) => aRecord({ ev: [{ id, t: clock.now() }] })
  const ids = async (...names: string[]) =>
    (
      await stores.sessions.load(
        0,
        [],
        names.map((id) => ({ site: 'example.com', id })),
        [],
      )
    ).ids

  test('within it a repeat counts once, behind it again', async () => {
    const { drain } = aStage({}, { horizonMs })
    await putHits(hit('a'), hit('b'))
    await drain()
    clock.advance(horizonMs)
    await putHits(hit('a'))
    await drain()
    clock.advance(1)
    await putHits(hit('b'))
    await drain()
    expect((await events()).map(({ n }) => [n.repeated, n.counted])).toEqual([
      [0, 1],
      [0, 1],
      [1, 0],
      [0, 1],
    ])
  })

  test('a tick sweeps what is behind it', async () => {
    const { ask, drain } = aStage({}, { horizonMs })
    await putHits(hit('a'))
    await drain()
    clock.advance(horizonMs + 1)
    await putHits(hit('b'))
    await drain()
    await ask([])
    expect(await ids('a', 'b')).toEqual([undefined, clock.now()])
  })

  test('of two processes that say different ones the shorter holds, and nothing is lost', async () => {
    const long = aStage()
    await putHits(hit('a'), hit('b'))
    await long.drain()
    clock.advance(horizonMs + 1)
    await putHits(hit('a'))
    await long.drain()
    await aStage({}, { horizonMs }).ask([])
    await putHits(hit('b'))
    await long.drain()
    expect((await events()).map(({ n }) => [n.repeated, n.counted])).toEqual([
      [0, 1],
      [0, 1],
      [1, 0],
      [0, 1],
    ])
  })

  test('a restore folds a whole day all the same, and what is behind the horizon goes on the way', async () => {
    const { drain } = aStage({}, { horizonMs })
    await putHits(aRecord({ imp: { src: 's' }, ev: [{ id: 'line', t: noon, l: 9 }] }), hit('a'))
    await drain()
    clock.advance(12 * hour)
    for (let i = 0; i < 5; i++) await putHits(hit(`later-${i}`))
    await drain()
    stores.files.state.exec('DELETE FROM enrich_fence; DELETE FROM ids; DELETE FROM imp; DELETE FROM sess')
    await aStage({}, { horizonMs }).drain()
    expect(await fence()).toMatchObject({ next: 7, ev: 7, mode: '' })
    expect(await ids('a', 'later-4')).toEqual([undefined, clock.now()])
    // The lines of an import are known from as far back as ever.
    await putHits(aRecord({ imp: { src: 's' }, ev: [{ id: 'again', t: noon, l: 9 }] }))
    await drain()
    expect((await events()).at(-1)).toMatchObject({ n: { repeated: 1, counted: 0 } })
  })
})

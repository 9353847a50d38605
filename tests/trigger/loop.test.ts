import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Reply } from '#shared/handler.ts'
import { killsAlone } from '#shared/trigger/bisection.ts'
import { type Batch, type BatchAnswer, CallCut, decodeBatch } from '#shared/trigger/envelope.ts'
import { createLoop, type LoopReport, limits, type Options, type Ports } from '#shared/trigger/loop.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { noon } from '../fixtures/hit.ts'
import { settle } from '../fixtures/settle.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

let clock: VirtualClock
let stores: Stores
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
})
afterEach(() => stores.close())

const put = (...bodies: string[]) => stores.log.append('hits', 0, bodies)
/** A function that answers what it is told to, or what a healthy one would; it remembers each batch it was given. */
const aFunction = (...answers: (BatchAnswer | Reply | Error)[]) => {
  const given: Batch[] = []
  const handler = async (request: Parameters<typeof decodeBatch>[0]): Promise<Reply> => {
    const batch = decodeBatch(request)
    given.push(batch)
    const next = answers.shift() ?? { next: batch.records.length === 0 ? 0 : batch.records.at(-1)!.offset + 1 }
    if (next instanceof Error) throw next
    return 'status' in next ? next : { status: 'next' in next ? 200 : 409, body: JSON.stringify(next) }
  }
  const offsets = () => given.map(({ records }) => records.map(({ offset }) => offset))
  return { given, handler, offsets }
}

const aLoop = (fn: ReturnType<typeof aFunction>, options: Partial<Options> & { ports?: Partial<Ports> } = {}) => {
  const { ports, ...rest } = options
  return createLoop(
    { name: 'enrich-session', topic: 'hits', partition: 0 },
    { log: stores.log, leases: stores.leases, clock, call: () => fn.handler, ...ports },
    { lingerMs: 0, onFailure: () => undefined, ...rest },
  )
}

describe('the position follows the answers', () => {
  test('a loop begins with a tick: the function says where it stands', async () => {
    await put('a', 'b', 'c')
    const fn = aFunction({ next: 1 })
    const loop = aLoop(fn)
    await loop.step()
    expect(fn.given).toMatchObject([{ topic: 'hits', partition: 0, records: [], retry: true, mode: '' }])
    await loop.step()
    expect(fn.given[1]).toMatchObject({ retry: false, caughtUp: true, logEnd: 3, logTime: noon })
    expect(fn.offsets()).toEqual([[], [1, 2]])
    expect(loop.report()).toMatchObject({ position: 3, failures: 0, error: undefined })
  })

  test('seek, back and forth', async () => {
    await put('a', 'b', 'c')
    const fn = aFunction({ next: 1 }, { seek: 2 }, { seek: 0 })
    const loop = aLoop(fn)
    for (let i = 0; i < 4; i++) await loop.step()
    expect(fn.offsets()).toEqual([[], [1, 2], [2], [0, 1, 2]])
  })

  test('catching up: events from where it says, until it says that this is the end; then on at next', async () => {
    await put('a', 'b')
    await stores.log.append('events', 0, ['e0', 'e1', 'e2'])
    const fn = aFunction({ catchup: 1 }, { next: 1, ev: 2, end: false }, { next: 1, ev: 3, end: true })
    const loop = aLoop(fn)
    for (let i = 0; i < 4; i++) await loop.step()
    expect(fn.given.map(({ topic, mode, records }) => [topic, mode, records.map(({ offset }) => offset)])).toEqual([
      ['hits', '', []],
      ['events', 'catchup', [1, 2]],
      ['events', 'catchup', [2]],
      ['hits', '', [1]],
    ])
  })

  test('a clock that goes back does not put off the next tick', async () => {
    let ahead = 6 * 3_600_000
    const fn = aFunction({ next: 0 }, { next: 0 })
    const loop = aLoop(fn, { ports: { clock: { ...clock, now: () => clock.now() + ahead } } })
    await loop.step(undefined, 0)
    await loop.step(undefined, 0)
    expect(fn.given).toHaveLength(1)
    ahead = 0
    await loop.step(undefined, 0)
    await loop.step(undefined, 0)
    expect(fn.given).toHaveLength(2)
  })

  test('an empty catch-up is asked for too', async () => {
    const fn = aFunction({ catchup: 0 }, { next: 0, ev: 0, end: true })
    const loop = aLoop(fn)
    await loop.step()
    await loop.step()
    expect(fn.given[1]).toMatchObject({ topic: 'events', mode: 'catchup', records: [], caughtUp: true })
    expect(loop.report().position).toBe(0)
  })

  test('batches are bounded, and say that more is there', async () => {
    await put(...Array.from({ length: limits.records + 1 }, (_, i) => `${i}`))
    const fn = aFunction()
    const loop = aLoop(fn)
    for (let i = 0; i < 3; i++) await loop.step()
    expect(fn.given.map(({ records }) => records.length)).toEqual([0, limits.records, 1])
    expect(fn.given.map(({ caughtUp }) => caughtUp)).toEqual([true, false, true])
  })

  test('until it has caught up log time is that of its newest record, then the clock', async () => {
    await put(...Array.from({ length: limits.records }, (_, i) => `${i}`))
    clock.advance(1_000)
    await put('last')
    clock.advance(1_000)
    const fn = aFunction()
    const loop = aLoop(fn)
    for (let i = 0; i < 3; i++) await loop.step()
    expect(fn.given.map(({ logTime }) => logTime - noon)).toEqual([2_000, 0, 2_000])
  })
})

describe('what is down is asked again, for ever', () => {
  test.each<[string, Reply | Error]>([
    ['500', { status: 500, body: '{"code":"internal"}' }],
    ['503', { status: 503, body: '' }],
    ['429', { status: 429, body: '' }],
    ['404', { status: 404, body: '' }],
    ['a reset', new Error('ECONNRESET')],
    ['an answer that is none', { status: 200, body: 'ok' }],
  ])('%s: the same batch again, marked as a repeat', async (_what, failure) => {
    await put('a', 'b')
    const fn = aFunction({ next: 0 }, failure)
    const reports: LoopReport[] = []
    const loop = aLoop(fn, { onFailure: (report) => reports.push(report) })
    await loop.step()
    const failed = loop.step()
    await settle()
    expect(reports).toMatchObject([{ position: 0, failures: 1, error: expect.any(String) }])
    clock.advance(limits.firstBackOffMs)
    await failed
    await loop.step()
    expect(fn.offsets()).toEqual([[], [0, 1], [0, 1]])
    expect(fn.given.map(({ retry }) => retry)).toEqual([true, false, true])
    expect(loop.report()).toMatchObject({ position: 2, failures: 0, error: undefined })
  })

  test('what was thrown is told with its stack and cause', async () => {
    const cause = new Error('the reason')
    const error = new Error('down', { cause })
    const told: unknown[] = []
    const loop = aLoop(aFunction(error), { onFailure: (_report, thrown) => told.push(thrown) })
    const failed = loop.step()
    await settle()
    clock.advance(limits.firstBackOffMs)
    await failed
    expect(told[0]).toBe(error)
  })

  test('with a pause that grows to five seconds and no further', async () => {
    const fn = aFunction(...Array.from({ length: 100 }, () => new Error('down')))
    const loop = aLoop(fn)
    const pauses: number[] = []
    for (let i = 0; i < 100; i++) {
      const step = loop.step()
      await settle()
      const pause = clock.untilNext()!
      pauses.push(pause)
      clock.advance(pause)
      await step
    }
    expect(pauses.slice(0, 8)).toEqual([50, 100, 200, 400, 800, 1_600, 3_200, 5_000])
    expect(pauses.at(-1)).toBe(5_000)
    expect(loop.report().failures).toBe(100)
    await loop.step()
    expect(loop.report().failures).toBe(0)
  })

  test('a log that cannot be read is no different', async () => {
    let down = true
    const log = {
      ...stores.log,
      read: (...args: Parameters<typeof stores.log.read>) => (down ? Promise.reject(new Error('no log')) : stores.log.read(...args)),
    }
    await put('a')
    const fn = aFunction()
    const loop = aLoop(fn, { ports: { log } })
    await loop.step()
    const failed = loop.step()
    await settle()
    expect(loop.report()).toMatchObject({ failures: 1, error: 'no log' })
    down = false
    clock.advance(limits.firstBackOffMs)
    await failed
    await loop.step()
    expect(fn.offsets()).toEqual([[], [0]])
  })

  test('an error while catching up goes back to the function, which says again where', async () => {
    await put('a')
    const fn = aFunction({ catchup: 0 }, new Error('down'), { catchup: 0 }, { next: 0, ev: 0, end: true })
    const loop = aLoop(fn)
    await loop.step()
    const failed = loop.step()
    await settle()
    clock.advance(limits.firstBackOffMs)
    await failed
    for (let i = 0; i < 3; i++) await loop.step(undefined, 0)
    expect(fn.given.map(({ mode, retry }) => [mode, retry])).toEqual([
      ['', true],
      ['catchup', false],
      ['', true],
      ['catchup', false],
      ['', false],
    ])
  })
})

describe('a record that kills the function', () => {
  /** Dies of a batch with one of these offsets in it, unless it is told to park it; its fence is in its answers. */
  const aMortal = (killers: readonly number[], isDown: () => boolean = () => false) => {
    const fn = aFunction()
    let next = 0
    const parked: number[] = []
    fn.handler = async (request) => {
      const batch = decodeBatch(request)
      fn.given.push(batch)
      if (isDown()) throw new CallCut('cut')
      const offsets = batch.records.map(({ offset }) => offset)
      if (batch.mode === 'park') parked.push(...offsets)
      else if (offsets.some((offset) => killers.includes(offset))) throw new CallCut('cut')
      next = Math.max(next, ...offsets.map((offset) => offset + 1))
      return { status: 200, body: JSON.stringify({ next }) }
    }
    return { fn, parked, next: () => next }
  }
  const drive = async (loop: ReturnType<typeof aLoop>, steps: number, done: () => boolean) => {
    for (let i = 0; i < steps && !done(); i++) {
      const stepping = loop.step(undefined, 0)
      await settle()
      clock.advance(limits.backOffMs)
      await stepping
    }
  }

  test('is found and parked alone; all others are taken', async () => {
    await put(...Array.from({ length: 40 }, (_, i) => `r${i}`))
    const { fn, parked, next } = aMortal([13, 14])
    await drive(aLoop(fn), 500, () => next() === 40)
    expect([next(), parked]).toEqual([40, [13, 14]])
    const alone = fn.given.filter(({ records, mode }) => mode === '' && records.length === 1 && records[0]!.offset === 13)
    expect(alone).toHaveLength(killsAlone)
  })

  test('a function that is down for long, ticks included, has not died of a record', async () => {
    await put('a', 'b', 'c')
    let down = false
    const { fn, parked, next } = aMortal([], () => down)
    const loop = aLoop(fn)
    await loop.step()
    down = true
    await drive(loop, 100, () => false)
    down = false
    await drive(loop, 20, () => next() === 3)
    expect([next(), parked]).toEqual([3, []])
    // At the most the batch that was cut is taken in halves: until a tick is answered nobody can know.
    const [, ...after] = fn.given.filter(({ records }) => records.length > 0)
    expect(after.map(({ records }) => records.length)).toEqual([1, 1, 1])
  })
})

describe('ticks', () => {
  test('every ten seconds, idle or busy', async () => {
    const fn = aFunction()
    const loop = aLoop(fn)
    await loop.step()
    await put('a')
    await loop.step()
    await loop.step(undefined, 0)
    expect(fn.offsets()).toEqual([[], [0]])
    clock.advance(limits.tickMs)
    await put('b')
    fn.given.length = 0
    await loop.step()
    expect(fn.offsets()).toEqual([[]])
  })

  test('an idle loop waits for the first record, and is not late for it', async () => {
    const fn = aFunction()
    const loop = aLoop(fn)
    await loop.step()
    const step = loop.step()
    await settle()
    expect(fn.given).toHaveLength(1)
    await put('news')
    await step
    expect(fn.offsets()).toEqual([[], [0]])
  })

  test('nothing for ten seconds: the wait ends, and a tick is due', async () => {
    const fn = aFunction()
    const loop = aLoop(fn)
    await loop.step()
    const step = loop.step()
    await settle()
    clock.advance(limits.tickMs)
    await step
    await loop.step()
    expect(fn.offsets()).toEqual([[], []])
  })
})

describe('linger', () => {
  test('a function that has more to do is given another one soon, and then again as always', async () => {
    const fn = aFunction({ next: 0 }, { next: 0, soon: true }, { next: 0, soon: true }, { next: 0 })
    const loop = aLoop(fn)
    await loop.step()
    clock.advance(limits.tickMs)
    for (const ms of [0, limits.soonMs, limits.soonMs]) {
      clock.advance(ms)
      await loop.step(undefined, 0)
    }
    expect(fn.offsets()).toEqual([[], [], [], []])
    clock.advance(limits.soonMs)
    await loop.step(undefined, 0)
    expect(fn.given).toHaveLength(4)
    clock.advance(limits.tickMs)
    await loop.step(undefined, 0)
    expect(fn.given).toHaveLength(5)
  })

  test('a pause after a small batch, none after a full one or a tick', async () => {
    const fn = aFunction()
    const loop = aLoop(fn, { lingerMs: 25 })
    await loop.step() // the tick
    await put(...Array.from({ length: limits.fullBatch }, (_, i) => `${i}`))
    await loop.step()
    await put('small')
    const step = loop.step()
    let done = false
    void step.then(() => {
      done = true
    })
    await settle()
    expect([fn.given.length, done, clock.untilNext()]).toEqual([3, false, 25])
    clock.advance(25)
    await step
  })
})

describe('catching up', () => {
  test('there is no pause between batches that are small because records are large, until the last', async () => {
    const fn = aFunction()
    const loop = aLoop(fn, { lingerMs: 25 })
    await loop.step() // the tick
    await put(...Array(3).fill('x'.repeat(0.6 * limits.bytes)))
    await loop.step()
    await loop.step()
    const last = loop.step()
    await settle()
    expect([fn.offsets(), clock.untilNext()]).toEqual([[[], [0], [1], [2]], 25])
    clock.advance(25)
    await last
  })
})

describe('leases', () => {
  test('who has none waits and calls nobody', async () => {
    await stores.leases.hold('enrich-session.0', 'somebody', 60_000)
    const fn = aFunction()
    const step = aLoop(fn).step(undefined, 1_000)
    await settle()
    clock.advance(1_000)
    await step
    expect(fn.given).toEqual([])
  })

  test('it is given up at the end, and runs out by itself when the holder is gone', async () => {
    const abort = new AbortController()
    const fn = aFunction()
    const running = aLoop(fn).run(abort.signal)
    await settle()
    expect(await stores.leases.hold('enrich-session.0', 'next', 1)).toBe(false)
    abort.abort()
    await running
    expect(await stores.leases.hold('enrich-session.0', 'next', 1)).toBe(true)
    clock.advance(2)
    await aLoop(fn).step()
    expect(await stores.leases.hold('enrich-session.0', 'next', 1)).toBe(false)
    clock.advance(limits.leaseMs + 1)
    expect(await stores.leases.hold('enrich-session.0', 'next', 1)).toBe(true)
  })

  test('leases that cannot be asked are an error like any other', async () => {
    const fn = aFunction()
    const leases = { ...stores.leases, hold: () => Promise.reject(new Error('no leases')) }
    const loop = aLoop(fn, { ports: { leases } })
    const step = loop.step()
    await settle()
    expect(loop.report()).toMatchObject({ failures: 1, error: 'no leases' })
    clock.advance(limits.firstBackOffMs)
    await step
  })
})

test('an end that is asked for comes after the call that is under way, and at once out of a wait', async () => {
  let open = () => {}
  const held = new Promise<void>((resolve) => {
    open = resolve
  })
  const abort = new AbortController()
  let ended = false
  const running = createLoop(
    { name: 'enrich-session', topic: 'hits', partition: 0 },
    { log: stores.log, leases: stores.leases, clock, call: () => async () => held.then(() => ({ status: 200, body: '{"next":0}' })) },
  )
    .run(abort.signal)
    .then(() => {
      ended = true
    })
  await settle()
  abort.abort()
  await settle()
  expect(ended).toBe(false)
  open()
  await running

  const idle = new AbortController()
  const waiting = aLoop(aFunction()).run(idle.signal)
  await settle()
  idle.abort()
  await waiting
})

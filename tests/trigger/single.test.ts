import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import type { PositionPlace, Positions } from '#shared/ports/positions.ts'
import { CallCut, CallLate } from '#shared/trigger/envelope.ts'
import { type Loop, type LoopReport, limits } from '#shared/trigger/loop.ts'
import { readRetries, waitAfter } from '#shared/trigger/retries.ts'
import { createSingleLoop, type SingleOptions, type SinglePorts, type Skipped, singleLimits } from '#shared/trigger/single.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { noon } from '../fixtures/hit.ts'
import { settle } from '../fixtures/settle.ts'
import { createRandom, type Random } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

let clock: VirtualClock
let stores: Stores
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
})
afterEach(() => stores.close())

const byDefault = readRetries({})
if (typeof byDefault === 'string') throw new Error(byDefault)

const put = (...bodies: string[]) => stores.log.append('hits', 0, bodies)

/** Positions as a server keeps them: they outlive a trigger. */
const createMemory = (): Positions & { all: Map<string, number> } => {
  const all = new Map<string, number>()
  const keyOf = (name: string, { topic, partition, id }: PositionPlace) => `${name} ${topic} ${partition} ${id}`
  return {
    all,
    read: async (name, at) => all.get(keyOf(name, at)),
    keep: async (name, at, next) => void all.set(keyOf(name, at), next),
  }
}

/** A function that answers what it is told to, and else 200. */
const aFunction = (...answers: (Reply | Error)[]) => {
  const given: Request[] = []
  const handler: Handler = async (request) => {
    given.push(request)
    const next = answers.shift() ?? { status: 200 }
    if (next instanceof Error) throw next
    return next
  }
  return { given, handler, offsets: () => given.map(({ headers }) => Number(headers['x-kafka-offset'])) }
}

const told = { failures: [] as LoopReport[], skipped: [] as Skipped[] }
beforeEach(() => {
  told.failures = []
  told.skipped = []
})

type Given = Partial<SingleOptions> & { ports?: Partial<SinglePorts> }
const aLoop = (handler: Handler, { ports, ...options }: Given = {}) =>
  createSingleLoop(
    { name: 'mailer', topic: 'hits', partition: 0 },
    { log: stores.log, leases: stores.leases, positions: createMemory(), clock, call: () => handler, ...ports },
    {
      retries: byDefault,
      onFailure: (report) => told.failures.push(report),
      onSkipped: (skipped) => told.skipped.push(skipped),
      ...options,
    },
  )

/** So many steps; a pause or a wait passes at once. Answers how long they took of the clock. */
const steps = async (loop: Loop, count: number): Promise<number> => {
  const start = clock.now()
  for (let i = 0; i < count; i++) {
    let isOver = false
    const step = loop.step(undefined, 0).finally(() => {
      isOver = true
    })
    for (;;) {
      await settle()
      const wait = clock.untilNext()
      if (isOver || wait === undefined) break
      clock.advance(wait)
    }
    await step
  }
  return clock.now() - start
}

describe('one record is one call', () => {
  test('as the Kafka connector makes it', async () => {
    await put('{"ü":\n1}')
    const fn = aFunction()
    await steps(aLoop(fn.handler), 3)
    expect(fn.given).toEqual([
      {
        method: 'POST',
        path: '/function/mailer',
        query: '',
        headers: {
          'content-type': 'text/plain',
          'x-topic': 'hits',
          'x-kafka-partition': '0',
          'x-kafka-offset': '0',
          'x-connector': 'kafka-connector',
        },
        body: Buffer.from('{"ü":\n1}'),
        address: '127.0.0.1',
      },
    ])
  })

  test('in order, from the oldest one on; reports tell how far', async () => {
    await put('a', 'b', 'c')
    await stores.log.trim('hits', 0, 1)
    const fn = aFunction()
    const loop = aLoop(fn.handler)
    expect(loop.report()).toMatchObject({ position: undefined, end: undefined })
    await steps(loop, 6)
    expect(fn.offsets()).toEqual([1, 2])
    expect(loop.report()).toEqual({
      subscription: { name: 'mailer', topic: 'hits', partition: 0 },
      ...{ position: 3, end: 3, logTime: clock.now(), taken: 2, skipped: 0, calls: 2, failures: 0, error: undefined },
    })
  })

  test('the position is kept after each record and before the next one', async () => {
    await put('a', 'b')
    const trace: string[] = []
    const memory = createMemory()
    const keep: Positions['keep'] = async (name, at, next) => {
      trace.push(`keep ${next}`)
      await memory.keep(name, at, next)
    }
    const handler: Handler = async ({ body }) => {
      trace.push(`call ${body}`)
      return { status: 204 }
    }
    await steps(aLoop(handler, { ports: { positions: { ...memory, keep } } }), 6)
    expect(trace).toEqual(['keep 0', 'call a', 'keep 1', 'call b', 'keep 2'])
  })

  test('another trigger goes on there', async () => {
    await put('a', 'b', 'c')
    const positions = createMemory()
    const first = aFunction()
    const abort = new AbortController()
    const handler: Handler = async (request) => {
      if (first.given.length === 1) abort.abort()
      return first.handler(request)
    }
    await aLoop(handler, { ports: { positions } }).run(abort.signal)
    const second = aFunction()
    await steps(aLoop(second.handler, { ports: { positions } }), 5)
    expect([first.offsets(), second.offsets()]).toEqual([[0, 1], [2]])
  })
})

describe('an answer that is worth another attempt', () => {
  test.each<[string, Reply | Error]>([
    ['500', { status: 500, body: 'no' }],
    ['429', { status: 429 }],
    ['503 of OpenFaaS itself', { status: 503, headers: { 'x-openfaas-internal': 'gateway' } }],
    ['a cut', new CallCut('cut')],
    ['none in time', new CallLate('late')],
  ])('%s: the same record again after a while, and nothing before it', async (_what, failure) => {
    await put('a', 'b')
    const fn = aFunction(failure, failure)
    const loop = aLoop(fn.handler)
    const ms = await steps(loop, 4)
    expect(fn.offsets()).toEqual([0])
    expect(told.failures).toMatchObject([{ position: 0, failures: 1, error: expect.stringContaining('(attempt 1 of 10)') }])
    expect(ms + (await steps(loop, 6))).toBe(30_000)
    expect(fn.offsets()).toEqual([0, 0, 0, 1])
    expect(loop.report()).toMatchObject({ taken: 2, skipped: 0, failures: 0, error: undefined })
  })

  test('the pause doubles up to its most', () => {
    expect([1, 2, 3, 4, 5, 9].map((attempt) => waitAfter(byDefault, attempt) / 1_000)).toEqual([10, 20, 40, 80, 120, 120])
    expect(waitAfter({ ...byDefault, minWaitMs: 0 }, 1_000)).toBe(0)
  })

  test('after the last one the record is passed over, which is told', async () => {
    await put('a', 'b')
    const fn = aFunction({ status: 500, body: 'no' }, { status: 500, body: 'never' })
    const positions = createMemory()
    const loop = aLoop(fn.handler, { ports: { positions }, retries: { ...byDefault, attempts: 2, minWaitMs: 10 } })
    await steps(loop, 9)
    expect(fn.offsets()).toEqual([0, 0, 1])
    expect(told.skipped).toEqual([
      {
        subscription: { name: 'mailer', topic: 'hits', partition: 0 },
        ...{ from: 0, to: 1, why: 'mailer answered 500: never (given up after 2 attempts)' },
      },
    ])
    expect(loop.report()).toMatchObject({ position: 2, taken: 1, skipped: 1, calls: 3, failures: 0 })
    expect([...positions.all.values()]).toEqual([2])
  })

  test('the lease is prolonged during a long pause', async () => {
    await put('a')
    const fn = aFunction({ status: 500 })
    const holds: number[] = []
    const hold: Stores['leases']['hold'] = async (...args) => {
      holds.push(clock.now())
      return stores.leases.hold(...args)
    }
    const retries = { ...byDefault, minWaitMs: 100_000, maxWaitMs: 100_000 }
    await steps(aLoop(fn.handler, { retries, ports: { leases: { ...stores.leases, hold } } }), 14)
    expect(fn.offsets()).toEqual([0, 0])
    const apart = holds.slice(1).map((at, i) => at - holds[i]!)
    expect(Math.max(...apart)).toBeLessThan(limits.leaseMs)
  })
})

test.each([400, 404, 302, 503])('any other answer is one for good, and told: %i', async (status) => {
  await put('a', 'b')
  const fn = aFunction({ status })
  await steps(aLoop(fn.handler), 6)
  expect(fn.offsets()).toEqual([0, 1])
  expect(told.skipped).toMatchObject([{ from: 0, to: 1, why: `mailer answered ${status}:  (given up after 1 attempt)` }])
})

test('a function that is not there is asked for ever, and that is no attempt', async () => {
  await put('a')
  const gone = Array.from({ length: 50 }, () => new Error('ECONNREFUSED'))
  const fn = aFunction({ status: 500 }, ...gone, { status: 200 })
  const loop = aLoop(fn.handler, { retries: { ...byDefault, attempts: 2, minWaitMs: 0 } })
  await steps(loop, 55)
  expect(fn.offsets()).toEqual(Array.from({ length: 52 }, () => 0))
  expect(told.skipped).toEqual([])
  expect(loop.report()).toMatchObject({ position: 1, taken: 1, failures: 0 })
})

describe('positions', () => {
  test('one that cannot be kept holds up the next record', async () => {
    await put('a', 'b')
    const memory = createMemory()
    let isDown = false
    const keep: Positions['keep'] = async (...args) => {
      if (isDown) throw new Error('Kafka is away')
      await memory.keep(...args)
    }
    const fn = aFunction()
    const loop = aLoop(fn.handler, { ports: { positions: { ...memory, keep } } })
    await steps(loop, 2)
    isDown = true
    await steps(loop, 5)
    expect([fn.offsets(), loop.report().error]).toEqual([[0], 'Kafka is away'])
    isDown = false
    await steps(loop, 3)
    expect([fn.offsets(), [...memory.all.values()], loop.report().error]).toEqual([[0, 1], [2], undefined])
  })

  test('one that does not move is kept anew, since Kafka forgets what nobody keeps', async () => {
    const memory = createMemory()
    const loop = aLoop(aFunction().handler, { ports: { positions: memory } })
    await steps(loop, 3)
    memory.all.clear()
    clock.advance(singleLimits.keepMs)
    await steps(loop, 2)
    expect([...memory.all.values()]).toEqual([0])
  })

  test('one of a topic as it was before it was made anew means nothing: the oldest record is next', async () => {
    await put('a', 'b', 'c')
    let id = 'first'
    const log = { ...stores.log, ends: async () => ({ ...(await stores.log.ends('hits', 0)), id }) }
    const fn = aFunction()
    const loop = aLoop(fn.handler, { ports: { log } })
    await steps(loop, 8)
    id = 'second'
    await steps(loop, 9)
    expect(fn.offsets()).toEqual([0, 1, 2, 0, 1, 2])
    expect(told.failures).toMatchObject([{ error: 'The topic hits was made anew: mailer begins with its oldest record.' }])
  })

  test('one beyond the end stops the partition with an alarm', async () => {
    await put('a')
    const positions = { ...createMemory(), read: async () => 7 }
    const fn = aFunction()
    const loop = aLoop(fn.handler, { ports: { positions } })
    await steps(loop, 3)
    expect(fn.given).toEqual([])
    expect(loop.report()).toMatchObject({ position: undefined, failures: 3, error: expect.stringContaining('up to 7') })
  })

  test('what the log has forgotten before it was taken is told', async () => {
    await put('a', 'b', 'c')
    const positions = createMemory()
    await steps(aLoop(aFunction().handler, { ports: { positions } }), 2)
    await stores.log.trim('hits', 0, 2)
    clock.advance(limits.leaseMs)
    const fn = aFunction()
    await steps(aLoop(fn.handler, { ports: { positions } }), 5)
    expect(fn.offsets()).toEqual([2])
    expect(told.skipped).toMatchObject([{ from: 0, to: 2, why: expect.stringContaining('forgotten') }])
  })
})

test('a partition that another trigger has got is left to it, with what that one has kept', async () => {
  await put('a', 'b', 'c', 'd')
  const positions = createMemory()
  const fn = aFunction()
  let isOurs = true
  const loop = aLoop(fn.handler, { ports: { positions }, isOurs: () => isOurs })
  await steps(loop, 4)
  isOurs = false
  await steps(loop, 1)
  expect(loop.report().position).toBeUndefined()
  const other = aFunction()
  await steps(aLoop(other.handler, { ports: { positions } }), 3)
  isOurs = true
  clock.advance(limits.leaseMs)
  await steps(loop, 5)
  expect([fn.offsets(), other.offsets()]).toEqual([[0, 2, 3], [1]])
})

/** Everything that can go wrong, by a seed: calls, ports, the trigger itself. */
const aRun = async (random: Random) => {
  const total = 12
  await put(...Array.from({ length: total }, (_, i) => `${i}`))
  const positions = createMemory()
  const delivered: number[] = []
  let kills = 0
  let repeats = 0
  const taken = new Set<number>()
  const luck = (odds: number) => random.below(odds) === 0
  const shaky =
    <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> => {
      if (luck(8)) throw new Error('away')
      const answer = await work(...args)
      if (luck(8)) throw new Error('the answer is lost')
      return answer
    }
  const handler: Handler = async ({ headers }) => {
    const offset = Number(headers['x-kafka-offset'])
    if (luck(6)) throw new Error('ECONNREFUSED')
    delivered.push(offset)
    if (luck(6)) throw new CallCut('cut')
    if (luck(6)) return { status: 500 }
    if (taken.has(offset)) repeats++
    taken.add(offset)
    return { status: 200 }
  }
  const ports = {
    log: { ...stores.log, read: shaky(stores.log.read), ends: shaky(stores.log.ends) },
    leases: { ...stores.leases, hold: shaky(stores.leases.hold) },
    positions: { read: shaky(positions.read), keep: shaky(positions.keep) },
  }
  let loop = aLoop(handler, { ports, retries: { ...byDefault, attempts: 1_000, minWaitMs: 1 } })
  for (let i = 0; i < 2_000 && taken.size < total; i++) {
    await steps(loop, 1)
    if (!luck(10)) continue
    // Killed between any two steps: another one takes over when the lease has run out.
    kills++
    clock.advance(limits.leaseMs)
    loop = aLoop(handler, { ports, retries: { ...byDefault, attempts: 1_000, minWaitMs: 1 } })
  }
  return { delivered, taken, kills, repeats, total }
}

test.each(Array.from({ length: 30 }, (_, i) => [i + 1]))(
  'nothing is lost, and only what was under way comes twice: seed %i',
  async (seed) => {
    const { delivered, taken, kills, repeats, total } = await aRun(createRandom(seed))
    expect([...taken]).toEqual(Array.from({ length: total }, (_, i) => i))
    expect(repeats).toBeLessThanOrEqual(kills)
    // In order: never further than the next one, nor back behind the one that was under way.
    let highest = -1
    for (const offset of delivered) {
      expect(offset === highest || offset === highest + 1).toBe(true)
      highest = Math.max(highest, offset)
    }
  },
)

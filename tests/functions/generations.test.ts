import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHandler as createEnrich } from '#functions/enrich-session/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import type { GenerationState } from '#shared/ports/generations.ts'
import { partOf } from '#shared/site/generations.ts'
import { createLoop } from '#shared/trigger/loop.ts'
import type { EventRecord } from '#shared/visit/event.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { readableKeeper, readableLog } from '../../scripts/trigger-log.ts'
import { aRecord, aSiteConfig, hour, minute, noon, today } from '../fixtures/hit.ts'
import { createGenerations, type Generations } from '../model/generations.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** The stages over two generations of topics, of one partition each: the first one ends or is lost, the second goes on. */

let clock: VirtualClock
let stores: Stores
let made: Generations
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
  await stores.sites.put(aSiteConfig())
  made = await createGenerations(stores.log, 1)
})
afterEach(() => stores.close())

const [old, next] = [partOf({ number: 0 }, 0), partOf({ number: 1 }, 0)]
const leases = { hold: async () => true, release: async () => undefined }
const everything = { records: 10_000, bytes: 1e9, waitMs: 0 }

const putHits = (part: number, ...records: Parameters<typeof aRecord>[0][]) =>
  made.log.append(
    'hits',
    part,
    records.map((record) => JSON.stringify(aRecord(record))),
  )
const eventsOf = async (part: number): Promise<EventRecord[]> =>
  (await made.log.read('events', part, 0, everything)).map(({ body }) => JSON.parse(body))
const repeatedIn = async (part: number): Promise<number[]> => (await eventsOf(part)).map(({ n }) => n.repeated)

const begin = async (): Promise<void> => {
  const names = { hits: 'hits-1', events: 'events-1', dead: 'dead-1' }
  const ids = await made.topics.make(names, { partitions: 1, copies: 1 })
  await made.generations.add({ number: 1, partitions: 1, hits: 1, ids, state: 'open', at: clock.now() })
}
const end = async (state: GenerationState): Promise<void> => {
  await made.generations.move(0, 'open', state, clock.now())
  clock.advance(minute) // everybody reads the list anew
}

/** A loop of a trigger over a stage, and what it told of failures. */
const aLoop = (name: 'enrich-session' | 'rollup-window', partition: number, onError: (error: unknown) => void = () => undefined) => {
  const ports = { ...stores, ...made, clock }
  const handler = name === 'enrich-session' ? createEnrich(ports) : createRollup(ports, { flushAgeMs: minute, holdMs: 0 }, onError)
  const failures: string[] = []
  const topic = name === 'enrich-session' ? 'hits' : 'events'
  const loop = createLoop(
    { name, topic, partition },
    { log: readableLog(made.log, made.generations, clock), leases, clock, call: () => handler },
    { lingerMs: 0, onFailure: (_, cause) => failures.push(String(cause)) },
  )
  const step = async (): Promise<void> => {
    const work = loop.step(undefined, 0)
    let isDone = false
    void work.then(() => {
      isDone = true
    })
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(20)
    }
  }
  const steps = async (count: number): Promise<void> => {
    for (let n = 0; n < count; n++) await step()
  }
  return { steps, failures, report: loop.report }
}

describe('enrich-session', () => {
  test('takes hits of a generation when all of the one before are taken, and knows those', async () => {
    await putHits(old, { ev: [{ id: 'a' }] })
    const first = aLoop('enrich-session', old)
    await first.steps(4)
    await begin()
    await putHits(old, { ev: [{ id: 'late' }] })
    await putHits(next, { ev: [{ id: 'a' }] }, { ev: [{ id: 'late' }] }, { ev: [{ id: 'new' }] })
    const second = aLoop('enrich-session', next)
    await second.steps(5)
    expect([await eventsOf(next), second.failures.at(-1)]).toEqual([[], expect.stringContaining('Earlier hits are not all taken yet.')])
    await end('ended')
    await second.steps(3)
    expect(await eventsOf(next)).toEqual([])
    await first.steps(4)
    await second.steps(4)
    expect(await repeatedIn(next)).toEqual([1, 1, 0])
  })

  test('knows hits of a day, and lines of imports for good', async () => {
    const imported = { imp: { src: 'log' }, ev: [{ id: 'line', l: 7 }] }
    await putHits(old, { ev: [{ id: 'a' }] }, { ev: [{ id: 'b' }] }, imported)
    const first = aLoop('enrich-session', old)
    await first.steps(4)
    await begin()
    await end('ended')
    await first.steps(2)
    clock.advance(23 * hour)
    await putHits(next, { ev: [{ id: 'a' }] })
    const second = aLoop('enrich-session', next)
    await second.steps(4)
    clock.advance(3 * hour)
    await putHits(
      next,
      { ev: [{ id: 'b' }] },
      {
        imp: { src: 'log' },
        ev: [
          { id: 'line', l: 7 },
          { id: 'line-8', l: 8 },
        ],
      },
    )
    await second.steps(3)
    expect(await repeatedIn(next)).toEqual([1, 0, 1])
  })

  test('keeps what an ended generation knew for as long as the next one may be behind, and no longer', async () => {
    await putHits(old, { ev: [{ id: 'a' }] })
    const first = aLoop('enrich-session', old)
    await first.steps(4)
    await begin()
    await end('ended')
    const isHeld = async () => (await stores.sessions.load(old, [], [{ site: 'example.com', id: 'a' }], [])).ids[0] !== undefined
    clock.advance(95 * hour)
    await first.steps(2)
    expect(await isHeld()).toBe(true)
    clock.advance(2 * hour)
    await first.steps(2)
    expect(await isHeld()).toBe(false)
  })

  test('stops at a topic that was made anew, whatever lies in it, and says the cure', async () => {
    await putHits(old, { ev: [{ id: 'a' }] })
    const first = aLoop('enrich-session', old)
    await first.steps(4)
    made.drop('hits')
    await made.topics.make({ hits: 'hits', events: 'events', dead: 'dead' }, { partitions: 1, copies: 1 })
    await putHits(old, { ev: [{ id: 'x' }] }, { ev: [{ id: 'y' }] })
    await first.steps(3)
    expect(first.failures.at(-1)).toContain('The hits topic was made anew.')
    expect(await eventsOf(old)).toHaveLength(1)
  })

  test('keeps what it knew of hits that are lost, and folds it anew from events while there are any', async () => {
    await putHits(old, { ev: [{ id: 'a' }] })
    const first = aLoop('enrich-session', old)
    await first.steps(4)
    const { fence } = await stores.sessions.load(old, [], [], [])
    made.drop('hits')
    await begin()
    await end('cut')
    // The state is lost: what stands instead has nothing.
    await stores.sessions.init(old, { ...fence!, gen: 1, ev: 0, next: 0 }, fence!)
    await putHits(next, { ev: [{ id: 'a' }] })
    const second = aLoop('enrich-session', next)
    await second.steps(3)
    expect(await eventsOf(next)).toEqual([])
    await first.steps(3)
    await second.steps(3)
    expect(await repeatedIn(next)).toEqual([1])
  })
})

describe('rollup-window', () => {
  test('goes on with the life of days whose log is gone', async () => {
    await putHits(old, { ev: [{ id: 'a' }] })
    await aLoop('enrich-session', old).steps(4)
    const rollup = aLoop('rollup-window', old)
    await rollup.steps(3)
    for (const topic of ['hits', 'events']) made.drop(topic)
    await begin()
    await end('gone')
    for (let hours = 0; hours < 40; hours++) {
      clock.advance(hour)
      await rollup.steps(2)
    }
    const list = await stores.segments.list(old, 'example.com', today, today)
    expect(list.map(({ level, from, to }) => [level, from, to])).toContainEqual([1, 0, 1])
    expect(rollup.failures).toEqual([])
  })

  test('stops at events that were made anew, whatever lies in them, and says the cure', async () => {
    await putHits(old, { ev: [{ id: 'a' }] })
    await aLoop('enrich-session', old).steps(4)
    const rollup = aLoop('rollup-window', old)
    await rollup.steps(3)
    const before = await stores.memtables.fence(old)
    made.drop('events')
    await made.topics.make({ hits: 'hits', events: 'events', dead: 'dead' }, { partitions: 1, copies: 1 })
    await made.log.append('events', old, ['{"at":0}', '{"at":1,"src":1}'])
    await rollup.steps(3)
    expect(rollup.failures.at(-1)).toContain('The events topic was made anew.')
    expect(await stores.memtables.fence(old)).toEqual(before)
  })

  test('says what does not come back where its state is lost as well', async () => {
    for (const topic of ['hits', 'events']) made.drop(topic)
    await begin()
    await end('gone')
    const told: unknown[] = []
    const rollup = aLoop('rollup-window', old, (error) => told.push(error))
    await rollup.steps(2)
    expect(String(told[0])).toContain('the state of partition 0 is lost, and so is its log')
    expect(await stores.memtables.fence(old)).toMatchObject({ topic: 'gone', next: 0, src: -1 })
    expect(rollup.failures).toEqual([])
  })
})

test('nothing is forgotten by a log that is gone', async () => {
  const keeper = readableKeeper({ headroom: () => Promise.reject(new Error('asked')) }, made.generations)
  await expect(keeper.headroom('hits', old, 5)).rejects.toThrow('asked')
  await end('cut')
  expect(await keeper.headroom('hits', old, 5)).toEqual({ records: 0, ms: undefined })
  await expect(keeper.headroom('events', old, 5)).rejects.toThrow('asked')
})

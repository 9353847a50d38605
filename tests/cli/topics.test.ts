import { beforeEach, describe, expect, test } from 'vitest'
import type { Generation } from '#shared/ports/generations.ts'
import { wire } from '#shared/wire.ts'
import { migrateTopics, type TopicsPlan } from '../../scripts/cli/topics.ts'
import { createGenerationList, createGenerations } from '../model/generations.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

/** `footfall migrate` over topics in memory. */

const start = Date.UTC(2026, 9, 25)

const aWorld = async () => {
  const clock = createVirtualClock(start, createRandom(1))
  const stores = await wire(':memory:', 'all', clock)
  const { topics, drop } = await createGenerations(stores.log, 4)
  const generations = createGenerationList()
  const told: string[] = []
  const closed: string[] = []
  const world = {
    generations,
    topics: {
      ...topics,
      close: async (name: string, probe: string) => {
        closed.push(name)
        await topics.close(name, probe)
      },
    },
    clock,
    out: (line: string) => void told.push(line),
  }
  /** Runs it to its end, while time goes by; answers after which times something had changed. */
  const run = async (plan: Partial<TopicsPlan> = {}, more: Partial<typeof world> = {}): Promise<void> => {
    let isDone = false
    const work = migrateTopics({ ...world, ...more }, { partitions: 4, copies: 1, isLost: false, ...plan }).finally(() => {
      isDone = true
    })
    work.catch(() => undefined)
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve))
      clock.advance(1_000)
    }
    await work
  }
  const states = async () => (await generations.list()).map(({ number, state }) => `${number} ${state}`)
  return { ...world, drop, run, told, closed, states }
}

describe('topics', () => {
  let world: Awaited<ReturnType<typeof aWorld>>
  beforeEach(async () => {
    world = await aWorld()
  })

  const next = { partitions: undefined }

  test('are made once, and looked at ever after', async () => {
    await world.run()
    const [first, ...others] = await world.generations.list()
    expect(first).toMatchObject({ number: 0, partitions: 4, hits: 0, state: 'open', ids: { hits: expect.stringMatching(/topic/) } })
    expect(others).toEqual([])
    await world.run({ partitions: 8 })
    expect(await world.generations.list()).toEqual([first])
    expect(world.told.join('\n')).toContain('FOOTFALL_PARTITIONS (8) is for the first topics.')
    expect(world.clock.now() - start).toBeLessThan(10_000)
  })

  test('of another number of partitions come after all who read know of them, and nothing can be written to the old ones then', async () => {
    await world.run()
    const seen: { at: number; generations: Generation[] }[] = []
    const generations = {
      ...world.generations,
      async add(generation: Generation) {
        seen.push({ at: world.clock.now(), generations: [generation] })
        return world.generations.add(generation)
      },
      async move(...args: Parameters<typeof world.generations.move>) {
        const done = await world.generations.move(...args)
        seen.push({ at: world.clock.now(), generations: await world.generations.list() })
        return done
      },
    }
    await world.run({ next: { partitions: 8 } }, { generations })
    expect(seen.map((one) => one.generations.map(({ number, state }) => `${number} ${state}`).join())).toEqual([
      '1 waiting',
      '0 open,1 open',
      '0 ended,1 open',
    ])
    const [listed, opened, ended] = seen.map(({ at }) => at)
    expect(opened! - listed!).toBeGreaterThanOrEqual(15_000)
    expect(ended! - opened!).toBeGreaterThanOrEqual(15_000)
    expect(world.closed).toEqual(['hits'])
    expect((await world.generations.list())[1]).toMatchObject({ partitions: 8, hits: 1 })
  })

  test('whose hits were made anew are taken over as they are, with their number of partitions', async () => {
    await world.run()
    world.drop('hits')
    await expect(world.run()).rejects.toMatchObject({
      message: expect.stringContaining('hits made anew, or gone'),
      hint: expect.stringContaining('--new-topics'),
    })
    await world.topics.make({ hits: 'hits', events: 'events', dead: 'dead' }, { partitions: 4, copies: 1 })
    await expect(world.run({ next: { partitions: 8 } })).rejects.toThrow('what came since lies in 4 partitions')
    await world.run({ next })
    expect(await world.states()).toEqual(['0 cut', '1 open'])
    const [, taken] = await world.generations.list()
    expect(taken).toMatchObject({ hits: 0, partitions: 4, ids: { hits: (await world.topics.ids(['hits'])).get('hits') } })
    // Nobody who sleeps with old hits in his hands may write what they are any more.
    expect(world.closed).toEqual(['events'])
  })

  test('that are gone are made again; without events the old ones have no log any more', async () => {
    await world.run()
    world.drop('hits')
    world.drop('events')
    await world.run({ next })
    expect(await world.states()).toEqual(['0 gone', '1 open'])
    expect([...(await world.topics.ids(['hits', 'events', 'events-1', 'hits-1'])).keys()]).toEqual(['hits', 'events-1'])
    expect(world.closed).toEqual([])
  })

  test('whose events alone are gone are followed by others', async () => {
    await world.run()
    world.drop('events')
    await world.run({ next })
    expect(await world.states()).toEqual(['0 gone', '1 open'])
    expect(world.closed).toEqual(['hits'])
  })

  test('are moved to by whoever goes on where another was interrupted, at whatever step', async () => {
    for (let at = 1; at <= 4; at++) {
      const own = await aWorld()
      await own.run()
      let steps = 0
      const interrupted =
        <A extends unknown[], R>(work: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          if (++steps === at) throw new Error('interrupted')
          return work(...args)
        }
      const generations = { ...own.generations, add: interrupted(own.generations.add), move: interrupted(own.generations.move) }
      const topics = { ...own.topics, close: interrupted(own.topics.close) }
      await expect(own.run({ next: { partitions: 8 } }, { generations, topics })).rejects.toThrow('interrupted')
      // Asked for once more, it is the same move.
      await own.run({ next: { partitions: 8 } })
      expect(await own.states()).toEqual(['0 ended', '1 open'])
    }
  })

  test('of a generation that ended long ago are asked no more, and what is lost is given up when that is said', async () => {
    await world.run()
    await world.run({ next })
    world.clock.advance(95 * 3_600_000)
    await world.run()
    expect(await world.states()).toEqual(['0 ended', '1 open'])
    world.clock.advance(3_600_000)
    await world.run()
    expect(await world.states()).toEqual(['0 gone', '1 open'])
    expect(world.told.join('\n')).toContain('hits and events may be deleted')
    await world.run({ next })
    await world.run({ isLost: true })
    expect(await world.states()).toEqual(['0 gone', '1 gone', '2 open'])
  })
})

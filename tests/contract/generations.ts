import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Generation, GenerationChanges, Generations } from '#shared/ports/generations.ts'

/** What every generations engine must do: all of them tell, some can be changed. */

const generation = (number: number, more: Partial<Generation> = {}): Generation => ({
  number,
  partitions: 16,
  hits: number,
  ids: { hits: `hits ${number}`, events: `events ${number}` },
  state: 'waiting',
  at: 1_700_000_000_000 + number,
  ...more,
})

type Under<T> = { generations: T; close(): Promise<void> | void }

/** One that is there from the beginning, and stays. */
export const oneGenerationContract = (name: string, open: () => Promise<Under<Generations>>): void => {
  test(`generations: ${name}: there is one, and it takes hits`, async () => {
    const under = await open()
    try {
      const [only, ...others] = await under.generations.list()
      expect(only).toMatchObject({ number: 0, partitions: 1, hits: 0, state: 'open' })
      expect(others).toEqual([])
    } finally {
      await under.close()
    }
  })
}

export const generationsContract = (name: string, open: () => Promise<Under<GenerationChanges>>): void => {
  describe(`generations: ${name}`, () => {
    let under: Under<GenerationChanges>
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    test('there is none until one is listed; they are told by number, as they were given', async () => {
      expect(await under.generations.list()).toEqual([])
      for (const number of [0, 2, 10, 1]) expect(await under.generations.add(generation(number, { hits: 0 }))).toBe('done')
      expect(await under.generations.list()).toEqual([0, 1, 2, 10].map((number) => generation(number, { hits: 0 })))
    })

    test('a number is given once', async () => {
      const all = await Promise.all([1, 2, 3].map((partitions) => under.generations.add(generation(0, { partitions }))))
      expect(all.toSorted()).toEqual(['done', 'stale', 'stale'])
      const [stands] = await under.generations.list()
      expect(stands!.partitions).toBe(1 + all.indexOf('done'))
    })

    test('one moves from the state it is in, and nothing else of it changes', async () => {
      await under.generations.add(generation(0))
      await under.generations.add(generation(1))
      expect(await under.generations.move(0, 'waiting', 'open', 5)).toBe('done')
      expect(await under.generations.move(0, 'waiting', 'gone', 6)).toBe('stale')
      expect(await under.generations.move(7, 'waiting', 'open', 6)).toBe('stale')
      expect(await under.generations.list()).toEqual([generation(0, { state: 'open', at: 5 }), generation(1)])
      expect((await Promise.all([7, 8].map((at) => under.generations.move(0, 'open', 'ended', at)))).toSorted()).toEqual(['done', 'stale'])
    })
  })
}

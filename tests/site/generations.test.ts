import { beforeEach, describe, expect, test } from 'vitest'
import type { Generation } from '#shared/ports/generations.ts'
import {
  allPartsOf,
  createKnownGenerations,
  createPlaceOf,
  generationOf,
  generationWaitMs,
  isGone,
  openIn,
  partOf,
  placeIn,
  readerStaleMs,
  writerStaleMs,
} from '#shared/site/generations.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

const generation = (number: number, more: Partial<Generation> = {}): Generation => ({
  number,
  partitions: 2,
  hits: number,
  ids: { hits: '', events: '' },
  state: 'open',
  at: 0,
  ...more,
})

describe('partitions of generations', () => {
  test('have numbers of their own; those of the first are its partitions', () => {
    expect(allPartsOf(generation(0))).toEqual([0, 1])
    expect(allPartsOf(generation(3))).toEqual([3 * 4_096, 3 * 4_096 + 1])
    expect(generationOf(partOf(generation(3), 511))).toBe(3)
  })

  test('lie in topics of their own, but for hits that were taken over', () => {
    const list = [generation(0), generation(1, { hits: 0 }), generation(2)]
    const placesOf = (part: number) => (['hits', 'events', 'dead'] as const).map((topic) => placeIn(list, topic, part))
    expect(placesOf(1).map(({ name, partition }) => `${name} ${partition}`)).toEqual(['hits 1', 'events 1', 'dead 1'])
    expect(placesOf(4_097).map(({ name, partition }) => `${name} ${partition}`)).toEqual(['hits 1', 'events-1 1', 'dead-1 1'])
    expect(placesOf(8_193).map(({ name, partition }) => `${name} ${partition}`)).toEqual(['hits-2 1', 'events-2 1', 'dead-2 1'])
    expect(() => placeIn(list, 'hits', 5 * 4_096)).toThrow('There is no generation 5 of topics.')
  })

  test('are written to in the newest that is open, and read as far as they can be', () => {
    const list = [generation(0, { state: 'gone' }), generation(1, { state: 'cut' }), generation(2), generation(3, { state: 'waiting' })]
    expect(openIn(list).number).toBe(2)
    expect(() => openIn([])).toThrow('No generation of topics is open.')
    const gone = list.flatMap(({ number }) => (['hits', 'events'] as const).filter((topic) => isGone(list, topic, partOf({ number }, 1))))
    expect(gone).toEqual(['hits', 'events', 'hits'])
  })
})

describe('what a process knows of generations', () => {
  let clock: VirtualClock
  let stored: Generation[]
  let asked: number
  let isAway: boolean
  const store = {
    list: async () => {
      asked++
      if (isAway) throw new Error('away')
      return [...stored]
    },
  }
  const numbers = (list: readonly Generation[]) => list.map(({ number }) => number)

  beforeEach(() => {
    clock = createVirtualClock(Date.UTC(2026, 9, 25), createRandom(1))
    stored = [generation(0)]
    asked = 0
    isAway = false
  })

  test('is asked once by many at a time, and then held for some seconds', async () => {
    const known = createKnownGenerations(store, clock, writerStaleMs)
    await Promise.all([known.list(), known.list()])
    clock.advance(4_999)
    expect(known.list()).not.toBeInstanceOf(Promise)
    expect(asked).toBe(1)
  })

  test('is never older than a change that was waited for, also where nobody asked for long', async () => {
    for (const age of [generationWaitMs, 3_600_000]) {
      const known = createKnownGenerations(store, clock, writerStaleMs)
      await known.list()
      stored.push(generation(stored.length))
      clock.advance(age)
      expect(numbers(await known.list())).toEqual(numbers(stored))
    }
  })

  test('is told at once while it is asked for anew, and asked for anew where somebody says that it is wrong', async () => {
    const known = createKnownGenerations(store, clock, writerStaleMs)
    await known.list()
    stored.push(generation(1))
    clock.advance(5_000)
    expect(numbers(await known.list())).toEqual([0])
    await Promise.resolve()
    expect(numbers(await known.list())).toEqual([0, 1])
    stored.push(generation(2))
    known.forget()
    expect(numbers(await known.list())).toEqual([0, 1])
    clock.advance(1_000)
    known.forget()
    expect(numbers(await known.list())).toEqual([0, 1, 2])
  })

  test('stands for a day for who writes, and for ten seconds for who reads, while the store is away', async () => {
    const [writer, reader] = [createKnownGenerations(store, clock, writerStaleMs), createKnownGenerations(store, clock, readerStaleMs)]
    await Promise.all([writer.list(), reader.list()])
    isAway = true
    clock.advance(readerStaleMs)
    await expect(reader.list()).rejects.toMatchObject({ code: 'store-unavailable' })
    expect(numbers(await writer.list())).toEqual([0])
    // It has not answered: nobody waits for it again.
    clock.advance(3_600_000)
    expect(writer.list()).not.toBeInstanceOf(Promise)
    clock.advance(writerStaleMs)
    await expect(writer.list()).rejects.toMatchObject({ code: 'store-unavailable' })
    isAway = false
    expect(numbers(await writer.list())).toEqual([0])
  })

  test('is asked for anew where a partition is of a generation that is not known yet', async () => {
    const placeOf = createPlaceOf(createKnownGenerations(store, clock, writerStaleMs))
    expect(await placeOf('events', 1)).toEqual({ name: 'events', partition: 1 })
    stored.push(generation(1))
    clock.advance(1_000)
    expect(await placeOf('events', 4_097)).toEqual({ name: 'events-1', partition: 1 })
    await expect(placeOf('events', 8_193)).rejects.toMatchObject({ code: 'store-unavailable' })
  })
})

import { describe, expect, it, test } from 'vitest'
import { firstOf } from '#shared/query/explore/first.ts'
import { createJourneys, createNumbers, eachJourney } from '#shared/query/explore/journeys.ts'
import { createRandom } from '../model/random.ts'

/** What lies between reading and counting: hits of each visitor in order, whatever their number, and what that holds. */

const counted = () => {
  const held = { now: 0, most: 0, pauses: 0 }
  const take = (bytes: number): void => {
    held.now += bytes
    held.most = Math.max(held.most, held.now)
  }
  const pause = () => {
    held.pauses++
    return undefined
  }
  return { held, turn: { room: { take, give: (bytes: number) => take(-bytes) }, pause } }
}

describe('each journey', () => {
  it.each([0, 1, 2, 63, 64, 65, 4_096, 4_097, 8_193, 30_000])(
    'of %i hits is in the order of time, ties as told, else as they came',
    async (size) => {
      for (const people of [1, 3]) {
        const random = createRandom(size + people)
        const { held, turn } = counted()
        const journeys = createJourneys(turn.room)
        const hits = Array.from({ length: size }, (_, i) => ({
          i,
          who: random.below(people),
          when: random.below(1 + size / 4),
          what: random.below(8),
        }))
        for (const { who, when, what } of hits) journeys.add(who, when, what)
        const filled = held.now
        expect(filled).toBeGreaterThanOrEqual(16 * size)
        const seen: number[][] = []
        await eachJourney(
          journeys.done(),
          (a, b) => (a % 4) - (b % 4),
          turn,
          (order, from, to) => seen.push([...order.subarray(from, to)]),
        )
        const expected = Array.from({ length: people }, (_, who) =>
          hits
            .filter((hit) => hit.who === who)
            .sort((a, b) => a.when - b.when || (a.what % 4) - (b.what % 4) || a.i - b.i)
            .map(({ i }) => i),
        ).filter(({ length }) => length > 0)
        expect(seen).toEqual(expected)
        expect(held.now).toBe(filled)
        expect(held.pauses).toBeGreaterThanOrEqual(Math.floor(size / 5_000))
      }
    },
  )

  it('of people in any order, without those who have none', async () => {
    const { turn } = counted()
    const journeys = createJourneys(turn.room)
    for (const who of [7, 2, 7, 4]) journeys.add(who, 1, who)
    const seen: number[] = []
    await eachJourney(
      journeys.done(),
      () => 0,
      turn,
      (order, from, to) => seen.push(to - from, journeys.done().what[order[from]!]!),
    )
    expect(seen).toEqual([1, 2, 1, 4, 2, 7])
  })
})

test('a table that grows gives back the one before it', () => {
  const { held, turn } = counted()
  const journeys = createJourneys(turn.room)
  for (let i = 0; i < 256; i++) journeys.add(0, i, 0)
  expect(held.now).toBe(256 * 16)
  journeys.add(0, 256, 0)
  expect(held).toMatchObject({ now: 512 * 16, most: 768 * 16 })
})

test('texts have numbers as they come, up to a limit', () => {
  const { turn } = counted()
  const numbers = createNumbers(turn.room, 3, () => new Error('too many'))
  expect(['b', 'a', '__proto__', 'a', 'b'].map((text) => numbers.of(text))).toEqual([0, 1, 2, 1, 0])
  expect(numbers.texts).toEqual(['b', 'a', '__proto__'])
  expect(() => numbers.of('c')).toThrow('too many')
})

test('the first few are those of a sorted list', () => {
  const random = createRandom(3)
  for (const most of [1, 2, 5, 50]) {
    const list = Array.from({ length: random.below(40) }, () => random.below(1_000))
    expect(firstOf(list, most, (a, b) => b - a)).toEqual([...list].sort((a, b) => b - a).slice(0, most))
  }
})

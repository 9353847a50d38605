import { beforeEach, expect, test } from 'vitest'
import { createKnownSalts } from '#shared/site/salt-cache.ts'
import { saltGoneAt } from '#shared/site/salts.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

const noon = Date.UTC(2026, 5, 10, 12)
const today = 20260610

let clock: VirtualClock
let asked: number[]
beforeEach(() => {
  clock = createVirtualClock(noon, createRandom(1))
  asked = []
})
const known = (get = async (day: number): Promise<Buffer | undefined> => Buffer.from(`salt of ${day}`)) =>
  createKnownSalts(
    {
      get(day) {
        asked.push(day)
        return get(day)
      },
      make: async (_day, value) => value,
      dropBefore: async () => 0,
    },
    clock,
  )

test('a salt is asked for once and held', async () => {
  const salts = known()
  expect(String(await salts.of(today))).toBe(`salt of ${today}`)
  expect(String(salts.of(today))).toBe(`salt of ${today}`)
  expect(asked).toEqual([today])
})

test('it is forgotten the moment it is due to be gone, though nobody asks', async () => {
  const salts = known()
  await salts.of(today)
  expect(clock.untilNext()).toBe(saltGoneAt(today) - noon)
  clock.advance(saltGoneAt(today) - noon)
  expect(clock.untilNext()).toBeUndefined()
  // With the clock put back, what is still held would be answered at once.
  const before = createVirtualClock(noon, createRandom(1))
  Object.assign(clock, { now: () => before.now() })
  expect(salts.of(today)).toBeInstanceOf(Promise)
})

test('two who ask at once leave one timer behind', async () => {
  const salts = known()
  await Promise.all([salts.of(today), salts.of(today)])
  clock.advance(saltGoneAt(today) - noon - 1)
  expect(clock.untilNext()).toBe(1)
  clock.advance(1)
  expect(clock.untilNext()).toBeUndefined()
  expect(salts.of(today)).toBe('gone')
})

test('one that goes while it is asked for is not held', async () => {
  const salts = known(async (day) => {
    clock.advance(saltGoneAt(day) - clock.now())
    return Buffer.from('late')
  })
  expect(await salts.of(today)).toBe('gone')
  expect(clock.untilNext()).toBeUndefined()
})

test('one that is not made yet, and a store that is down', async () => {
  await expect(known(async () => undefined).of(today)).rejects.toMatchObject({ code: 'no-salt' })
  await expect(known(() => Promise.reject(new Error('down'))).of(today)).rejects.toMatchObject({ code: 'store-unavailable' })
})

import { expect, test } from 'vitest'
import { sparing } from '#shared/runtime/log.ts'
import { noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

test('what fails thousands of times is told once a second, whatever the clock does', () => {
  const clock = createVirtualClock(noon, createRandom(1))
  const told: number[] = []
  const tell = sparing<number>(clock, 1_000, (what) => told.push(what))
  for (let i = 0; i < 3_000; i++) {
    tell(i)
    clock.advance(1)
  }
  expect(told).toEqual([0, 1_000, 2_000])
  clock.advance(-86_400_000)
  tell(9_999)
  expect(told.at(-1)).toBe(9_999)
})

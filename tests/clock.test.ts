import { expect, test } from 'vitest'
import { hasPassed } from '#shared/clock.ts'

test.each([
  ['not yet', 0, 9, false],
  ['just now', 0, 10, true],
  ['long ago', Number.NEGATIVE_INFINITY, 0, true],
  ['at once', 5, 5, false],
  ['the clock has gone back', 5, 4, true],
])('whether a time has passed: %s', (_what, since, now, expected) => expect(hasPassed({ now: () => now }, since, 10)).toBe(expected))

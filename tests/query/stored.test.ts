import { describe, test } from 'vitest'
import { createGenerations } from '#shared/engines/sqlite/generations.ts'
import type { Handler } from '#shared/handler.ts'
import { sqliteGround } from '../model/ground.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'
import { openStored } from './stored.ts'
import { compareSeed } from './stored-seeds.ts'

/** query-metrics over SQLite, with days that are open, closed, and both: it answers what the reference fold does. */

describe('stored days and reference answer the same', () => {
  const seeds = 40
  test.each(Array.from({ length: seeds }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = createRandom(seed)
    const { stores, close } = await sqliteGround(createVirtualClock(0, random), random, 4)
    // Half of them are counted with two that help.
    const helpersOf = (like: Handler) => (seed % 2 === 0 ? [] : [like, like])
    await compareSeed(await openStored({ ...stores, generations: createGenerations(4) }, helpersOf), seed)
    await close()
  })
})

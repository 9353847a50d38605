import { describe, test } from 'vitest'
import { checkRun, faultsOf } from './check.ts'
import type { RunOptions } from './run.ts'

/** Seeds of the model, shared out over test files, so that every core has some. `MODEL_SEEDS` says how many, `MODEL_FIRST` where to begin. */
const seeds = Number(process.env['MODEL_SEEDS'] ?? 1_000)
const first = Number(process.env['MODEL_FIRST'] ?? 1)
const perTest = 25
const hour = 3_600_000
const day = 24 * hour

/** Some runs move to other topics, or lose those they have: with faults of every kind beside it, and none. */
const topicsFor = (seed: number): RunOptions['topics'] => (seed % 7 === 0 ? 'other' : seed % 11 === 0 ? 'lost' : undefined)

export const describeModel = (share: number, shares: number): void => {
  describe('the pipeline is what the recount says', () => {
    const own = Array.from({ length: seeds }, (_, i) => first + i).filter((seed) => seed % shares === share)
    for (let i = 0; i < own.length; i += perTest) {
      const some = own.slice(i, i + perTest)
      test(`seeds ${some[0]} to ${some.at(-1)}`, { timeout: 300_000 }, async () => {
        for (const seed of some)
          await checkRun({
            seed,
            hits: 60,
            ...faultsOf(seed),
            topics: topicsFor(seed),
            questions: 20,
            asking: 0.05,
            ages: seed % 3 === 0 ? [day + 3 * hour, 11 * day] : [],
          })
      })
    }
  })
}

import { describe, test } from 'vitest'
import { checkRun, faultsOf } from './check.ts'

/** Seeds in which an owner replays days while hits come, also late, and all goes wrong that can. */
const seeds = Math.ceil(Number(process.env['MODEL_SEEDS'] ?? 1_000) / 5)
const first = Number(process.env['MODEL_FIRST'] ?? 1)
const perTest = 20
const hour = 3_600_000

describe('versions of days are what the recount makes of the rules', () => {
  for (let from = first; from < first + seeds; from += perTest)
    test(`seeds ${from} to ${Math.min(from + perTest, first + seeds) - 1}`, { timeout: 300_000 }, async () => {
      for (let seed = from; seed < Math.min(from + perTest, first + seeds); seed++)
        await checkRun({
          seed,
          hits: 60,
          ...faultsOf(seed),
          questions: 12,
          asking: 0.05,
          ages: [27 * hour, 30 * hour, 264 * hour],
          replays: true,
        })
    })
})

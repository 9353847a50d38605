import { afterAll, beforeAll, describe, test } from 'vitest'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { redis } from '../../scripts/services/redis.ts'
import { checkRun, faultsOf } from '../model/check.ts'
import { type Grounds, openGrounds } from './model-ground.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/**
 * Seeds of the model with hot state on a real Redis and what is cold or configured on a real Cassandra. `MODEL_SERVICE_SEEDS` says how many,
 * `MODEL_FIRST` where to begin.
 */
const reason = (await reasonAgainst(redis)) ?? (await reasonAgainst(cassandra))
const seeds = Number(process.env['MODEL_SERVICE_SEEDS'] ?? 8)
const first = Number(process.env['MODEL_FIRST'] ?? 1)
const hour = 3_600_000
const startMs = 200_000

describe.skipIf(reason !== undefined)('the pipeline on Redis and Cassandra is what the recount says', () => {
  let places: Place[] = []
  let grounds: Grounds
  beforeAll(async () => {
    places = [await aPlace(redis), await aPlace(cassandra)]
    const [hot, cold] = await Promise.all(places.map((place) => place.start()))
    grounds = await openGrounds(hot!, cold!)
  }, startMs)
  afterAll(async () => {
    await grounds?.close()
    for (const place of places) await place.end()
  })

  for (let seed = first; seed < first + seeds; seed++)
    test(`seed ${seed}`, { timeout: 120_000 }, async () => {
      // Some grow old, under an owner who orders replays: they take five times as long.
      const isLong = seed % 6 === 3
      await checkRun({
        seed,
        hits: 60,
        // Two triggers everywhere and one visitor: fences are needed all the time.
        crowded: seed % 2 === 1,
        ...faultsOf(seed),
        topics: seed % 4 === 2 ? 'other' : seed % 8 === 4 ? 'lost' : undefined,
        questions: 8,
        asking: 0.05,
        ages: isLong ? [27 * hour, 264 * hour] : [],
        replays: isLong,
        ground: grounds.make,
      })
    })
})

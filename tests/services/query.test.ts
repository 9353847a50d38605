import { afterAll, beforeAll, describe, test } from 'vitest'
import { createGenerations } from '#shared/engines/sqlite/generations.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { redis } from '../../scripts/services/redis.ts'
import type { Ground } from '../model/ground.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'
import { openStored } from '../query/stored.ts'
import { compareSeed } from '../query/stored-seeds.ts'
import { type Grounds, openGrounds } from './model-ground.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/**
 * query-metrics over a real Redis and a real Cassandra: it answers what the reference fold does, whether days are open, closed, or both.
 * `QUERY_SERVICE_SEEDS` says how many seeds (17 questions each), `QUERY_FIRST` where to begin.
 */
const reason = (await reasonAgainst(redis)) ?? (await reasonAgainst(cassandra))
const seeds = Number(process.env['QUERY_SERVICE_SEEDS'] ?? 30)
const first = Number(process.env['QUERY_FIRST'] ?? 0)
const partitions = 4
const startMs = 200_000

describe.skipIf(reason !== undefined)('days on Redis and Cassandra, and reference, answer the same', () => {
  let places: Place[] = []
  let grounds: Grounds
  let ground: Ground
  let compare: Awaited<ReturnType<typeof openStored>>
  beforeAll(async () => {
    places = [await aPlace(redis), await aPlace(cassandra)]
    const [hot, cold] = await Promise.all(places.map((place) => place.start()))
    grounds = await openGrounds(hot!, cold!)
    const random = createRandom(1)
    ground = await grounds.make(createVirtualClock(0, random), random, partitions)
    compare = await openStored({ ...ground.stores, generations: createGenerations(partitions) })
  }, startMs)
  afterAll(async () => {
    await ground?.close()
    await grounds?.close()
    for (const place of places) await place.end()
  })

  test.each(Array.from({ length: seeds }, (_, i) => first + i))('seed %i', { timeout: 120_000 }, (seed) => compareSeed(compare, seed))
})

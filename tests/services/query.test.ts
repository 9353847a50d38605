import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sharePath } from '#functions/query-metrics/shares.ts'
import { systemClock } from '#shared/clock.ts'
import { createGenerations } from '#shared/engines/sqlite/generations.ts'
import type { Handler } from '#shared/handler.ts'
import { type Served, serve } from '#shared/runtime/server.ts'
import { type Caller, createCaller } from '#shared/trigger/call.ts'
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
 * query-metrics over a real Redis and a real Cassandra: it answers what the reference fold does, whether days are open, closed, or both, and
 * whether it counts alone or has help by others that it asks by HTTP.
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
  let served: Served
  let caller: Caller
  let helpers: readonly Handler[] = []
  /** How often help was asked for. */
  let asked = 0
  beforeAll(async () => {
    places = [await aPlace(redis), await aPlace(cassandra)]
    const [hot, cold] = await Promise.all(places.map((place) => place.start()))
    grounds = await openGrounds(hot!, cold!)
    const random = createRandom(1)
    ground = await grounds.make(createVirtualClock(0, random), random, partitions)
    const stores = { ...ground.stores, generations: createGenerations(partitions) }
    let helper: Handler | undefined
    const handler: Handler = (request) => {
      asked++
      return helper!(request)
    }
    served = await serve({ handler, host: '127.0.0.1', port: 0, maxBodyBytes: () => 2 ** 20, onError: () => undefined })
    caller = createCaller({ url: `http://127.0.0.1:${served.port}${sharePath}`, timeoutMs: 30_000, clock: systemClock })
    compare = await openStored(stores, (like) => {
      helper = like
      return helpers
    })
  }, startMs)
  afterAll(async () => {
    caller?.close()
    await served?.close(0)
    await ground?.close()
    await grounds?.close()
    for (const place of places) await place.end()
  })

  test.each(Array.from({ length: seeds }, (_, i) => first + i))('seed %i', { timeout: 120_000 }, async (seed) => {
    helpers = seed % 2 === 0 ? [] : [caller.handle, caller.handle]
    await compareSeed(compare, seed)
    if (seed % 2 === 1) expect(asked).toBeGreaterThan(0)
  })
})

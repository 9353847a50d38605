import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openRedis, type RedisStores } from '#shared/engines/redis/stores.ts'
import { openFolder } from '#shared/engines/sqlite/folder.ts'
import type { Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { SealedCopy, Seals } from '#shared/ports/seals.ts'
import { redis } from '../../scripts/services/redis.ts'
import { createRandom } from '../model/random.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** The same steps by chance, of rollup's hot state, given to both engines: every answer must be the same. */

const reason = await reasonAgainst(redis)
const seeds = 10
const steps = 100

type Hot = { memtables: Memtables; seals: Seals }
const sites = ['a.example', 'b.example', 'ü.example']
const days = [20261024, 20261025, 20261026, -20261025]
const begin: RollupFence = { gen: 7, topic: 't', next: 0, src: -1, logTime: 1_000 }

describe.skipIf(reason !== undefined)('hot state in Redis and in SQLite', () => {
  let place: Place
  let control: Redis
  let stores: RedisStores
  beforeAll(async () => {
    place = await aPlace(redis)
    const { address } = await place.start()
    control = new Redis(`redis://${address}`)
    stores = openRedis({ urls: [`redis://${address}`], clock: systemClock })
  })
  afterAll(async () => {
    await stores.close()
    control.disconnect()
    await place.end()
  })

  it.each(Array.from({ length: seeds }, (_, i) => i + 1))('answers alike, seed %d', async (seed) => {
    await control.flushall()
    const random = createRandom(seed)
    const { below: under, pick: one } = random
    const folder = openFolder({ folder: ':memory:', writes: ['log', 'state', 'site'] }, systemClock)
    const both = async <Answer>(ask: (hot: Hot) => Promise<Answer>): Promise<Answer> => {
      const [expected, answer] = await Promise.all([ask(folder), ask(stores)])
      expect(answer).toEqual(expected)
      return expected
    }
    let fence = await both(({ memtables }) => memtables.init(0, begin))
    let copies: SealedCopy[] = []
    const where = () => ({ site: one(sites), day: one(days) })

    const commit = async () => {
      const was = random.chance(0.1) ? { ...fence, next: fence.next + 1 } : fence
      const now = { ...fence, next: fence.next + 10, src: fence.src + 10, logTime: fence.logTime + under(1_000) }
      const blocks = Array.from({ length: under(5) }, (_, i) => ({
        ...where(),
        ...{ from: fence.next + 2 * i, to: fence.next + 2 * i + 2, rows: 1 + under(3), body: 'ü'.repeat(under(60)) },
      }))
      const bases = blocks.filter(() => random.chance(0.9)).map(({ site, day }) => ({ site, day, base: under(fence.next + 1) }))
      const minutes = Array.from({ length: under(3) }, () => ({
        ...{ site: one(sites), minute: 60_000 * under(4), pageviews: under(9), events: under(9), visits: under(9) },
      }))
      const seen = Array.from({ length: under(4) }, () => ({ site: one(sites), vis: `v${under(9)}`, t: under(240_000) }))
      if ((await both(({ memtables }) => memtables.commit(0, was, now, { blocks, bases, minutes, seen }))) === 'done') fence = now
    }
    const seal = async () => {
      const [at, bytes, what] = [under(9_999), one([1, 100, 1e9]), where()]
      const copy = await both(({ seals }) => seals.seal(0, what, at, bytes))
      if (copy) copies.push(copy)
    }
    const drop = async () => {
      const copy = one(copies)
      if (!copy) return
      await both(({ seals }) => seals.readSealed(0, copy))
      await both(({ seals }) => seals.dropSealed(0, copy))
      await both(({ seals }) => seals.readSealed(0, copy))
      copies = copies.filter((other) => other !== copy)
    }
    const others = [
      () => both(({ seals }) => (async (what, upTo) => seals.forgetBase(0, what, upTo))({ site: sites[0]!, day: days[1]! }, fence.next)),
      () => both(({ memtables }) => memtables.trimLive(0, 60_000)),
      async () => {
        if (random.chance(0.9)) return
        fence = await both(({ memtables }) => memtables.init(0, { ...begin, gen: fence.gen + 1 }, fence))
        copies = []
      },
    ]
    const compare = async () => {
      const due = { rows: 1 + under(20), bytes: 1 + under(400), born: fence.logTime - under(3_000) }
      const byName = (list: { site: string; day: number }[]) => list.map((entry) => JSON.stringify(entry)).sort()
      await both(async ({ seals }) => {
        const { sealed, due: waiting, oldest } = await seals.look(0, due, 100)
        return [byName(sealed), byName(waiting), oldest]
      })
      await both(({ seals }) => seals.low(0))
      await both(({ seals }) =>
        seals.bases(
          0,
          sites.flatMap((site) => days.map((day) => ({ site, day }))),
        ),
      )
      const [site, since, characters, from] = [one(sites), under(200_000), one([1, 90, 1e6]), under(fence.next + 1)]
      const [first, last] = one([
        [-99999999, 99999999],
        [20261025, 20261025],
        [20261025, 20261026],
      ] as const)
      // A cursor is a place in this very reading, so its day is one of those asked for.
      const after = one([undefined, { from, day: one(days.filter((day) => first <= day && day <= last)) }])
      await both(({ memtables }) => memtables.read(0, site, first, last, { after, characters }))
      await both(({ memtables }) => memtables.days(0, site))
      await both(({ memtables }) => memtables.live(0, site, since))
    }
    for (let step = 0; step < steps; step++) {
      await one([commit, commit, commit, seal, drop, ...others])()
      await compare()
    }
    folder.close()
  })
})

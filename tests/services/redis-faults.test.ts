import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openRedis, type RedisStores } from '#shared/engines/redis/stores.ts'
import type { RollupChange, RollupFence } from '#shared/ports/memtables.ts'
import type { EnrichChange, EnrichFence } from '#shared/ports/sessions.ts'
import { redis } from '../../scripts/services/redis.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aProxy } from '../fixtures/proxy.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** What becomes of the state when Redis dies, sleeps, falls back, is full or is set up wrongly. */

const reason = await reasonAgainst(redis)

const fence: EnrichFence = { gen: 7, topic: 't', next: 0, ev: 0, logTime: 0, mode: '' }
const at = (n: number): EnrichFence => ({ ...fence, next: n, ev: n, logTime: n })
const visitors = Array.from({ length: 50 }, (_, i) => ({ site: 'a.example', key: `visitor-${i}` }))
/** All sessions and ids say which commit they are of. */
const change = (n: number): EnrichChange => ({
  sessions: visitors.map((visitor) => ({ ...visitor, state: `commit ${n}`, lt: n })),
  dropped: [],
  ids: visitors.map(({ site, key }) => ({ site, id: key, lt: n })),
  lines: [{ site: 'a.example', source: 'file', line: n }],
})

const begin: RollupFence = { gen: 7, topic: 't', next: 0, src: -1, logTime: 0 }
const rollupAt = (n: number): RollupFence => ({ ...begin, next: n, src: n - 1 })
const rows = (n: number): RollupChange => ({
  blocks: [{ site: 'a.example', day: 20261025, from: n - 1, to: n, rows: 1, body: `["${n}"]` }],
  bases: [{ site: 'a.example', day: 20261025, base: 0 }],
  minutes: [{ site: 'a.example', minute: 60_000, pageviews: 1, events: 1, visits: 1 }],
  seen: [{ site: 'a.example', vis: `v${n}`, t: n }],
})

const unavailable = expect.objectContaining({ code: 'store-unavailable', retryable: true })

describe.skipIf(reason !== undefined)('hot state in Redis', () => {
  let place: Place
  let server: Server
  let control: Redis
  let stores: RedisStores
  const opened: RedisStores[] = []
  const openAt = (address: string, deadlineMs = 2_000) => {
    const one = openRedis({ urls: [`redis://${address}`], clock: systemClock, deadlineMs })
    opened.push(one)
    return one
  }
  const controlAt = (address: string) => {
    const client = new Redis(`redis://${address}`)
    client.on('error', () => undefined) // servers are killed here
    return client
  }

  beforeAll(async () => {
    place = await aPlace(redis)
    server = await place.start()
    control = controlAt(server.address)
  })
  afterAll(async () => {
    control.disconnect()
    await place.end()
  })
  beforeEach(async () => {
    await control.flushall()
    stores = openAt(server.address)
  })
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.close()
  })

  const load = (from = stores, partition = 0) =>
    from.sessions.load(
      partition,
      visitors,
      visitors.map(({ site, key }) => ({ site, id: key })),
      [{ site: 'a.example', source: 'file' }],
    )
  /** State and fence are of commit `n`, both and whole. */
  const expectCommit = async (n: number, from = stores) => {
    const stands = await load(from)
    expect(stands.fence).toEqual(at(n))
    expect(stands.sessions).toEqual(visitors.map(() => (n === 0 ? undefined : { state: `commit ${n}`, lt: n })))
    expect(stands.ids).toEqual(visitors.map(() => (n === 0 ? undefined : n)))
    expect(stands.lines).toEqual([n === 0 ? undefined : n])
  }
  const commit = (n: number, to = stores) => to.sessions.commit(0, at(n - 1), at(n), change(n))
  const commitRows = (n: number, to = stores) => to.memtables.commit(0, rollupAt(n - 1), rollupAt(n), rows(n))
  const restart = async () => {
    server = await place.start()
  }

  it('is there after kill -9, as far as it was answered, when every write is synced', async () => {
    // Synced once a second, what was answered may lie in Redis' own memory while a sync goes on (seen here): then an older pair stands.
    await control.config('SET', 'appendfsync', 'always')
    await stores.sessions.init(0, fence)
    for (let n = 1; n <= 5; n++) expect(await commit(n)).toBe('done')
    await server.kill()
    await expect(commit(6)).rejects.toEqual(unavailable)
    await restart()
    await expectCommit(5)
    expect(await commit(6)).toBe('done')
  })

  it('is found once the server is there, by who came before it', async () => {
    await server.kill()
    const impatient = openAt(server.address, 200)
    await expect(impatient.sessions.init(0, fence)).rejects.toEqual(unavailable)
    const patient = openAt(server.address, 10_000)
    const [stands] = await Promise.all([patient.sessions.init(0, fence), restart()])
    expect(stands).toEqual(fence)
    await expect.poll(() => impatient.sessions.durable(0).catch(() => 'not yet'), { timeout: 10_000 }).toEqual(fence)
  })

  it('is whole when the server sleeps longer than the deadline: what was sent meanwhile is done once or not at all', async () => {
    await stores.sessions.init(0, fence)
    expect(await commit(1)).toBe('done')
    const hurried = openAt(server.address, 300)
    await expectCommit(1, hurried)
    server.pause()
    const sent = Date.now()
    await expect(commit(2, hurried)).rejects.toEqual(unavailable)
    expect(Date.now() - sent).toBeLessThan(2_000)
    server.resume()
    const again = await commit(2)
    expect(['done', 'stale']).toContain(again)
    await expectCommit(2)
  })

  it('moves once when a reply is lost: who repeats is told that it is stale, and sees why', async () => {
    const proxy = await aProxy(server.address)
    const far = openAt(proxy.address)
    try {
      await far.sessions.init(0, fence)
      await far.memtables.init(0, begin)
      // From here on the server knows the scripts: the reply that is lost is that of the change.
      expect(await far.sessions.commit(1, at(0), at(1), change(1))).toBe('stale')
      expect(await far.memtables.commit(1, rollupAt(0), rollupAt(1), rows(1))).toBe('stale')
      expect(await far.seals.seal(1, { site: 'a.example', day: 20261025 }, 5, 1)).toBeUndefined()

      proxy.loseReply()
      await expect(commit(1, far)).rejects.toEqual(unavailable)
      expect(await commit(1, far)).toBe('stale')
      await expectCommit(1, far)

      proxy.loseReply()
      await expect(commitRows(1, far)).rejects.toEqual(unavailable)
      expect(await commitRows(1, far)).toBe('stale')
      const page = await far.memtables.read(0, 'a.example', 20261025, 20261025)
      expect(page).toMatchObject({ fence: rollupAt(1), blocks: [{ from: 0, body: '["1"]' }] })
      expect((await far.memtables.live(0, 'a.example', 0)).minutes).toEqual([{ minute: 60_000, pageviews: 1, events: 1, visits: 1 }])

      proxy.loseReply()
      await expect(far.seals.seal(0, { site: 'a.example', day: 20261025 }, 5, 1e9)).rejects.toEqual(unavailable)
      expect(await far.seals.seal(0, { site: 'a.example', day: 20261025 }, 6, 1e9)).toBeUndefined()
      expect((await far.seals.look(0, { rows: 1, bytes: 1, born: 1 }, 10)).sealed).toMatchObject([{ from: 0, to: 1, at: 5 }])
      expect(proxy.lost()).toBe(3)
    } finally {
      await proxy.close()
    }
  })

  it('falls back together with its fence', async () => {
    await stores.sessions.init(0, fence)
    await stores.memtables.init(0, begin)
    expect(await commit(1)).toBe('done')
    expect(await commitRows(1)).toBe('done')
    await control.config('SET', 'appendfsync', 'always')
    const data = join(place.folder, 'data')
    const copy = join(place.folder, 'copy')
    // Without appends meanwhile, what lies in the folder is one moment.
    await cp(data, copy, { recursive: true })
    expect(await commit(2)).toBe('done')
    expect(await commitRows(2)).toBe('done')
    await stores.seals.seal(0, { site: 'a.example', day: 20261025 }, 5, 1e9)
    await server.kill()
    await rm(data, { recursive: true })
    await cp(copy, data, { recursive: true })
    await rm(copy, { recursive: true })
    await restart()
    await expectCommit(1)
    const page = await stores.memtables.read(0, 'a.example', 20261025, 20261025)
    expect(page).toMatchObject({ fence: rollupAt(1), intervals: [{ from: 0, to: 1, rows: 1 }], blocks: [{ from: 0 }] })
    expect(await stores.seals.look(0, { rows: 1e9, bytes: 1e9, born: -1 }, 10)).toEqual({ sealed: [], due: [], oldest: 0 })
    expect(await commit(3)).toBe('stale')
    expect(await commit(2)).toBe('done')
    expect(await commitRows(2)).toBe('done')
  })

  it('is nothing after FLUSHALL: no fence, nothing invented, nothing taken', async () => {
    await stores.sessions.init(0, fence)
    await stores.memtables.init(0, begin)
    expect(await commit(1)).toBe('done')
    expect(await commitRows(1)).toBe('done')
    await control.flushall()
    expect(await load()).toMatchObject({ fence: undefined, lines: [undefined] })
    expect(await stores.sessions.durable(0)).toBeUndefined()
    expect(await stores.memtables.fence(0)).toBeUndefined()
    expect(await stores.seals.low(0)).toBeUndefined()
    expect(await stores.seals.seal(0, { site: 'a.example', day: 20261025 }, 5, 1)).toBeUndefined()
    expect(await stores.sessions.sweep(0, { sessionsBefore: 9, idsBefore: 9 }, 9)).toBe(0)
    await stores.memtables.trimLive(0, 9)
    expect(await commit(2)).toBe('stale')
    expect(await commitRows(2)).toBe('stale')
    expect(await control.dbsize()).toBe(0)
  })

  it('takes commits in the order they were given, however many go out together', async () => {
    await stores.sessions.init(0, fence)
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => commit(i + 1)))
    expect(all).toEqual(all.map(() => 'done'))
    await expectCommit(40)
  })

  it('goes on when the server has forgotten the scripts', async () => {
    await stores.sessions.init(0, fence)
    await control.script('FLUSH')
    expect(await commit(1)).toBe('done')
    await control.script('FLUSH')
    await expectCommit(1)
  })

  it('that was given up is never read again, and is deleted step by step', async () => {
    await stores.sessions.init(0, fence)
    await stores.memtables.init(0, begin)
    expect(await commit(1)).toBe('done')
    expect(await commitRows(1)).toBe('done')
    await stores.seals.seal(0, { site: 'a.example', day: 20261025 }, 5, 1e9)
    const other = openAt(server.address)
    expect(await other.sessions.init(0, { ...fence, gen: 8 }, at(1))).toEqual({ ...fence, gen: 8 })
    expect(await other.memtables.init(0, { ...begin, gen: 8 }, rollupAt(1))).toEqual({ ...begin, gen: 8 })
    expect(await control.dbsize()).toBeGreaterThan(20)
    // Who knew the old state finds the new one, to read and to write.
    const empty = await load()
    expect(empty).toMatchObject({ fence: { gen: 8 }, lines: [undefined] })
    expect(empty.sessions.every((session) => session === undefined)).toBe(true)
    expect(await commit(2)).toBe('stale')
    const now = { ...at(1), gen: 8 }
    expect(await stores.sessions.commit(0, { ...fence, gen: 8 }, now, change(1))).toBe('done')
    expect(await other.sessions.load(0, visitors.slice(0, 1), [], [])).toMatchObject({ fence: now, sessions: [{ state: 'commit 1' }] })
    const kept = (await control.keys('{e0}:*:[sic]*')).length

    for (let i = 0; i < 30; i++) await other.sessions.sweep(0, { sessionsBefore: 0, idsBefore: 0 }, 10)
    for (let i = 0; i < 3; i++) await stores.memtables.trimLive(0, 0)
    expect((await control.keys('{e0}:*')).length).toBeLessThan(kept)
    expect(await control.exists('{e0}:old', '{r0}:old')).toBe(0)
    expect(await control.keys('{r0}:*')).toEqual(['{r0}:f'])
    expect(await load()).toMatchObject({ fence: now, sessions: visitors.map(() => ({ state: 'commit 1', lt: 1 })) })
  })

  it('is refused whole when memory is full, and goes on when there is room', async () => {
    await stores.sessions.init(0, fence)
    await stores.memtables.init(0, begin)
    expect(await commit(1)).toBe('done')
    expect(await commitRows(1)).toBe('done')
    await control.config('SET', 'maxmemory', '1mb')
    try {
      await expect(commit(2)).rejects.toEqual(unavailable)
      await expect(stores.sessions.commit(0, at(1), at(2), { ...change(2), sessions: [], dropped: visitors })).rejects.toEqual(unavailable)
      await expect(commitRows(2)).rejects.toEqual(unavailable)
      await expectCommit(1)
      expect(await stores.memtables.read(0, 'a.example', 0, 99999999)).toMatchObject({
        fence: rollupAt(1),
        intervals: [{ rows: 1, to: 1 }],
      })
    } finally {
      await control.config('SET', 'maxmemory', '256mb')
    }
    expect(await commit(2)).toBe('done')
    expect(await commitRows(2)).toBe('done')
  })

  it('is not begun where the server may evict it; the error says the cure', async () => {
    await control.config('SET', 'maxmemory-policy', 'allkeys-lru')
    try {
      const error = await stores.sessions.init(0, fence).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'bad-setting', message: expect.stringContaining('allkeys-lru') })
      expect(error).toMatchObject({ hint: expect.stringContaining('noeviction') })
      await expect(stores.leases.hold('p', 'a', 1_000)).rejects.toMatchObject({ code: 'bad-setting' })
      expect(await control.dbsize()).toBe(0)
    } finally {
      await control.config('SET', 'maxmemory-policy', 'noeviction')
    }
    expect(await stores.sessions.init(0, fence)).toEqual(fence)
  })

  it.each(['noeviction', 'allkeys-lru'])('knows %s where CONFIG is forbidden', async (policy) => {
    const other = await aPlace(redis)
    try {
      const { address } = await other.start({ settings: { 'rename-command CONFIG': '""', 'maxmemory-policy': policy } })
      const begun = openAt(address).sessions.init(0, fence)
      if (policy === 'noeviction') expect(await begun).toEqual(fence)
      else await expect(begun).rejects.toMatchObject({ code: 'bad-setting' })
    } finally {
      await other.end()
    }
  })

  it('ends what waits when it is closed, and takes nothing afterwards', async () => {
    await stores.sessions.init(0, fence)
    server.pause()
    const waiting = commit(1)
    const ended = expect(waiting).rejects.toEqual(unavailable)
    await stores.close()
    await stores.close()
    server.resume()
    await ended
    await expect(commit(1)).rejects.toEqual(unavailable)
  })

  it('tells a bug from an outage', async () => {
    await control.set('{e0}:f', 'no hash')
    await expect(load()).rejects.toThrow('WRONGTYPE')
    await expect(load()).rejects.not.toMatchObject({ code: 'store-unavailable' })
  })
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { migrate } from '#shared/engines/cassandra/migrate.ts'
import { migrations } from '#shared/engines/cassandra/schema.ts'
import { type CassandraStores, openCassandra } from '#shared/engines/cassandra/store.ts'
import { FootfallError } from '#shared/errors.ts'
import type { SegmentChunk, SegmentEntry } from '#shared/ports/segments.ts'
import { newSite } from '#shared/site/change.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import type { Server } from '../../scripts/services/service.ts'
import { createRandom, type Random } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'
import { addressOf, bareClient } from './cassandra-tables.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** What the Cassandra engines hold when the server is killed, stopped, late, or one of three is away. */
const reason = await reasonAgainst(cassandra)
const startMs = 200_000
/** The engines' deadline, and a second. */
const answeredMs = 11_000

const site = '__proto__'.padEnd(253, 'x')
const day = 20261025

type Put = { entry: SegmentEntry; head: Buffer; chunks: SegmentChunk[] }

/** A segment of up to 3 MB: some chunks in many pieces, many in one. */
const aPut = (random: Random, nth: number): Put => {
  const bytes = (size: number) => Buffer.alloc(size, random.below(256))
  const chunks = Array.from({ length: 1 + random.below(200) }, (_, group) => ({ column: 's.off', group, data: bytes(random.below(5_000)) }))
  chunks.push({ column: 'h.t', group: 0, data: bytes(random.below(2_000_000)) })
  const entry: SegmentEntry = {
    site,
    day,
    from: nth,
    to: nth + 1,
    level: 0,
    ver: 0,
    name: `segment ${nth}`,
    rows: 1,
    hits: 1,
    bytes: 1,
    at: 1_000 + nth,
  }
  return { entry, head: bytes(1 + random.below(700_000)), chunks }
}

const namesOf = ({ chunks }: Put) => chunks.map(({ column, group }) => ({ column, group }))

const expectWhole = async ({ segments }: CassandraStores, put: Put): Promise<void> => {
  expect((await segments.head(0, put.entry))?.equals(put.head)).toBe(true)
  const read = await segments.read(0, put.entry, namesOf(put))
  expect(read.map((data, i) => data?.equals(put.chunks[i]!.data) === true)).toEqual(put.chunks.map(() => true))
}

const unavailable = { code: 'store-unavailable', retryable: true }

/** How long it takes until something is refused as it must be. */
const refusedAfter = async (work: Promise<unknown>): Promise<number> => {
  const since = systemClock.now()
  await expect(work).rejects.toMatchObject(unavailable)
  return systemClock.now() - since
}

/** Answers once the server answers again. */
const back = ({ segments }: CassandraStores) =>
  expect.poll(() => segments.open(9).then(String, String), { timeout: 60_000, interval: 300 }).toBe('')

/** Answers once a node knows both of the others: they start at the same time. */
const knowsOthers = async (server: Server): Promise<void> => {
  const client = bareClient([server], 'system')
  const peers = async () => (await client.execute('SELECT peer FROM peers')).rows.length
  await expect.poll(peers, { timeout: 60_000, interval: 300 }).toBe(2)
  await client.shutdown()
}

/** A process of its own that runs this code and prints lines; `onLine` may kill it. */
const aChild = async (code: string, args: readonly string[], onLine?: (line: string, kill: () => void) => void) => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines: string[] = []
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const all = (rest + text).split('\n')
    rest = all.pop()!
    for (const line of all) {
      lines.push(line)
      onLine?.(line, () => child.kill('SIGKILL'))
    }
  })
  const [code_, signal] = await once(child, 'close')
  return { code: code_, signal, lines }
}

const argsOf = (servers: readonly Server[], keyspace: string) => {
  const { contactPoints, dataCenter } = addressOf(servers)
  return [JSON.stringify({ contactPoints, dataCenter, keyspace, replication: 1 })]
}
const migrating = `
  import { systemClock } from '#shared/clock.ts'
  import { migrate } from '#shared/engines/cassandra/migrate.ts'
  await migrate({ ...JSON.parse(process.argv[1]), clock: systemClock, onStatement: (text) => console.log(text.split(' ')[5]) })`
const asking = `
  import { systemClock } from '#shared/clock.ts'
  import { openCassandra } from '#shared/engines/cassandra/store.ts'
  const stores = openCassandra({ ...JSON.parse(process.argv[1]), clock: systemClock })
  console.log((await stores.sites.list()).length)
  await stores.close()
  await stores.close()`

const allVersions = migrations.map(({ version }) => version)

describe('a server that takes connections and never answers', () => {
  it('is given up at the deadline, by our own clock', async () => {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => sockets.add(socket)).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const clock = createVirtualClock(0, createRandom(1))
    const stores = openCassandra({ ...addressOf([{ address: `127.0.0.1:${address.port}` }]), clock })
    const asked = expect(stores.progress.get('rollup', 0)).rejects.toMatchObject({
      ...unavailable,
      detail: 'Cassandra did not answer within 10 s.',
    })
    clock.advance(10_000)
    await asked
    for (const socket of sockets) socket.destroy()
    server.close()
    await stores.close()
    await expect(stores.sites.list()).rejects.toMatchObject({ code: 'stopping' })
  })
})

describe.skipIf(reason !== undefined)('one node of Cassandra', () => {
  let place: Place
  let server: Server
  let stores: CassandraStores
  beforeAll(async () => {
    place = await aPlace(cassandra)
    // Its port is chosen, and nobody listens there yet.
    stores = openCassandra(addressOf([{ address: `127.0.0.1:${place.ports.client}` }]))
  }, startMs)
  afterAll(async () => {
    await stores?.close()
    await place.end()
  })

  it(
    'may start after its client; without tables it says what to do',
    async () => {
      expect(await refusedAfter(stores.sites.list())).toBeLessThan(answeredMs)
      server = await place.start()
      await expect(stores.sites.list()).rejects.toMatchObject({ ...unavailable, hint: expect.stringContaining('footfall migrate') })
      expect(await migrate({ ...addressOf([server]), replication: 1 })).toEqual({ ran: allVersions })
      expect(await migrate({ ...addressOf([server]), replication: 1 })).toEqual({ ran: [] })
      expect(await stores.sites.list()).toEqual([])
    },
    startMs,
  )

  it('has its tables made in part when that is killed, and whole when it is run again', async () => {
    const keyspace = 'killed'
    for (const last of ['chunk_0', 'salt']) {
      const { signal, lines } = await aChild(migrating, argsOf([server], keyspace), (line, kill) => line === last && kill())
      expect([signal, lines.at(-1)]).toEqual(['SIGKILL', last])
      const early = openCassandra(addressOf([server], keyspace))
      await expect(early.sites.list()).rejects.toMatchObject({ ...unavailable, hint: expect.stringContaining('footfall migrate') })
      await early.close()
    }
    expect(await migrate({ ...addressOf([server], keyspace), replication: 1 })).toEqual({ ran: allVersions })
    expect(await aChild(asking, argsOf([server], keyspace))).toEqual({ code: 0, signal: null, lines: ['0'] })
  })

  it('has its tables made by two at once', async () => {
    const both = [1, 2].map(() => migrate({ ...addressOf([server], 'twice'), replication: 1 }))
    await Promise.all(both)
    const twice = openCassandra(addressOf([server], 'twice'))
    expect(await twice.sites.put(newSite('a.example', {}, { now: 1, key: 'k' }))).toBe('done')
    await twice.close()
  })

  it('is not given more copies than there are nodes', async () => {
    const asked = migrate({ ...addressOf([server], 'many'), replication: 3 })
    await expect(asked).rejects.toMatchObject({ code: 'bad-setting', hint: expect.stringContaining('--replication 1') })
  })

  it(
    'has what was answered, whole, after kill -9 in the middle of puts; what was not is absent or whole',
    async () => {
      const seed = systemClock.now() % 1_000_000
      console.log(`seed ${seed}`)
      const random = createRandom(seed)
      const puts = Array.from({ length: 60 }, (_, nth) => aPut(random, nth))
      const answered = new Set<Put>()
      const waiting = [...puts]
      const killAt = 8 + random.below(30)
      let killed: Promise<void> | undefined
      const worker = async () => {
        for (let put = waiting.shift(); put; put = waiting.shift()) {
          try {
            await stores.segments.put(0, put.entry, put.head, put.chunks)
            answered.add(put)
          } catch (error) {
            expect(error).toMatchObject(unavailable)
            return
          }
          if (answered.size >= killAt) killed ??= server.kill()
        }
      }
      await Promise.all([worker(), worker(), worker(), worker()])
      await killed
      expect(answered.size).toBeLessThan(puts.length)

      server = await place.start()
      await back(stores)
      const listed = new Set((await stores.segments.list(0, site, day, day)).map(({ name }) => name))
      for (const put of puts) {
        if (answered.has(put)) expect(listed.has(put.entry.name)).toBe(true)
        if (listed.has(put.entry.name)) await expectWhole(stores, put)
        else expect(await stores.segments.head(0, put.entry)).toBeUndefined()
      }
      for (const put of puts) await stores.segments.put(0, put.entry, put.head, put.chunks)
      const all = await stores.segments.list(0, site, day, day)
      expect(all.map(({ name }) => name)).toEqual(puts.map(({ entry }) => entry.name))
      expect(await stores.segments.open(0)).toEqual([{ site, day, closed: false, oldest: 1_000, newest: 1_059 }])

      // Once all of it is closed and superseded, nothing is left of what was begun and never listed either.
      const closed = { ...aPut(random, 0).entry, to: 60, level: 1 as const, name: 'closed', at: 5_000 }
      await stores.segments.put(0, closed, Buffer.from('head'), [])
      expect(await stores.segments.open(0)).toEqual([])
      expect(await stores.segments.dropSuperseded(0, 1e15, 1_000)).toBe(60)
      const client = bareClient([server])
      expect((await client.execute('SELECT DISTINCT id FROM chunk_0')).rows).toEqual([])
      expect((await client.execute('SELECT name FROM manifest')).rows.map(({ name }) => name)).toEqual(['closed'])
      await client.shutdown()
    },
    startMs,
  )

  it(
    'is given up within the deadline while it is stopped, and used again afterwards',
    async () => {
      const put = aPut(createRandom(1), 100)
      server.pause()
      const calls = [
        stores.segments.list(0, site, day, day),
        stores.segments.put(0, put.entry, put.head, put.chunks),
        stores.sites.put(newSite('a.example', {}, { now: 1, key: 'k' })),
        stores.progress.advance('rollup', 0, { next: 5, src: 5 }),
      ]
      for (const ms of await Promise.all(calls.map(refusedAfter))) expect(ms).toBeLessThan(answeredMs)
      server.resume()
      await back(stores)
      await stores.segments.put(0, put.entry, put.head, put.chunks)
      await expectWhole(stores, put)
    },
    startMs,
  )

  it(
    'has no byte of a salt in its files soon after that was destroyed',
    async () => {
      const client = bareClient([server])
      await client.execute('ALTER TABLE salt WITH memtable_flush_period_in_ms = 1000')
      const folder = join(place.folder, 'data', 'data', 'footfall')
      const inFiles = (text: string): boolean =>
        readdirSync(folder, { recursive: true, withFileTypes: true })
          .filter((file) => file.isFile() && /salt-/.test(file.parentPath) && file.name.endsWith('Data.db'))
          .some((file) => readFileSync(join(file.parentPath, file.name)).includes(text))
      await stores.salts.make(20261025, Buffer.from('salt of the day before'))
      await expect.poll(() => inFiles('salt of the day before'), { timeout: 30_000 }).toBe(true)
      await stores.salts.make(20261026, Buffer.from('salt of the day'))
      expect(await stores.salts.dropBefore(20261026)).toBe(1)
      await expect.poll(() => [inFiles('salt of the day before'), inFiles('salt of the day')], { timeout: 60_000 }).toEqual([false, true])
      await client.shutdown()
    },
    startMs,
  )
})

describe.skipIf(reason !== undefined)('three nodes of Cassandra', () => {
  let place: Place
  let servers: Server[]
  let stores: CassandraStores
  const nodes = [1, 2, 3]
  beforeAll(async () => {
    place = await aPlace(cassandra, nodes.length)
    servers = await place.startAll()
  }, startMs)
  afterAll(async () => {
    await stores?.close()
    await place.end()
  })

  it(
    'have their tables made by two at once, who name different nodes first',
    async () => {
      await Promise.all(servers.map(knowsOthers))
      const orders = [servers, servers.toReversed()]
      await Promise.all(orders.map((order) => migrate({ ...addressOf(order), replication: 3 })))
      stores = openCassandra(addressOf(servers))
      expect(await stores.segments.open(0)).toEqual([])
    },
    startMs,
  )

  /** A node that is slow on a busy machine may cost a 503; what it answers when it is asked again is what counts. */
  const again = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++)
      try {
        return await call()
      } catch (error) {
        if (!(error instanceof FootfallError) || !error.retryable || attempt === 4) throw error
      }
  }

  it(
    'go on when one of them is killed: reads and writes, conditional ones too',
    async () => {
      const random = createRandom(7)
      const puts = Array.from({ length: 12 }, (_, nth) => aPut(random, nth))
      for (const [nth, put] of puts.entries()) {
        if (nth === 5) await servers[0]!.kill()
        await again(() => stores.segments.put(0, put.entry, put.head, put.chunks))
        // A put that was repeated after an unknown outcome may be listed twice, and is read as one.
        const listed = await again(() => stores.segments.list(0, site, day, day))
        expect(new Set(listed.map(({ from }) => from)).size).toBe(nth + 1)
        const config = newSite(`${nth}.example`, {}, { now: 1, key: 'k' })
        expect(['done', 'stale']).toContain(await again(() => stores.sites.put(config)))
      }
      for (const put of puts) await again(() => expectWhole(stores, put))
      expect(await again(() => stores.segments.open(0))).toEqual([{ site, day, closed: false, oldest: 1_000, newest: 1_011 }])
      expect(await again(() => stores.sites.list())).toHaveLength(12)
    },
    startMs,
  )
})

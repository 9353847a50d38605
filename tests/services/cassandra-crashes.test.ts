import type { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { type Database, openDatabase } from '#shared/engines/cassandra/database.ts'
import { migrate } from '#shared/engines/cassandra/migrate.ts'
import { type CassandraStores, createStores } from '#shared/engines/cassandra/store.ts'
import { FootfallError } from '#shared/errors.ts'
import type { SegmentEntry } from '#shared/ports/segments.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { addressOf, bareClient } from './cassandra-tables.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/**
 * Whatever writes several rows of Cassandra is cut off at each of its writes, before it and after it: what is listed then is whole, no byte
 * is without a row that leads to it, and the same once more leads to where it would have led at once. So do two at the same time.
 */
const reason = await reasonAgainst(cassandra)
const startMs = 200_000

const [site, day] = ['a.example', 20261025]
const entry = (from: number, to: number, fields: Partial<SegmentEntry> = {}): SegmentEntry => ({
  site,
  day,
  from,
  to,
  level: 0,
  ver: 0,
  name: `${from}-${to}`,
  rows: 1,
  hits: 1,
  bytes: 1,
  at: to,
  ...fields,
})
const closed = (to: number, fields: Partial<SegmentEntry> = {}) => entry(0, to, { level: 1, name: `closed ${to}`, at: to + 100, ...fields })
const chunkOf = ({ name }: SegmentEntry) => ({ column: 's.off', group: 0, data: Buffer.alloc(1_000, name) })
const headOf = ({ name }: SegmentEntry) => Buffer.from(`head of ${name}`)

type Stores = Pick<CassandraStores, 'segments' | 'versions' | 'retention' | 'progress'>
type Work = (stores: Stores, partition: number) => Promise<unknown>

const put =
  (...entries: SegmentEntry[]): Work =>
  async ({ segments }, partition) => {
    for (const one of entries) await segments.put(partition, one, headOf(one), [chunkOf(one)])
  }
const inTurn =
  (...all: Work[]): Work =>
  async (stores, partition) => {
    for (const work of all) await work(stores, partition)
  }
const begin: Work = ({ versions }, partition) => versions.begin(partition, site, 1, [day])
const flip: Work = ({ versions }, partition) => versions.flip(partition, { site, day }, 1)
const dropSuperseded: Work = ({ segments }, partition) => segments.dropSuperseded(partition, 1e15, 100)
const order = { id: 'order', site, from: day, to: day }
/** As replay.ts does: a job that stands as it should is not written again. */
const job =
  (state: 'switching' | 'switched'): Work =>
  async ({ versions }, partition) => {
    if ((await versions.job(partition, 'order'))?.state !== state) await versions.putJob(partition, order, { state, done: 1, of: 1 })
  }

/** What is there before, and what is cut off. */
const scenarios: Record<string, { given: Work; act: Work }> = {
  'a flushed segment': { given: put(entry(0, 5)), act: put(entry(5, 9)) },
  'a flushed segment that a closed one has already': { given: put(closed(9)), act: put(entry(5, 9)) },
  'a closed segment': { given: put(entry(0, 5), entry(5, 9)), act: put(closed(9)) },
  'a ledger': { given: put(entry(0, 5, { day: -day })), act: put(closed(5, { day: -day })) },
  'days put into a version': { given: put(entry(0, 5), closed(5)), act: begin },
  'a closed segment of a version': { given: inTurn(put(entry(0, 5), closed(5)), begin), act: put(closed(5, { ver: 1 })) },
  'a version dropped': {
    given: inTurn(put(entry(0, 5), closed(5)), begin, put(closed(5, { ver: 1 })), flip, dropSuperseded),
    act: ({ versions }, partition) => versions.drop(partition, site, 1, 500),
  },
  'superseded segments dropped': {
    given: put(entry(0, 5), entry(5, 9), closed(5), closed(9)),
    act: dropSuperseded,
  },
  'some superseded segments dropped, more of them later': {
    // Flushed by a clock that was ahead: nothing else has its day looked at then.
    given: put(entry(0, 5), entry(5, 9, { at: 9_000 }), closed(9)),
    act: ({ segments }, partition) => segments.dropSuperseded(partition, 8_000, 100),
  },
  'a day dropped': {
    given: inTurn(put(entry(0, 5), closed(5), closed(5, { day: day + 1 })), begin, put(closed(5, { ver: 1 })), flip),
    act: ({ retention }, partition) => retention.drop(partition, { site, day }),
  },
  'readers being led': { given: begin, act: job('switching') },
  'readers led': { given: inTurn(begin, job('switching')), act: job('switched') },
  progress: {
    given: ({ progress }, partition) => progress.advance('rollup', partition, { next: 5, src: 5 }),
    act: ({ progress }, partition) => progress.advance('rollup', partition, { next: 9, src: 9 }),
  },
}

/** Everything that the ports tell of a partition. */
const told = async ({ segments, versions, retention, progress }: Stores, partition: number) => ({
  rows: await segments.list(partition, site, -99999999, 99999999),
  made: (await segments.list(partition, site, 0, 99999999, 1)).filter(({ ver }) => ver === 1),
  days: await segments.days(partition, site),
  open: await segments.open(partition),
  active: await versions.active(partition, site),
  versionDays: await versions.days(partition, site, 1),
  due: await versions.due(partition, 9),
  job: await versions.job(partition, 'order'),
  sites: await retention.sites(partition),
  kept: await retention.days(partition, site, 99999999),
  dropped: await retention.dropped(partition, site),
  progress: await progress.get('rollup', partition),
})

const crashed = () => new FootfallError('store-unavailable', { detail: 'cut off here' })

/** The same database until its `nth` write: from then on nothing works. That one is done, or not. */
const cutOff = (db: Database, nth: number, isDone: boolean): Database & { isOver(): boolean } => {
  let count = 0
  let isOver = false
  const write = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isOver) throw crashed()
    if (++count < nth) return work()
    isOver = true
    if (isDone) await work()
    throw crashed()
  }
  return {
    ...db,
    run: (what) => write(() => db.run(what)),
    batch: (list) => write(() => db.batch(list)),
    change: (...list) => write(() => db.change(...list)),
    isOver: () => isOver,
  }
}

describe.skipIf(reason !== undefined)('cut off at each write', () => {
  let place: Place
  let db: Database
  let stores: CassandraStores
  let client: Client
  let partition = 0
  beforeAll(async () => {
    place = await aPlace(cassandra)
    const server = await place.start()
    await migrate({ ...addressOf([server]), replication: 1 })
    db = openDatabase(addressOf([server]), systemClock)
    stores = createStores(db, systemClock)
    client = bareClient([server])
  }, startMs)
  afterAll(async () => {
    await db?.close()
    await client?.shutdown()
    await place.end()
  })

  const expectWhole = async (): Promise<void> => {
    for (const ver of [0, 1])
      for (const one of await stores.segments.list(partition, site, -99999999, 99999999, ver)) {
        expect((await stores.segments.head(partition, one))?.equals(headOf(one))).toBe(true)
        const [chunk] = await stores.segments.read(partition, one, [chunkOf(one)])
        expect(chunk?.equals(chunkOf(one).data)).toBe(true)
      }
  }

  const idsIn = async (query: string): Promise<Set<string>> => new Set((await client.execute(query)).rows.map(({ id }) => id))
  const expectNothingLost = async (): Promise<void> => {
    const known = await idsIn('SELECT id FROM manifest')
    for (const level of [0, 1])
      for (const id of await idsIn(`SELECT DISTINCT id FROM chunk_${level}`))
        expect(known.has(id), `bytes ${id} of level ${level}`).toBe(true)
  }

  /** Once the day is closed beyond all of it, and that is long ago, there is nothing that is not listed. */
  const expectNothingLeft = async (): Promise<void> => {
    await put(closed(1_000), closed(1_000, { day: -day }))(stores, partition)
    if ((await stores.versions.days(partition, site, 1)).length > 0) await put(closed(1_000, { ver: 1 }))(stores, partition)
    await stores.segments.dropSuperseded(partition, 1e15, 1_000)
    const rows = (await client.execute(`SELECT state, day, "to" FROM manifest WHERE part = ${partition} AND site = '${site}'`)).rows
    expect(rows.filter((row) => row['state'] !== 'listed' || (Math.abs(row['day']) === day && Number(row['to']) !== 1_000))).toEqual([])
    expect((await client.execute(`SELECT site FROM superseding WHERE part = ${partition} LIMIT 1`)).rows).toEqual([])
  }

  /** What is told when all that is superseded may go. */
  const toldLater = async () => {
    await stores.segments.dropSuperseded(partition, 1e15, 1_000)
    return told(stores, partition)
  }

  it('a version that is dropped goes, also where all its days were looked at before', async () => {
    const { given, act } = scenarios['a version dropped']!
    partition++
    await given(stores, partition)
    await act(stores, partition)
    expect((await told(stores, partition)).made).toHaveLength(1)
    expect((await toldLater()).made).toEqual([])
  })

  describe.each(Object.entries(scenarios))('%s', (_, { given, act }) => {
    const whenDone = async () => {
      partition++
      await given(stores, partition)
      const first = await told(stores, partition)
      await act(stores, partition)
      return { first, last: await told(stores, partition), later: await toldLater() }
    }

    it('does something', async () => {
      const { first, last } = await whenDone()
      expect(last).not.toEqual(first)
      await expectWhole()
    })

    it.each([
      ['before', false],
      ['after', true],
    ])(
      '%s each of its writes',
      async (_when, isDone) => {
        const { first, last, later } = await whenDone()
        for (let nth = 1; ; nth++) {
          partition++
          await given(stores, partition)
          const cut = cutOff(db, nth, isDone)
          const hasFailed = await act(createStores(cut, systemClock), partition).then(
            () => false,
            () => true,
          )
          if (!hasFailed) {
            expect(cut.isOver()).toBe(false)
            expect(nth).toBeGreaterThan(1)
            break
          }
          // A day is open by what is listed, and by nothing else.
          const cutThere = await told(stores, partition)
          expect([first, last].map(({ rows, open }) => ({ rows, open }))).toContainEqual({ rows: cutThere.rows, open: cutThere.open })
          await expectWhole()
          await expectNothingLost()
          await act(stores, partition)
          expect(await told(stores, partition)).toEqual(last)
          expect(await toldLater()).toEqual(later)
          await expectWhole()
          await expectNothingLeft()
          await expectNothingLost()
        }
      },
      120_000,
    )

    it('by two at once', async () => {
      const { last, later } = await whenDone()
      partition++
      await given(stores, partition)
      await Promise.all([act(stores, partition), act(createStores(db, systemClock), partition)])
      expect(await told(stores, partition)).toEqual(last)
      expect(await toldLater()).toEqual(later)
      await expectWhole()
      await expectNothingLeft()
      await expectNothingLost()
    })
  })
})

import type { DatabaseSync } from 'node:sqlite'
import type { Base, BlockCursor, BlockPage, HotInterval, Memtables, MinuteSums, RollupFence } from '../../ports/memtables.ts'
import type { Block } from '../../segment/row.ts'
import { guarded, inSnapshot, inTransaction } from './database.ts'

/** memtables on SQLite (state.db): row blocks by (site, day) in offset order, and the realtime aggregates. */

export const memtableTables = `
  CREATE TABLE rollup_fence (part INTEGER PRIMARY KEY, gen INTEGER NOT NULL, topic TEXT NOT NULL, next INTEGER NOT NULL, src INTEGER NOT NULL,
    logTime INTEGER NOT NULL);
  CREATE TABLE block (part INTEGER NOT NULL, site TEXT NOT NULL, day INTEGER NOT NULL, "from" INTEGER NOT NULL, "to" INTEGER NOT NULL,
    rows INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE UNIQUE INDEX block_key ON block (part, site, day, "from");
  CREATE TABLE seen (part INTEGER, site TEXT, vis TEXT, t INTEGER NOT NULL, PRIMARY KEY (part, site, vis)) WITHOUT ROWID;
  CREATE TABLE minute (part INTEGER, site TEXT, minute INTEGER, pageviews INTEGER NOT NULL, events INTEGER NOT NULL, visits INTEGER NOT NULL,
    PRIMARY KEY (part, site, minute)) WITHOUT ROWID;
`

const prepare = (db: DatabaseSync) => ({
  fence: db.prepare('SELECT gen, topic, next, src, logTime FROM rollup_fence WHERE part = ?'),
  newFence: db.prepare('INSERT INTO rollup_fence (part, gen, topic, next, src, logTime) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING'),
  moveFence: db.prepare(
    'UPDATE rollup_fence SET gen = ?, topic = ?, next = ?, src = ?, logTime = ? WHERE part = ? AND gen = ? AND next = ? AND src = ?',
  ),
  dropFence: db.prepare('DELETE FROM rollup_fence WHERE part = ? AND gen = ? AND next = ? AND src = ?'),
  /** All that stands under a fence. */
  forget: ['block', 'memtable', 'sealed', 'seen', 'minute'].map((table) => db.prepare(`DELETE FROM ${table} WHERE part = ?`)),
  base: db.prepare('SELECT base FROM memtable WHERE part = ? AND site = ? AND day = ?'),
  /** Where there were no rows, it begins now: `first` and `firstSrc` are the fence before the batch that brought the first of them. */
  grow: db.prepare(`INSERT INTO memtable (part, site, day, base, first, firstSrc, rows, characters, born) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET first = iif(rows = 0, excluded.first, first), firstSrc = iif(rows = 0, excluded.firstSrc, firstSrc),
      born = iif(rows = 0, excluded.born, born), rows = rows + excluded.rows, characters = characters + excluded.characters`),
  intervals: db.prepare(`SELECT day, "from", "to", rows FROM sealed WHERE part = ?1 AND site = ?2 AND day BETWEEN ?3 AND ?4
    UNION ALL SELECT day, base, (SELECT next FROM rollup_fence WHERE part = ?1), rows FROM memtable
    WHERE part = ?1 AND site = ?2 AND day BETWEEN ?3 AND ?4 AND rows > 0 ORDER BY 1, 2`),
  putBlock: db.prepare('INSERT INTO block (part, site, day, "from", "to", rows, body) VALUES (?, ?, ?, ?, ?, ?, ?)'),
  // Only places are looked for, so that what is sorted over several days is numbers; within a day the key is in order already.
  dayPlaces: db.prepare('SELECT rowid AS place FROM block WHERE part = ? AND site = ? AND day = ? AND "from" > ? ORDER BY "from"'),
  places: db.prepare(`SELECT rowid AS place FROM block WHERE part = ? AND site = ? AND day BETWEEN ? AND ? AND ("from", day) > (?, ?)
    ORDER BY "from", day`),
  block: db.prepare('SELECT site, day, "from", "to", rows, body FROM block WHERE rowid = ?'),
  firstDay: db.prepare('SELECT day FROM block WHERE part = ? AND site = ? AND day > 0 ORDER BY day LIMIT 1'),
  lastDay: db.prepare('SELECT day FROM block WHERE part = ? AND site = ? AND day > 0 ORDER BY day DESC LIMIT 1'),
  // A whole list at a time: a statement run for each costs twice as much.
  putSeen: db.prepare(`INSERT INTO seen (part, site, vis, t) SELECT ?, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
    ON CONFLICT DO UPDATE SET t = max(t, excluded.t)`),
  putMinute: db.prepare(`INSERT INTO minute (part, site, minute, pageviews, events, visits) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET pageviews = pageviews + excluded.pageviews, events = events + excluded.events, visits = visits + excluded.visits`),
  visitors: db.prepare('SELECT count(*) AS n FROM seen WHERE part = ? AND site = ? AND t > ?'),
  minutes: db.prepare('SELECT minute, pageviews, events, visits FROM minute WHERE part = ? AND site = ? AND minute >= ? ORDER BY minute'),
  oldSeen: db.prepare('DELETE FROM seen WHERE part = ? AND t < ?'),
  oldMinutes: db.prepare('DELETE FROM minute WHERE part = ? AND minute < ?'),
})

/** Text of the blocks of one page: little beside what is made of it, and enough that pages are few. */
const pageCharacters = 4_000_000
const beginning: BlockCursor = { from: -1, day: 0 }

export const createMemtables = (db: DatabaseSync): Memtables => {
  const sql = prepare(db)
  const fenceOf = (partition: number) => sql.fence.get(partition) as RollupFence | undefined

  const placesOf = (partition: number, site: string, fromDay: number, toDay: number, after: BlockCursor) =>
    (fromDay === toDay
      ? sql.dayPlaces.iterate(partition, site, fromDay, after.from)
      : sql.places.iterate(partition, site, fromDay, toDay, after.from, after.day)) as IterableIterator<{ place: number }>

  const pageOf = (places: Iterable<{ place: number }>, characters: number): Pick<BlockPage, 'blocks' | 'next'> => {
    const blocks: Block[] = []
    let length = 0
    for (const { place } of places) {
      const last = blocks.at(-1)
      if (last && length >= characters) return { blocks, next: { from: last.from, day: last.day } }
      const block = sql.block.get(place) as Block
      length += block.body.length
      blocks.push(block)
    }
    return { blocks }
  }

  /** The base of each block, in order; `undefined` when one of them has none, or lies below it. */
  const basesOf = (partition: number, blocks: readonly Block[], given: readonly Base[]): number[] | undefined => {
    const bases = blocks.map(
      ({ site, day }) =>
        (sql.base.get(partition, site, day) as { base: number } | undefined)?.base ??
        given.find((one) => one.site === site && one.day === day)?.base,
    )
    return bases.every((base, i) => base !== undefined && blocks[i]!.from >= base) ? (bases as number[]) : undefined
  }

  /** Whether rows were left out that the state does not have cold. */
  const lacks = (partition: number, skipped: readonly Base[]): boolean =>
    skipped.some(({ site, day, base }) => ((sql.base.get(partition, site, day) as { base: number } | undefined)?.base ?? base) < base)

  const putBlocks = (partition: number, was: RollupFence, now: RollupFence, blocks: readonly Block[], bases: readonly number[]): void => {
    for (const [i, b] of blocks.entries()) {
      sql.grow.run(partition, b.site, b.day, bases[i]!, was.next, was.src, b.rows, Buffer.byteLength(b.body), now.logTime)
      sql.putBlock.run(partition, b.site, b.day, b.from, b.to, b.rows, b.body)
    }
  }

  return {
    fence: (partition) => guarded(() => fenceOf(partition)),
    init: (partition, f, instead) =>
      guarded(() =>
        inTransaction(db, () => {
          const stands = instead && sql.dropFence.run(partition, instead.gen, instead.next, instead.src).changes > 0
          if (stands) for (const forget of sql.forget) forget.run(partition)
          sql.newFence.run(partition, f.gen, f.topic, f.next, f.src, f.logTime)
          return fenceOf(partition)!
        }),
      ),
    commit: (partition, was, now, { blocks, bases: given, skipped = [], minutes, seen }) =>
      guarded(() =>
        inTransaction(db, () => {
          const bases = basesOf(partition, blocks, given)
          if (!bases || lacks(partition, skipped)) return 'stale'
          const moved = sql.moveFence.run(now.gen, now.topic, now.next, now.src, now.logTime, partition, was.gen, was.next, was.src)
          if (moved.changes === 0) return 'stale'
          putBlocks(partition, was, now, blocks, bases)
          for (const m of minutes) sql.putMinute.run(partition, m.site, m.minute, m.pageviews, m.events, m.visits)
          if (seen.length > 0) sql.putSeen.run(partition, JSON.stringify(seen.map(({ site, vis, t }) => [site, vis, t])))
          return 'done'
        }),
      ),
    read: (partition, site, fromDay, toDay, { after = beginning, characters = pageCharacters } = {}) =>
      guarded(() =>
        inSnapshot(db, () => ({
          fence: fenceOf(partition),
          intervals: sql.intervals.all(partition, site, fromDay, toDay) as HotInterval[],
          ...pageOf(placesOf(partition, site, fromDay, toDay, after), characters),
        })),
      ),
    days: (partition, site) =>
      guarded(() => {
        const first = sql.firstDay.get(partition, site) as { day: number } | undefined
        const last = sql.lastDay.get(partition, site) as { day: number } | undefined
        return first && last && { first: first.day, last: last.day }
      }),
    live: (partition, site, since) =>
      guarded(() =>
        inSnapshot(db, () => ({
          visitors: (sql.visitors.get(partition, site, since) as { n: number }).n,
          minutes: sql.minutes.all(partition, site, since) as Omit<MinuteSums, 'site'>[],
        })),
      ),
    trimLive: (partition, before) =>
      guarded(() =>
        inTransaction(db, () => {
          sql.oldSeen.run(partition, before)
          sql.oldMinutes.run(partition, before)
        }),
      ),
  }
}

import type { DatabaseSync } from 'node:sqlite'
import type { Low, Memtable, SealedCopy, Seals } from '../../ports/seals.ts'
import type { Block } from '../../segment/row.ts'
import { guarded, inSnapshot, inTransaction } from './database.ts'

/**
 * seals on SQLite (state.db). A memtable is a row about the blocks from its base on, a sealed copy one about the blocks of its interval: a
 * seal moves no block. A memtable without rows is the base that its last seal has left. `characters` counts bytes.
 */
export const sealTables = `
  CREATE TABLE memtable (part INTEGER, site TEXT, day INTEGER, base INTEGER NOT NULL, first INTEGER NOT NULL, firstSrc INTEGER NOT NULL,
    rows INTEGER NOT NULL, characters INTEGER NOT NULL, born INTEGER NOT NULL, PRIMARY KEY (part, site, day)) WITHOUT ROWID;
  CREATE TABLE sealed (part INTEGER, site TEXT, day INTEGER, "from" INTEGER, "to" INTEGER NOT NULL, first INTEGER NOT NULL,
    firstSrc INTEGER NOT NULL, rows INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (part, site, day, "from")) WITHOUT ROWID;
  INSERT INTO memtable (part, site, day, base, first, firstSrc, rows, characters, born)
    SELECT part, site, day, 0, 0, -1, sum(rows), sum(rows) * 500, 0 FROM block GROUP BY part, site, day;
`

const prepare = (db: DatabaseSync) => ({
  fence: db.prepare('SELECT next, src FROM rollup_fence WHERE part = ?'),
  memtable: db.prepare('SELECT base, first, firstSrc, rows, characters AS bytes FROM memtable WHERE part = ? AND site = ? AND day = ?'),
  due: db.prepare(`SELECT site, day, base, rows, characters AS bytes, born FROM memtable
    WHERE part = ? AND rows > 0 AND (rows >= ? OR characters >= ? OR born <= ?) ORDER BY born LIMIT ?`),
  oldest: db.prepare('SELECT min(born) AS born FROM memtable WHERE part = ? AND rows > 0'),
  sealed: db.prepare('SELECT site, day, "from", "to", rows, at FROM sealed WHERE part = ? ORDER BY "from"'),
  low: db.prepare(`SELECT first AS next, firstSrc AS src FROM memtable WHERE part = ?1 AND rows > 0
    UNION ALL SELECT first, firstSrc FROM sealed WHERE part = ?1 ORDER BY 1 LIMIT 1`),
  /** Sizes alone: a body's length in bytes stands before it. */
  blocks: db.prepare(`SELECT "to", rows, octet_length(body) AS bytes FROM block
    WHERE part = ? AND site = ? AND day = ? AND "from" >= ? ORDER BY "from"`),
  putSealed: db.prepare('INSERT INTO sealed (part, site, day, "from", "to", first, firstSrc, rows, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'),
  moveBase: db.prepare('UPDATE memtable SET base = ?, rows = ?, characters = ? WHERE part = ? AND site = ? AND day = ?'),
  isSealed: db.prepare('SELECT 1 FROM sealed WHERE part = ? AND site = ? AND day = ? AND "from" = ? AND "to" = ?'),
  sealedBlocks: db.prepare(`SELECT site, day, "from", "to", rows, body FROM block
    WHERE part = ? AND site = ? AND day = ? AND "from" >= ? AND "from" < ? ORDER BY "from"`),
  dropBlocks: db.prepare('DELETE FROM block WHERE part = ? AND site = ? AND day = ? AND "from" >= ? AND "from" < ?'),
  dropSealed: db.prepare('DELETE FROM sealed WHERE part = ? AND site = ? AND day = ? AND "from" = ?'),
  forgetBase: db.prepare(`DELETE FROM memtable WHERE part = ?1 AND site = ?2 AND day = ?3 AND rows = 0 AND base <= ?4
    AND NOT EXISTS (SELECT 1 FROM sealed WHERE part = ?1 AND site = ?2 AND day = ?3)`),
})

type Held = { base: number; first: number; firstSrc: number; rows: number; bytes: number }
type Taken = { to: number; rows: number; bytes: number }

export const createSeals = (db: DatabaseSync): Seals => {
  const sql = prepare(db)

  /** What of a memtable goes into one copy. */
  const takeBlocks = (partition: number, site: string, day: number, held: Held, next: number, bytes: number): Taken => {
    const taken: Taken = { to: held.base, rows: 0, bytes: 0 }
    for (const block of sql.blocks.iterate(partition, site, day, held.base) as Iterable<Taken>) {
      if (taken.bytes >= bytes) return taken
      taken.to = block.to
      taken.rows += block.rows
      taken.bytes += block.bytes
    }
    return { ...taken, to: next }
  }

  return {
    bases: (partition, days) =>
      guarded(() => inSnapshot(db, () => days.map(({ site, day }) => (sql.memtable.get(partition, site, day) as Held | undefined)?.base))),
    look: (partition, { rows, bytes, born }, limit) =>
      guarded(() =>
        inSnapshot(db, () => ({
          sealed: sql.sealed.all(partition) as SealedCopy[],
          due: sql.due.all(partition, rows, bytes, born, limit) as Memtable[],
          oldest: (sql.oldest.get(partition) as { born: number | null }).born ?? undefined,
        })),
      ),
    low: (partition) =>
      guarded(() =>
        inSnapshot(db, () => {
          const fence = sql.fence.get(partition) as Low | undefined
          const low = sql.low.get(partition) as Low | undefined
          return fence && low && low.next < fence.next ? low : fence
        }),
      ),
    seal: (partition, { site, day }, at, bytes) =>
      guarded(() =>
        inTransaction(db, () => {
          const held = sql.memtable.get(partition, site, day) as Held | undefined
          const fence = sql.fence.get(partition) as Low | undefined
          if (!held || held.rows === 0 || !fence || fence.next <= held.base) return undefined
          const { to, ...taken } = takeBlocks(partition, site, day, held, fence.next, bytes)
          sql.putSealed.run(partition, site, day, held.base, to, held.first, held.firstSrc, taken.rows, at)
          const isAll = to === fence.next
          const left = isAll ? { rows: 0, bytes: 0 } : { rows: held.rows - taken.rows, bytes: held.bytes - taken.bytes }
          sql.moveBase.run(to, left.rows, Math.max(0, left.bytes), partition, site, day)
          return { site, day, from: held.base, to, rows: taken.rows, at }
        }),
      ),
    readSealed: (partition, { site, day, from, to }) =>
      guarded(() =>
        inSnapshot(db, () => {
          if (!sql.isSealed.get(partition, site, day, from, to)) return undefined
          return sql.sealedBlocks.all(partition, site, day, from, to) as Block[]
        }),
      ),
    dropSealed: (partition, { site, day, from, to }) =>
      guarded(() =>
        inTransaction(db, () => {
          if (!sql.isSealed.get(partition, site, day, from, to)) return
          sql.dropBlocks.run(partition, site, day, from, to)
          sql.dropSealed.run(partition, site, day, from)
        }),
      ),
    forgetBase: (partition, { site, day }, upTo) =>
      guarded(() => {
        sql.forgetBase.run(partition, site, day, upTo)
      }),
  }
}

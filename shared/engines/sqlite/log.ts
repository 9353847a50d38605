import type { DatabaseSync } from 'node:sqlite'
import type { Clock } from '../../clock.ts'
import type { Bus } from '../../ports/bus.ts'
import type { LogEnds, LogReader, LogRecord, LogTrimmer, LogWriter, ReadLimits, Topic } from '../../ports/log.ts'
import { inSnapshot, inTransaction, storeError } from './database.ts'

/**
 * log on SQLite: one table per topic. A row holds the records that were appended together, keyed by partition and first offset
 * packed into the rowid, so that an append always goes to the right-hand end of its partition. A row per record would cost 3 µs
 * to write and 2.5 µs to read, most of what a stage has to do at all (measured).
 */

/** Offsets take 40 bits, partitions 12: together they are a safe integer. */
const partitionSpan = 2 ** 40

/** A row takes no more than this, so that a reader of small batches does not load megabytes for each. */
const rowLimits = { records: 1_000, chars: 500_000 } as const

/** Written and taken away by an append of nothing: as large as a hit, so that it meets a full disk where a hit would. */
const probe = ' '.repeat(8_192)

/** The most rows a trim deletes in one transaction: commits wait for no more than that (a row may be 500,000 characters). */
const trimRows = 256

/** Tables of one topic, for a migration. `lengths`: characters (UTF-16 units) of each record, 32 bits each. */
export const topicTables = (topic: Topic) => `
  CREATE TABLE ${topic} (pos INTEGER PRIMARY KEY, n INTEGER NOT NULL, t INTEGER NOT NULL, lengths BLOB NOT NULL, body TEXT NOT NULL);
  CREATE TABLE ${topic}_part (part INTEGER PRIMARY KEY, id TEXT NOT NULL, earliest INTEGER NOT NULL);
  INSERT INTO ${topic}_part (part, id, earliest) VALUES (0, lower(hex(randomblob(16))), 0);
`

/** Subject on the bus that says a topic has grown. */
const grown = (topic: Topic, partition: number) => `log.${topic}.${partition}`

const prepare = (db: DatabaseSync, topic: Topic) => ({
  insert: db.prepare(`INSERT INTO ${topic} (pos, n, t, lengths, body) VALUES (?, ?, ?, ?, ?)`),
  /** The row that holds a position, or the last one before it. */
  at: db.prepare(`SELECT pos, n, t FROM ${topic} WHERE pos >= ? AND pos <= ? ORDER BY pos DESC LIMIT 1`),
  read: db.prepare(`SELECT pos, n, t, lengths, body FROM ${topic} WHERE pos >= ? AND pos < ? ORDER BY pos`),
  part: db.prepare(`SELECT earliest FROM ${topic}_part WHERE part = ?`),
  /** The topic's identity is in the row of partition 0, which is there from the beginning; all partitions have the same. */
  topic: db.prepare(`SELECT id FROM ${topic}_part WHERE part = 0`),
  newPart: db.prepare(
    `INSERT INTO ${topic}_part (part, id, earliest) SELECT ?, id, 0 FROM ${topic}_part WHERE part = 0 ON CONFLICT DO NOTHING`,
  ),
  drop: db.prepare(`DELETE FROM ${topic} WHERE pos = ?`),
  /** Bounded above too, else every row of the log would be looked at. */
  trim: db.prepare(`DELETE FROM ${topic} WHERE pos IN
    (SELECT pos FROM ${topic} WHERE pos >= ?1 AND pos < ?2 AND pos + n <= ?2 ORDER BY pos LIMIT ${trimRows})`),
  trimmed: db.prepare(`UPDATE ${topic}_part SET earliest = max(earliest, ?) WHERE part = ?`),
})
type Statements = ReturnType<typeof prepare>

const createStatements = (db: DatabaseSync) => {
  const held = new Map<Topic, Statements>()
  return (topic: Topic): Statements => {
    let found = held.get(topic)
    if (!found) {
      found = prepare(db, topic)
      held.set(topic, found)
    }
    return found
  }
}

type Head = { pos: number; n: number; t: number }
type Row = Head & { lengths: Uint8Array; body: string }

const headAt = ({ at }: Statements, partition: number, offset: number): Head | undefined => {
  const base = partition * partitionSpan
  return at.get(base, base + offset) as Head | undefined
}

const endsOf = (statements: Statements, partition: number): LogEnds & { time: number } => {
  const { id } = statements.topic.get() as { id: string }
  const known = statements.part.get(partition) as { earliest: number } | undefined
  const newest = headAt(statements, partition, partitionSpan - 1)
  const earliest = known?.earliest ?? 0
  const end = newest ? newest.pos - partition * partitionSpan + newest.n : earliest
  return { id, earliest, end: Math.max(end, earliest), time: newest?.t ?? 0 }
}

/** Takes the records of a row from `from` on into the list; false when a limit is reached. */
const takeRow = (
  records: LogRecord[],
  { pos, t, lengths, body }: Row,
  base: number,
  from: number,
  room: { records: number; bytes: number },
): boolean => {
  const sizes = new Uint32Array(lengths.buffer.slice(lengths.byteOffset, lengths.byteOffset + lengths.byteLength))
  let start = 0
  for (let i = 0; i < sizes.length; i++) {
    const end = start + sizes[i]!
    const offset = pos - base + i
    if (offset >= from) {
      if (room.records === 0 || (records.length > 0 && room.bytes < sizes[i]!)) return false
      records.push({ offset, time: t, body: body.slice(start, end) })
      room.records--
      room.bytes -= sizes[i]!
    }
    start = end
  }
  return true
}

/** Reads of a log file. `bus` tells when a topic has grown; without a message a waiting read looks again when its time is up. */
export const createLogReader = (db: DatabaseSync, clock: Clock, bus: Bus): LogReader => {
  const of = createStatements(db)

  const readNow = (topic: Topic, partition: number, offset: number, { records: most, bytes }: ReadLimits): LogRecord[] => {
    const base = partition * partitionSpan
    const from = Math.max(offset, (of(topic).part.get(partition) as { earliest: number } | undefined)?.earliest ?? 0)
    const head = headAt(of(topic), partition, from)
    const records: LogRecord[] = []
    const room = { records: most, bytes }
    for (const row of of(topic).read.iterate(head?.pos ?? base + from, base + partitionSpan) as Iterable<Row>)
      if (!takeRow(records, row, base, from, room)) break
    return records
  }

  return {
    async read(topic, partition, offset, limits) {
      try {
        const found = readNow(topic, partition, offset, limits)
        if (found.length > 0 || limits.waitMs === 0 || limits.signal?.aborted) return found
        await grows(clock, bus, topic, partition, limits)
        return readNow(topic, partition, offset, limits)
      } catch (cause) {
        throw storeError(cause, 'log-unavailable')
      }
    },
    async ends(topic, partition) {
      try {
        const { id, earliest, end } = inSnapshot(db, () => endsOf(of(topic), partition))
        return { id, earliest, end }
      } catch (cause) {
        throw storeError(cause, 'log-unavailable')
      }
    },
    async offsetAt(topic, partition, time) {
      try {
        return inSnapshot(db, () => firstAt(of(topic), partition, time))
      } catch (cause) {
        throw storeError(cause, 'log-unavailable')
      }
    },
  }
}

/** Append times never decrease and offsets have no holes, so the first record at or after a time is found by halving. */
const firstAt = (statements: Statements, partition: number, time: number): number => {
  let { earliest: low, end: high } = endsOf(statements, partition)
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const { pos, n, t } = headAt(statements, partition, middle)!
    // All records of a row have one time.
    const first = pos - partition * partitionSpan
    if (t >= time) high = Math.max(low, first)
    else low = first + n
  }
  return low
}

const grows = (clock: Clock, bus: Bus, topic: Topic, partition: number, { waitMs, signal }: ReadLimits): Promise<void> =>
  new Promise((resolve) => {
    const done = () => {
      cancel()
      leave()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const leave = bus.subscribe(grown(topic, partition), done)
    const cancel = clock.after(waitMs, done)
    signal?.addEventListener('abort', done)
  })

/** Records for one partition, all in one text: how they are written, and how they travel between threads. */
export type Packed = { topic: Topic; partition: number; lengths: Uint32Array; text: string }

export const pack = (topic: Topic, partition: number, bodies: readonly string[]): Packed => ({
  topic,
  partition,
  lengths: Uint32Array.from(bodies, ({ length }) => length),
  text: bodies.join(''),
})

/** Writes of a log file, for its one writer. Synchronous: when `commit` comes back, all is as durable as the file's settings say. */
export type LogFile = {
  /**
   * Everything in one transaction, so one fsync; answers the first offset of each part. Throws `log-unavailable`, `disk-full`. A part of no
   * records leaves nothing behind and yet goes the whole way to the disk: it tells whether records could.
   */
  commit(parts: readonly Packed[]): number[]
  /** One slice of a trim; `more` when it must be asked for again. Records below the offset are no longer given out after the first. */
  trim(topic: Topic, partition: number, offset: number): 'more' | undefined
}

export const createLogFile = (db: DatabaseSync, clock: Clock, bus: Bus): LogFile => {
  const of = createStatements(db)
  const tails = new Map<string, { next: number; time: number }>()

  const tailOf = (topic: Topic, partition: number) => {
    const name = `${topic} ${partition}`
    let tail = tails.get(name)
    if (!tail) {
      of(topic).newPart.run(partition)
      const { end, time } = endsOf(of(topic), partition)
      tail = { next: end, time }
      tails.set(name, tail)
    }
    return tail
  }

  /** An update to the same value would write nothing (SQLite compares), and so meet neither a full disk nor a failing one. */
  const tryOut = (topic: Topic, pos: number, time: number): void => {
    of(topic).insert.run(pos, 0, time, new Uint8Array(0), probe)
    of(topic).drop.run(pos)
  }

  const insert = ({ topic, partition, lengths, text }: Packed): number => {
    const tail = tailOf(topic, partition)
    const first = tail.next
    if (lengths.length === 0) tryOut(topic, partition * partitionSpan + first, tail.time)
    else tail.time = Math.max(tail.time, clock.now())
    let start = 0
    for (let i = 0; i < lengths.length; ) {
      let end = start
      let n = 0
      while (i + n < lengths.length && n < rowLimits.records && (n === 0 || end + lengths[i + n]! - start <= rowLimits.chars))
        end += lengths[i + n++]!
      const sizes = lengths.slice(i, i + n)
      of(topic).insert.run(partition * partitionSpan + tail.next, n, tail.time, new Uint8Array(sizes.buffer), text.slice(start, end))
      tail.next += n
      start = end
      i += n
    }
    return first
  }

  const guardedWrite = <T>(work: () => T): T => {
    try {
      return inTransaction(db, work)
    } catch (cause) {
      tails.clear() // what was inserted is gone: the tails are read anew from the file
      throw storeError(cause, 'log-unavailable')
    }
  }

  return {
    commit(parts) {
      const firsts = guardedWrite(() => parts.map(insert))
      for (const { topic, partition } of parts) bus.publish(grown(topic, partition), '')
      return firsts
    },
    trim(topic, partition, offset) {
      return guardedWrite(() => {
        tailOf(topic, partition)
        const base = partition * partitionSpan
        const { earliest, end } = endsOf(of(topic), partition)
        // What a trim that was cut off has left below `earliest` goes too.
        const to = Math.max(earliest, Math.min(offset, end))
        if (to > earliest) of(topic).trimmed.run(to, partition)
        // A row that reaches beyond the offset stays; what lies before it in the row is no longer given out.
        return of(topic).trim.run(base, base + to).changes === trimRows ? 'more' : undefined
      })
    },
  }
}

/** The log port's writes over a file of this thread: each append is a transaction of its own. */
export const createLogWriter = (file: LogFile): LogWriter & LogTrimmer => ({
  append: async (topic, partition, bodies) => file.commit([pack(topic, partition, bodies)])[0]!,
  trim: async (topic, partition, offset) => {
    while (file.trim(topic, partition, offset) === 'more') await new Promise(setImmediate)
  },
})

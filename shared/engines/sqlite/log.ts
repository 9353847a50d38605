import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../clock.ts'
import type { Bus } from '../../ports/bus.ts'
import type { LogEnds, LogReader, LogRecord, LogTrimmer, LogWriter, ReadLimits, Topic } from '../../ports/log.ts'
import { inSnapshot, inTransaction, storeError } from './database.ts'

/**
 * log on SQLite: one table per topic, keyed by partition and offset packed into the rowid, so that an append always
 * goes to the right-hand end of its partition and a record's text stays in the row's own page.
 */

/** Offsets take 40 bits, partitions 12: together they are a safe integer. */
const partitionSpan = 2 ** 40

/** Tables of one topic, for a migration. */
export const topicTables = (topic: Topic) => `
  CREATE TABLE ${topic} (pos INTEGER PRIMARY KEY, t INTEGER NOT NULL, body TEXT NOT NULL);
  CREATE TABLE ${topic}_part (part INTEGER PRIMARY KEY, id TEXT NOT NULL, earliest INTEGER NOT NULL);
  INSERT INTO ${topic}_part (part, id, earliest) VALUES (0, lower(hex(randomblob(16))), 0);
`

/** Subject on the bus that says a topic has grown. */
const grown = (topic: Topic, partition: number) => `log.${topic}.${partition}`

type Statements = {
  insert: StatementSync
  last: StatementSync
  read: StatementSync
  part: StatementSync
  newPart: StatementSync
  byTime: StatementSync
  trim: StatementSync
  trimmed: StatementSync
}

const prepare = (db: DatabaseSync, topic: Topic): Statements => ({
  insert: db.prepare(`INSERT INTO ${topic} (pos, t, body) VALUES (?, ?, ?)`),
  last: db.prepare(`SELECT pos, t FROM ${topic} WHERE pos >= ? AND pos < ? ORDER BY pos DESC LIMIT 1`),
  read: db.prepare(`SELECT pos, t, body FROM ${topic} WHERE pos >= ? AND pos < ? ORDER BY pos LIMIT ?`),
  part: db.prepare(`SELECT id, earliest FROM ${topic}_part WHERE part = ?`),
  newPart: db.prepare(`INSERT INTO ${topic}_part (part, id, earliest) VALUES (?, ?, 0) ON CONFLICT DO NOTHING`),
  byTime: db.prepare(`SELECT t FROM ${topic} WHERE pos = ?`),
  trim: db.prepare(`DELETE FROM ${topic} WHERE pos >= ? AND pos < ?`),
  trimmed: db.prepare(`UPDATE ${topic}_part SET earliest = max(earliest, ?) WHERE part = ?`),
})

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

/** Records read at a time. */
const sliceRecords = 200

type Row = { pos: number; t: number; body: string }

const endsOf = ({ part, last }: Statements, partition: number): LogEnds & { time: number } => {
  const known = part.get(partition) as { id: string; earliest: number } | undefined
  const base = partition * partitionSpan
  const newest = last.get(base, base + partitionSpan) as { pos: number; t: number } | undefined
  const earliest = known?.earliest ?? 0
  return { id: known?.id ?? '', earliest, end: newest ? newest.pos - base + 1 : earliest, time: newest?.t ?? 0 }
}

/** Reads of a log file. `bus` tells when a topic has grown; without a message a waiting read looks again when its time is up. */
export const createLogReader = (db: DatabaseSync, clock: Clock, bus: Bus): LogReader => {
  const of = createStatements(db)

  const readNow = (topic: Topic, partition: number, offset: number, limits: ReadLimits): LogRecord[] => {
    const base = partition * partitionSpan
    const records: LogRecord[] = []
    let bytes = 0
    for (let from = base + offset; records.length < limits.records; ) {
      // Slices bound what a read of large records can hold; `all` of a slice costs half of stepping through it.
      const slice = of(topic).read.all(from, base + partitionSpan, Math.min(sliceRecords, limits.records - records.length)) as Row[]
      for (const { pos, t, body } of slice) {
        bytes += body.length
        if (records.length > 0 && bytes > limits.bytes) return records
        records.push({ offset: pos - base, time: t, body })
      }
      if (slice.length < sliceRecords) break
      from = slice.at(-1)!.pos + 1
    }
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
    const { t } = statements.byTime.get(partition * partitionSpan + middle) as { t: number }
    if (t >= time) high = middle
    else low = middle + 1
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

/** One append of a group that shares a transaction. */
export type Append = { topic: Topic; partition: number; bodies: readonly string[] }

/** Writes of a log file, for its one writer. Synchronous: when `commit` comes back, the group is as durable as the file's settings say. */
export type LogFile = {
  /** All appends in one transaction, so one fsync; answers the first offset of each. Throws `log-unavailable`, `log-full`. */
  commit(group: readonly Append[]): number[]
  trim(topic: Topic, partition: number, offset: number): void
}

export const createLogFile = (db: DatabaseSync, clock: Clock, bus: Bus): LogFile => {
  const of = createStatements(db)
  const tails = new Map<string, { next: number; time: number }>()

  const tailOf = (topic: Topic, partition: number) => {
    const name = `${topic} ${partition}`
    let tail = tails.get(name)
    if (!tail) {
      of(topic).newPart.run(partition, clock.random(16).toString('hex'))
      const { end, time } = endsOf(of(topic), partition)
      tail = { next: end, time }
      tails.set(name, tail)
    }
    return tail
  }

  const insert = ({ topic, partition, bodies }: Append): number => {
    const tail = tailOf(topic, partition)
    const first = tail.next
    tail.time = Math.max(tail.time, clock.now())
    for (const body of bodies) of(topic).insert.run(partition * partitionSpan + tail.next++, tail.time, body)
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
    commit(group) {
      const firsts = guardedWrite(() => group.map(insert))
      for (const name of new Set(group.map(({ topic, partition }) => grown(topic, partition)))) bus.publish(name, '')
      return firsts
    },
    trim(topic, partition, offset) {
      guardedWrite(() => {
        tailOf(topic, partition)
        const base = partition * partitionSpan
        const { earliest, end } = endsOf(of(topic), partition)
        const to = Math.min(offset, end)
        if (to <= earliest) return
        of(topic).trim.run(base, base + to)
        of(topic).trimmed.run(to, partition)
      })
    },
  }
}

/** The log port's writes over a file of this thread: each append is a transaction of its own. */
export const createLogWriter = (file: LogFile): LogWriter & LogTrimmer => ({
  append: async (topic, partition, bodies) => file.commit([{ topic, partition, bodies }])[0]!,
  trim: async (topic, partition, offset) => file.trim(topic, partition, offset),
})

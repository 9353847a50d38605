import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Clock } from '../../clock.ts'
import type {
  EnrichChange,
  EnrichFence,
  EnrichState,
  HeldSession,
  HitId,
  ImportSource,
  SessionKey,
  Sessions,
} from '../../ports/sessions.ts'
import { guarded, inSnapshot, inTransaction } from './database.ts'

/**
 * sessions on SQLite (state.db): one row per visitor's latest session, one per known hit id. Commits are gathered in memory and
 * written every `flushMs` in one transaction with the fence they lead to, so that a busy visitor is written once and not at every hit.
 * What a crash takes along is state and fence together: an older pair stands, and enrich catches up from `events` (data.md §9.1).
 */
export const sessionTables = `
  CREATE TABLE enrich_fence (part INTEGER PRIMARY KEY, gen INTEGER NOT NULL, topic TEXT NOT NULL, next INTEGER NOT NULL, ev INTEGER NOT NULL,
    logTime INTEGER NOT NULL, mode TEXT NOT NULL);
  CREATE TABLE sess (part INTEGER, site TEXT, key TEXT, lt INTEGER NOT NULL, state TEXT NOT NULL, PRIMARY KEY (part, site, key)) WITHOUT ROWID;
  CREATE TABLE ids (part INTEGER, site TEXT, id TEXT, lt INTEGER NOT NULL, PRIMARY KEY (part, site, id)) WITHOUT ROWID;
  CREATE TABLE imp (part INTEGER, site TEXT, source TEXT, line INTEGER NOT NULL, PRIMARY KEY (part, site, source)) WITHOUT ROWID;
`

/** Changes held in memory at the most before they are written, whatever the time. */
export const heldLimit = 60_000

const prepare = (db: DatabaseSync) => ({
  fence: db.prepare('SELECT gen, topic, next, ev, logTime, mode FROM enrich_fence WHERE part = ?'),
  newFence: db.prepare(
    'INSERT INTO enrich_fence (part, gen, topic, next, ev, logTime, mode) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  ),
  /** All that stands under a fence, and the fence. */
  forget: ['sess', 'ids', 'imp', 'enrich_fence'].map((table) => db.prepare(`DELETE FROM ${table} WHERE part = ?`)),
  putFence: db.prepare('UPDATE enrich_fence SET gen = ?, topic = ?, next = ?, ev = ?, logTime = ?, mode = ? WHERE part = ?'),
  // Whole lists at a time: a statement run for each of them costs three times as much.
  sessions: db.prepare('SELECT key, state, lt FROM sess WHERE part = ? AND site = ? AND key IN (SELECT value FROM json_each(?))'),
  putSession: db.prepare(
    'INSERT INTO sess (part, site, key, lt, state) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET lt = excluded.lt, state = excluded.state',
  ),
  dropSession: db.prepare('DELETE FROM sess WHERE part = ? AND site = ? AND key = ?'),
  ids: db.prepare('SELECT id AS key, lt AS value FROM ids WHERE part = ? AND site = ? AND id IN (SELECT value FROM json_each(?))'),
  putIds: db.prepare(`INSERT INTO ids (part, site, id, lt) SELECT ?, value ->> 0, value ->> 1, value ->> 2 FROM json_each(?) WHERE true
    ON CONFLICT DO UPDATE SET lt = excluded.lt`),
  dropId: db.prepare('DELETE FROM ids WHERE part = ? AND site = ? AND id = ?'),
  line: db.prepare('SELECT line FROM imp WHERE part = ? AND site = ? AND source = ?'),
  putLine: db.prepare('INSERT INTO imp (part, site, source, line) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET line = excluded.line'),
  someSessions: db.prepare('SELECT site, key, lt FROM sess WHERE part = ? AND (site, key) > (?, ?) ORDER BY site, key LIMIT ?'),
  someIds: db.prepare('SELECT site, id AS key, lt FROM ids WHERE part = ? AND (site, id) > (?, ?) ORDER BY site, id LIMIT ?'),
})
type Sql = ReturnType<typeof prepare>

/** Where a sweep goes on: tables are walked in slices, since an index by age would cost at every write (a third of a commit, measured). */
type Cursor = { site: string; key: string }
const start: Cursor = { site: '', key: '' }

/** Walks a table in slices of rows, for ever, and drops what is old; answers how many went. */
const createSweep = (some: StatementSync, drop: StatementSync) => {
  const cursors = new Map<number, Cursor>()
  return (partition: number, before: number, limit: number): number => {
    const from = cursors.get(partition) ?? start
    const slice = some.all(partition, from.site, from.key, limit) as (Cursor & { lt: number })[]
    const old = slice.filter(({ lt }) => lt < before)
    for (const { site, key } of old) drop.run(partition, site, key)
    cursors.set(partition, slice.length < limit ? start : slice.at(-1)!)
    return old.length
  }
}

/** By `site key`; sites have no blank in their names. */
const nameOf = (site: string, key: string) => `${site} ${key}`
const splitName = (name: string): [string, string] => {
  const at = name.indexOf(' ')
  return [name.slice(0, at), name.slice(at + 1)]
}

/** Changes of one partition that are not written yet, and the fence they lead to. `null` = dropped. */
type Held = {
  fence: EnrichFence
  sessions: Map<string, HeldSession | null>
  ids: Map<string, number>
  lines: Map<string, number>
  since: number
}

const writeHeld = (sql: Sql, partition: number, { fence: f, sessions, ids, lines }: Held) => {
  for (const [name, held] of sessions) {
    const [site, key] = splitName(name)
    if (held) sql.putSession.run(partition, site, key, held.lt, held.state)
    else sql.dropSession.run(partition, site, key)
  }
  if (ids.size > 0) sql.putIds.run(partition, JSON.stringify(Array.from(ids, ([name, lt]) => [...splitName(name), lt])))
  for (const [name, line] of lines) sql.putLine.run(partition, ...splitName(name), line)
  sql.putFence.run(f.gen, f.topic, f.next, f.ev, f.logTime, f.mode, partition)
}

const holdChange = (held: Held, change: EnrichChange) => {
  for (const { site, key } of change.dropped) held.sessions.set(nameOf(site, key), null)
  for (const { site, key, lt, state } of change.sessions) held.sessions.set(nameOf(site, key), { state, lt })
  for (const { site, id, lt } of change.ids) held.ids.set(nameOf(site, id), lt)
  for (const { site, source, line } of change.lines) held.lines.set(nameOf(site, source), line)
}

const isSame = (fence: EnrichFence | undefined, { gen, next, ev }: EnrichFence): boolean =>
  fence?.gen === gen && fence.next === next && fence.ev === ev

/** `flush` writes what is held; call it before the file is closed. With `flushMs` 0 every commit is written at once. */
export const createSessions = (db: DatabaseSync, clock: Clock, flushMs: number): Sessions & { flush(): void } => {
  const sql = prepare(db)
  const partitions = new Map<number, Held>()
  /** A read cache: sessions of the last flush, which are likely to be asked for again. */
  const readAgain = new Map<number, Held['sessions']>()
  const sweepSessions = createSweep(sql.someSessions, sql.dropSession)
  const sweepIds = createSweep(sql.someIds, sql.dropId)

  const fenceOf = (partition: number): EnrichFence | undefined =>
    partitions.get(partition)?.fence ?? (sql.fence.get(partition) as EnrichFence | undefined)

  const flushPartition = (partition: number): void => {
    const held = partitions.get(partition)
    if (!held) return
    // Written, or lost together with its fence: from here on what the file says stands.
    partitions.delete(partition)
    readAgain.delete(partition)
    inTransaction(db, () => writeHeld(sql, partition, held))
    if (flushMs > 0) readAgain.set(partition, held.sessions)
  }

  const forget = (partition: number): void => {
    partitions.delete(partition)
    readAgain.delete(partition)
    for (const table of sql.forget) table.run(partition)
  }

  const isDue = ({ since, sessions, ids }: Held) => clock.now() - since >= flushMs || sessions.size + ids.size >= heldLimit

  /** What is not held in memory is asked of the file, all of a site at once. Answers in the order of the names. */
  const loadAll = <Value>(
    names: readonly string[],
    inMemory: (name: string) => Value | null | undefined,
    ask: (site: string, keys: string) => { key: string; value: Value }[],
  ): (Value | undefined)[] => {
    const known = names.map(inMemory)
    const missing = new Map<string, string[]>()
    for (const [i, name] of names.entries()) {
      if (known[i] !== undefined) continue
      const [site, key] = splitName(name)
      const keys = missing.get(site)
      if (keys) keys.push(key)
      else missing.set(site, [key])
    }
    const found = new Map<string, Value>()
    for (const [site, keys] of missing) for (const { key, value } of ask(site, JSON.stringify(keys))) found.set(nameOf(site, key), value)
    return known.map((value, i) => (value === undefined ? found.get(names[i]!) : (value ?? undefined)))
  }

  const loadSessions = (partition: number, held: Held | undefined, wanted: readonly SessionKey[]) => {
    const again = readAgain.get(partition)
    return loadAll<HeldSession>(
      wanted.map(({ site, key }) => nameOf(site, key)),
      (name) => {
        const now = held?.sessions.get(name)
        return now === undefined ? again?.get(name) : now
      },
      (site, keys) =>
        (sql.sessions.all(partition, site, keys) as (HeldSession & { key: string })[]).map(({ key, state, lt }) => ({
          key,
          value: { state, lt },
        })),
    )
  }

  const loadIds = (partition: number, held: Held | undefined, wanted: readonly HitId[]) =>
    loadAll<number>(
      wanted.map(({ site, id }) => nameOf(site, id)),
      (name) => held?.ids.get(name),
      (site, ids) => sql.ids.all(partition, site, ids) as { key: string; value: number }[],
    )

  const loadLines = (partition: number, held: Held | undefined, wanted: readonly ImportSource[]): (number | undefined)[] =>
    wanted.map(
      ({ site, source }) =>
        held?.lines.get(nameOf(site, source)) ?? (sql.line.get(partition, site, source) as { line: number } | undefined)?.line,
    )

  return {
    load: (partition, sessions, ids, sources) =>
      guarded(() =>
        inSnapshot(db, (): EnrichState => {
          const held = partitions.get(partition)
          return {
            fence: fenceOf(partition),
            sessions: loadSessions(partition, held, sessions),
            ids: loadIds(partition, held, ids),
            lines: loadLines(partition, held, sources),
          }
        }),
      ),
    init: (partition, f, instead) =>
      guarded(() =>
        inTransaction(db, () => {
          if (instead && isSame(fenceOf(partition), instead)) forget(partition)
          if (!fenceOf(partition)) sql.newFence.run(partition, f.gen, f.topic, f.next, f.ev, f.logTime, f.mode)
          return fenceOf(partition)!
        }),
      ),
    durable: (partition) => guarded(() => sql.fence.get(partition) as EnrichFence | undefined),
    commit: (partition, was, now, change) =>
      guarded(() => {
        if (!isSame(fenceOf(partition), was)) return 'stale'
        const held = partitions.get(partition) ?? { fence: now, sessions: new Map(), ids: new Map(), lines: new Map(), since: clock.now() }
        holdChange(held, change)
        held.fence = now
        partitions.set(partition, held)
        if (isDue(held)) flushPartition(partition)
        return 'done'
      }),
    sweep: (partition, { sessionsBefore, idsBefore }, limit) =>
      guarded(() => {
        flushPartition(partition)
        readAgain.delete(partition)
        return inTransaction(db, () => sweepIds(partition, idsBefore, limit) + sweepSessions(partition, sessionsBefore, limit))
      }),
    flush() {
      for (const partition of [...partitions.keys()]) flushPartition(partition)
    },
  }
}

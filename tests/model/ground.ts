import type { DatabaseSync } from 'node:sqlite'
import { createSessions } from '#shared/engines/sqlite/sessions.ts'
import { type Ports, wire } from '#shared/wire.ts'
import type { Random } from './random.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** What a world stands on: the stores, and a way to do to the hot state behind their backs what a bad night does to it. */
export type Ground = {
  stores: Ports
  hot: HotState
  close(): Promise<void>
}
export type MakeGround = (clock: VirtualClock, random: Random, partitions: number) => Promise<Ground>

export const stages = ['enrich-session', 'rollup-window'] as const
export type Stage = (typeof stages)[number]

/** One fence and the state it guards, which are lost and set back together. */
export type StatePlace = { stage: Stage; partition: number }

/** `take` copies the state of a place; what it answers puts that state back, whatever stands there by then. */
export type HotState = {
  take(place: StatePlace): Promise<() => Promise<void>>
  lose(place: StatePlace): Promise<void>
}

const stageTables: Record<Stage, readonly string[]> = {
  'enrich-session': ['enrich_fence', 'sess', 'ids', 'imp'],
  'rollup-window': ['rollup_fence', 'block', 'memtable', 'sealed', 'seen', 'minute'],
}

/** `forgetHeld`: what the engine holds in memory, of any partition, is lost as at a crash. */
const tablesOf = (db: DatabaseSync, forgetHeld: () => void): HotState => {
  const clear = ({ stage, partition }: StatePlace) => {
    for (const table of stageTables[stage]) db.prepare(`DELETE FROM ${table} WHERE part = ?`).run(partition)
  }
  return {
    async take(place) {
      const copies = stageTables[place.stage].map((table) => ({
        table,
        rows: db.prepare(`SELECT * FROM ${table} WHERE part = ?`).all(place.partition),
      }))
      return async () => {
        clear(place)
        for (const { table, rows } of copies)
          for (const row of rows) {
            const names = Object.keys(row)
            const insert = `INSERT INTO ${table} (${names.map((name) => `"${name}"`)}) VALUES (${names.map(() => '?')})`
            db.prepare(insert).run(...Object.values(row))
          }
        forgetHeld()
      }
    },
    async lose(place) {
      clear(place)
      forgetHeld()
    },
  }
}

/** The SQLite engine in memory. Half of the worlds write session state behind: what is put into the tables by hand then finds nothing held. */
export const sqliteGround: MakeGround = async (clock, random, partitions) => {
  const stores = await wire(':memory:', 'all', clock, { partitions })
  const db = stores.files.state
  const flushMs = random.chance(0.5) ? 2_000 : 0
  let engine = createSessions(db, clock, flushMs)
  const forgetHeld = () => {
    engine = createSessions(db, clock, flushMs)
  }
  const sessions: Ports['sessions'] = {
    load: (...args) => engine.load(...args),
    init: (...args) => engine.init(...args),
    durable: (...args) => engine.durable(...args),
    commit: (...args) => engine.commit(...args),
    sweep: (...args) => engine.sweep(...args),
  }
  return { stores: { ...stores, sessions }, hot: tablesOf(db, forgetHeld), close: async () => stores.close() }
}

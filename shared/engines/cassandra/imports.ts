import type { types } from 'cassandra-driver'
import type { DayKey, Import, ImportKeys, Imports } from '../../ports/imports.ts'
import { type Database, type Statement, statement } from './database.ts'

/** imports on Cassandra: positions in access logs and keys of their visitors, a partition for each site, only written conditionally. */

const parse = (row: types.Row): Import => JSON.parse(row['doc']) as Import

export const createImports = (db: Database): Imports => ({
  find: async (site, source) => {
    const row = await db.row(statement('SELECT doc FROM import WHERE site = ? AND source = ?', site, source))
    return row && parse(row)
  },
  list: async (site, limit) => {
    const all = (await db.rows(statement('SELECT doc FROM import WHERE site = ?', site))).map(parse)
    return all.sort((a, b) => b.at - a.at || (a.source < b.source ? -1 : 1)).slice(0, limit)
  },
  advance: async (now, was) => {
    const { site, source, next, at } = now
    const doc = JSON.stringify(now)
    const insert = 'INSERT INTO import (site, source, next, at, doc) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS'
    if (was === 1 && (await db.change(statement(insert, site, source, next, at, doc))).applied) return 'done'
    const update = 'UPDATE import SET next = ?, at = ?, doc = ? WHERE site = ? AND source = ? IF next = ?'
    return (await db.change(statement(update, next, at, doc, site, source, was))).applied ? 'done' : 'stale'
  },
})

/** A use is noted when the last one noted is so old: not at every request, each of which would be a conditional write more. */
const usedStepMs = 10 * 60_000

type KeyRow = { day: number; value: Buffer; used: number }

export const createImportKeys = (db: Database): ImportKeys => {
  const rowsOf = async (site: string, days: readonly number[]): Promise<Map<number, KeyRow>> => {
    if (days.length === 0) return new Map()
    const query = 'SELECT day, value, used FROM import_key WHERE site = ? AND day >= ? AND day <= ?'
    const rows = await db.rows(statement(query, site, Math.min(...days), Math.max(...days)))
    const wanted = new Set(days)
    const keys = rows.map((row): KeyRow => ({ day: row['day'], value: row['value'], used: Number(row['used']) }))
    return new Map(keys.filter(({ day }) => wanted.has(day)).map((row) => [row.day, row]))
  }

  const isFresh = ({ used }: KeyRow, now: number): boolean => now - used < usedStepMs

  /** What must be written so that all keys are there and in use at `now`; each part only if the row is still as it was seen. */
  const changes = (site: string, keys: readonly DayKey[], rows: ReadonlyMap<number, KeyRow>, now: number): Statement[] => {
    const first = new Map<number, DayKey>()
    for (const key of keys) if (!first.has(key.day)) first.set(key.day, key)
    return [...first.values()].flatMap(({ day, key }) => {
      const row = rows.get(day)
      if (!row) return [statement('INSERT INTO import_key (site, day, value, used) VALUES (?, ?, ?, ?) IF NOT EXISTS', site, day, key, now)]
      if (isFresh(row, now)) return []
      return [statement('UPDATE import_key SET used = ? WHERE site = ? AND day = ? IF used = ?', now, site, day, row.used)]
    })
  }

  return {
    find: async (site, days) => Array.from((await rowsOf(site, days)).values(), ({ day, value }) => ({ day, key: value })),
    use: async (site, keys, now) => {
      for (;;) {
        const rows = await rowsOf(
          site,
          keys.map(({ day }) => day),
        )
        const list = changes(site, keys, rows, now)
        // Whoever changed one of them meanwhile is seen at the next turn: a key that stands is the same for everybody.
        if (list.length > 0) await db.change(...list)
        else return keys.map(({ day }) => ({ day, key: rows.get(day)!.value }))
      }
    },
    dropUnused: async (before) => {
      const all = await db.rows(statement('SELECT site, day, used FROM import_key'))
      let gone = 0
      for (const row of all) {
        if (Number(row['used']) >= before) continue
        const drop = statement('DELETE FROM import_key WHERE site = ? AND day = ? IF used = ?', row['site'], row['day'], row['used'])
        if ((await db.change(drop)).applied) gone++
      }
      return gone
    },
  }
}

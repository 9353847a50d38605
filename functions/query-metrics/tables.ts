import type { Segments } from '#shared/ports/segments.ts'
import { createCache } from '#shared/query/columns/cache.ts'
import { mergedTable } from '#shared/query/columns/merged.ts'
import { storedTable } from '#shared/query/columns/stored.ts'
import type { Table } from '#shared/query/columns/table.ts'
import type { Range } from '#shared/query/dates.ts'
import { fetchListed } from '#shared/segment/moved.ts'
import { addDays, type Calendar } from '#shared/site/zone.ts'
import { createHot } from './hot.ts'
import type { Pause, Reading } from './reading.ts'

/** The rows of a reading as tables of the column engine, one for each day and partition. */

/** The tables with rows of a range. */
export type TablesOf = (range: Range) => Promise<Table[]>

type Known = {
  reading: Reading
  partitions: readonly number[]
  data: { first: number; last: number } | undefined
  calendar: Calendar
  pause: Pause
}

export const createTables = ({ segments }: { segments: Segments }, cacheBytes: number) => {
  const cache = createCache(cacheBytes)
  const hot = createHot(cache)

  const tableOf = async ({ reading, pause }: Known, partition: number, day: number): Promise<Table | undefined> => {
    const parts = await reading.parts(partition, day)
    const tables = parts.cold.map(({ entry, head }) =>
      storedTable({ name: entry.name, day }, head, fetchListed(segments, partition, entry), cache),
    )
    if (parts.hot.length > 0) tables.push(...(await hot(reading, partition, day, parts.hot, pause)))
    return tables.length > 1 ? mergedTable(tables, cache) : tables[0]
  }

  /** The tables of a reading; a day is looked up once. */
  return (known: Known): TablesOf => {
    const { partitions, data, calendar, pause } = known
    const found = new Map<string, Table | undefined>()
    return async (range) => {
      if (!data || range.from >= range.to) return []
      const first = Math.max(calendar.dayAt(range.from).day, data.first)
      const last = Math.min(calendar.dayAt(range.to - 1).day, data.last)
      const tables: Table[] = []
      for (const partition of partitions) {
        for (let day = first; day <= last; day = addDays(day, 1)) {
          const key = `${partition} ${day}`
          if (!found.has(key)) found.set(key, await tableOf(known, partition, day))
          const table = found.get(key)
          if (table) tables.push(table)
          await pause()
        }
      }
      return tables
    }
  }
}

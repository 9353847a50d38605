import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'
import { createCache } from '#shared/query/columns/cache.ts'
import { mergedTable } from '#shared/query/columns/merged.ts'
import { storedTable } from '#shared/query/columns/stored.ts'
import type { Table } from '#shared/query/columns/table.ts'
import type { Range } from '#shared/query/dates.ts'
import { createOnce } from '#shared/query/once.ts'
import { openListed } from '#shared/segment/moved.ts'
import { addDays, type Calendar } from '#shared/site/zone.ts'
import { createHot } from './hot.ts'
import type { Pause, Reading } from './reading.ts'

/** The rows of a reading as tables of the column engine, one for each day and partition. */

/** The tables with rows of a range. */
export type TablesOf = (range: Range) => Promise<Table[]>

type Known = {
  reading: Reading
  data: { first: number; last: number } | undefined
  calendar: Calendar
}

/** Days and partitions that are looked up at the same time: a store that is far away is asked for several. */
const lotSize = 16

/** A head that is open, by the length it is stored with: names and numbers of columns as objects. */
const openHeads = 10

export const createTables = ({ segments }: { segments: Segments }, cacheBytes: number) => {
  const cache = createCache(cacheBytes)
  const hot = createHot(cache)

  /** A segment that is listed; its head is read once. */
  const segmentOf = async (partition: number, entry: SegmentEntry): Promise<Table> => {
    const { site, day, level, ver, name } = entry
    const key = `segment ${partition} ${site} ${day} ${level} ${ver} ${name}`
    const known = cache.get<Table>(key)
    if (known) return known
    const { head, fetch } = await openListed(segments, partition, entry)
    return cache.put(key, storedTable({ name, day }, head, fetch, cache), openHeads * head.length)
  }

  const tableOf = async (reading: Reading, partition: number, day: number, pause: Pause): Promise<Table | undefined> => {
    const parts = await reading.parts(partition, day)
    const tables = await Promise.all(parts.cold.map((entry) => segmentOf(partition, entry)))
    if (parts.hot.length > 0) tables.push(...(await hot(reading, partition, day, parts.hot, pause)))
    return tables.length > 1 ? mergedTable(tables, cache) : tables[0]
  }

  /** The tables of a reading, for each question that stands on it. A day is looked up once. */
  return ({ reading, data, calendar }: Known): ((pause: Pause) => TablesOf) => {
    const found = new Map<string, Table | undefined>()
    const once = createOnce<Table | undefined>()

    const lookUp = async (partition: number, day: number, pause: Pause): Promise<Table | undefined> => {
      const key = `${partition} ${day}`
      if (found.has(key)) return found.get(key)
      return await once(key, async () => {
        const table = await tableOf(reading, partition, day, pause)
        found.set(key, table)
        return table
      })
    }

    return (pause) => async (range) => {
      if (!data || range.from >= range.to) return []
      const first = Math.max(calendar.dayAt(range.from).day, data.first)
      const last = Math.min(calendar.dayAt(range.to - 1).day, data.last)
      const places: [partition: number, day: number][] = []
      for (const partition of reading.ground.partitions)
        for (let day = first; day <= last; day = addDays(day, 1)) places.push([partition, day])
      const tables: Table[] = []
      for (let at = 0; at < places.length; at += lotSize) {
        const lot = places.slice(at, at + lotSize).map(([partition, day]) => lookUp(partition, day, pause))
        tables.push(...(await Promise.all(lot)).filter((table) => table !== undefined))
        await pause()
      }
      return tables
    }
  }
}

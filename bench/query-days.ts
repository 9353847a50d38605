import { systemClock } from '#shared/clock.ts'
import { createClosedDay, type Stored } from '#shared/rollup/stored.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { Row } from '#shared/segment/row.ts'
import { addDays, calendarOf, utcDay } from '#shared/site/zone.ts'
import { wire } from '#shared/wire.ts'
import { dayRows } from './day-rows.ts'

/**
 * Closed days for questions: the rows of one busy day (day-rows.ts), moved to each day before today. Of the visitors two fifths come
 * every day, the others on one day only. In the store each day is one closed segment, as the product leaves it.
 */
const dayMs = 86_400_000
const baseDay = 20260315
const baseMidnight = Date.UTC(2026, 2, 15)
/** Of ten visitors so many are others on each day. */
const othersOfTen = 6

/** Another visitor, the same for one visitor and day. */
const other = (vis: string, day: number): string => {
  const high = (Number.parseInt(vis.slice(0, 6), 16) ^ Math.imul(day, 0x9e3779b1)) & 0xffffff
  const low = (Number.parseInt(vis.slice(6), 16) ^ Math.imul(day, 0x85ebca6b)) & 0xffffff
  return high.toString(16).padStart(6, '0') + low.toString(16).padStart(6, '0')
}

const moved = (row: Row, day: number, by: number): Row => {
  const vis = Number.parseInt(row.vis.slice(-4), 16) % 10 < othersOfTen ? other(row.vis, day) : row.vis
  const { start, last, entryT, exitT } = row.s
  const s = { ...row.s, id: `${day}-${row.s.id}`, start: start + by, last: last + by, days: [[day, vis]] as [number, string][] }
  if (entryT !== undefined) s.entryT = entryT + by
  if (exitT !== undefined) s.exitT = exitT + by
  // One event offset for all: the log of this folder has no more.
  return { ...row, off: 0, vis, s, h: row.h.map((hit) => ({ ...hit, t: hit.t + by })) }
}

/** Rows of visits that lie on the base day alone. */
const baseRows = (visits: number): Row[] =>
  mergeRows(dayRows(visits).parts.flat()).filter(({ s }) => s.days.length === 1 && s.days[0]![0] === baseDay)

/** The days before today, the oldest first; each day's rows as they are asked for. */
export function* queryDays(visits: number, days: number): Generator<{ day: number; rows: Row[] }, void, void> {
  const base = baseRows(visits)
  const today = utcDay(Date.now())
  for (let n = days; n > 0; n--) {
    const day = addDays(today, -n)
    const by = Date.UTC(Math.floor(day / 10_000), (Math.floor(day / 100) % 100) - 1, day % 100) - baseMidnight
    yield { day, rows: mergeRows(base.map((row) => moved(row, day, by))) }
  }
}

const utc = calendarOf([{ tz: 'UTC', from: 0 }])

/** A segment as the product makes it when a day is closed. */
const closedDay = async (site: string, day: number, rows: readonly Row[]): Promise<Stored> => {
  const closing = createClosedDay({ site, day, from: 0, to: 1 }, { day, bounce: 'engaged', calendar: utc })
  closing.add(rows)
  const steps = closing.done()
  for (;;) {
    const { done, value } = await steps.next()
    if (done) return value
  }
}

/** Bytes of the chunks whose columns begin so. */
const bytesOf = (chunks: Stored['chunks'], begin: string): number =>
  chunks.reduce((sum, { column, data }) => sum + (column.startsWith(begin) ? data.length : 0), 0)

/** Puts closed days into a folder that no server holds and whose log has one event at least. Answers the bytes of all segments, and those of their cells and edge rows. */
export const storeDay = async (
  folder: string,
  site: string,
  { day, rows }: { day: number; rows: Row[] },
): Promise<{ bytes: number; cells: number; edge: number }> => {
  const stores = await wire(folder, 'all', systemClock)
  try {
    const { entry, head, chunks } = await closedDay(site, day, rows)
    await stores.segments.put(0, { ...entry, level: 1, ver: 0, at: Date.now() }, head, chunks)
    return { bytes: entry.bytes, cells: bytesOf(chunks, 'c.'), edge: bytesOf(chunks, 'e.') }
  } finally {
    await stores.close()
  }
}

export { dayMs }

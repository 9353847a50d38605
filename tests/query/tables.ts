import { noCache } from '#shared/query/columns/cache.ts'
import { type CountRows, countCells } from '#shared/query/columns/cells.ts'
import { countRows, countUnits } from '#shared/query/columns/engine.ts'
import { mergedTable } from '#shared/query/columns/merged.ts'
import { countedOf } from '#shared/query/columns/sample.ts'
import { addUp, isShared, sharesOf } from '#shared/query/columns/shares.ts'
import { storedTable } from '#shared/query/columns/stored.ts'
import type { Table } from '#shared/query/columns/table.ts'
import { type Sizes, unitsFor } from '#shared/query/columns/units.ts'
import type { Count, Counted, CountPlan } from '#shared/query/counting.ts'
import { countsOf, countsText, planOf, planText } from '#shared/query/plan-text.ts'
import { decodeRows } from '#shared/rollup/block.ts'
import { createClosedDay } from '#shared/rollup/stored.ts'
import { encodeSegment } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { Block, SegmentRow } from '#shared/segment/row.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { chunkReader } from '../segment/rows.ts'

/** Rows as tables: what the reference engine reads as rows, the column engine reads as segments. */

const never = Number.MAX_SAFE_INTEGER

export const tableOfRows = (day: number, rows: readonly SegmentRow[], name = `${day}`): Table => {
  const { head, chunks } = encodeSegment(mergeRows(rows), { from: 0, to: never })
  const read = chunkReader(chunks)
  return storedTable({ name, day }, head, async (names) => names.map(({ column, group }) => read(column, group)), noCache)
}

/** A day in so many intervals. */
export const tableOf = (day: number, blocks: readonly Block[], intervals: number): Table => {
  const size = Math.ceil(blocks.length / intervals)
  const parts: Table[] = []
  for (let from = 0; from < blocks.length; from += size)
    parts.push(tableOfRows(day, blocks.slice(from, from + size).flatMap(decodeRows), `${day} ${from}`))
  return parts.length === 1 ? parts[0]! : mergedTable(parts, noCache)
}

/** What rows alone answer, in one piece. */
export const countTables = async (tables: readonly Table[], plan: CountPlan): Promise<Counted> => countedOf(await countRows(tables, plan))

/** How a question is cut up: what is counted at a time, and among how many it is shared out. */
export type Cut = { sizes?: Sizes; shares?: number }

/** Rows are counted cut up. Shares are told their plan and tell what they count as text. */
const countCut =
  ({ zones }: Pick<SiteConfig, 'zones'>, { sizes, shares = 1 }: Cut): CountRows =>
  async (tables, plan) => {
    if (shares === 1 || !isShared(plan)) return await countRows(tables, plan, sizes)
    const { units, sampled } = unitsFor(tables, plan.mostVisits, sizes?.unit)
    const text = planText(plan, zones)
    const counts = sharesOf(units, shares).map((share) => countUnits(tables, planOf(text, plan), share, sizes))
    return { ...addUp((await Promise.all(counts)).map((one) => countsOf(countsText(one)))), sampled }
  }

/** A day that was closed: one interval, with cells however small it is. */
export const closedTable = async (
  site: Pick<SiteConfig, 'site' | 'zones' | 'bounce'>,
  day: number,
  rows: readonly SegmentRow[],
  name = `${day}`,
): Promise<Table> => {
  const closing = createClosedDay({ site: site.site, day, from: 0, to: never }, { ...site, day, calendar: calendarOf(site.zones) }, 0)
  closing.add(mergeRows(rows))
  const { head, chunks } = await finished(closing.done())
  const read = chunkReader(chunks)
  return storedTable({ name, day }, head, async (names) => names.map(({ column, group }) => read(column, group)), noCache)
}

/** What steps come to that wait for each other. */
export const finished = async <T>(steps: AsyncGenerator<void, T, void>): Promise<T> => {
  for (;;) {
    const { done, value } = await steps.next()
    if (done) return value
  }
}

/** How a site's days lie in the store: each in so many intervals, each closed, or every other one. */
export const layouts = [1, 2, 5, 'closed', 'some closed'] as const
export type Layout = (typeof layouts)[number]

/** The days of a site as tables. */
export const tablesOf = async (site: SiteConfig, blocks: ReadonlyMap<number, readonly Block[]>, layout: Layout): Promise<Table[]> => {
  const days = [...blocks].sort(([a], [b]) => a - b)
  const tables: Table[] = []
  for (const [n, [day, own]] of days.entries()) {
    const isClosed = layout === 'closed' || (layout === 'some closed' && n % 2 === 0)
    tables.push(
      isClosed ? await closedTable(site, day, own.flatMap(decodeRows)) : tableOf(day, own, typeof layout === 'number' ? layout : 2),
    )
  }
  return tables
}

/** Questions that were answered from cells, and from rows though there were cells. */
export const answeredFrom = { cells: 0, rows: 0 }

/** The column engine over tables of days, as the product asks it, however the question is cut up. */
export const countDays =
  (tables: readonly Table[], site: Pick<SiteConfig, 'zones'>, cut: Cut = {}): Count =>
  async (plan) => {
    const calendar = calendarOf(site.zones)
    const asked = tables.filter(({ day }) => {
      const { start, end } = calendar.span(day)
      return end > plan.range.from && start < plan.range.to
    })
    const count = countCut(site, cut)
    const counted = await countCells(asked, plan, count)
    if (asked.some(({ cells }) => cells)) answeredFrom[counted ? 'cells' : 'rows']++
    return counted ?? countedOf(await count(asked, plan, []))
  }

import { noCache } from '#shared/query/columns/cache.ts'
import { countTables } from '#shared/query/columns/engine.ts'
import { mergedTable } from '#shared/query/columns/merged.ts'
import { storedTable } from '#shared/query/columns/stored.ts'
import type { Table } from '#shared/query/columns/table.ts'
import type { Count } from '#shared/query/counting.ts'
import { decodeRows } from '#shared/rollup/block.ts'
import { encodeSegment } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { Block, SegmentRow } from '#shared/segment/row.ts'
import type { Calendar } from '#shared/site/zone.ts'
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

/** The column engine over tables of days. */
export const countDays =
  (tables: readonly Table[], calendar: Calendar): Count =>
  (plan) =>
    countTables(
      tables.filter(({ day }) => {
        const { start, end } = calendar.span(day)
        return end > plan.range.from && start < plan.range.to
      }),
      plan,
    )

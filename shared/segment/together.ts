import { mergeRows } from './merge.ts'
import type { SegmentRow } from './row.ts'

/**
 * Several sorted intervals of a day as one, in order: visitor by visitor, so that a day of a million visits is never in memory as rows.
 */

type Source = { rows: Iterator<SegmentRow>; row: SegmentRow }

const opened = (rows: Iterable<SegmentRow>): Source[] => {
  const iterator = rows[Symbol.iterator]()
  const { value, done } = iterator.next()
  return done ? [] : [{ rows: iterator, row: value }]
}

/** Takes the rows of one visitor; false at the end of the source. */
const takeVisitor = (source: Source, vis: string, into: SegmentRow[]): boolean => {
  while (source.row.vis === vis) {
    into.push(source.row)
    const { value, done } = source.rows.next()
    if (done) return false
    source.row = value
  }
  return true
}

const firstVisitor = (sources: readonly Source[]): string => {
  let first = sources[0]!.row.vis
  for (const { row } of sources) if (row.vis < first) first = row.vis
  return first
}

/** The rows that stand, of intervals in their order, each merged and sorted. */
export function* mergeSorted(intervals: readonly Iterable<SegmentRow>[]): Generator<SegmentRow, void, void> {
  let sources = intervals.flatMap(opened)
  while (sources.length > 0) {
    const vis = firstVisitor(sources)
    const rows: SegmentRow[] = []
    const ended = new Set(sources.filter((source) => !takeVisitor(source, vis, rows)))
    if (ended.size > 0) sources = sources.filter((source) => !ended.has(source))
    yield* mergeRows(rows)
  }
}

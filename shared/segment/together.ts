import { mergeRows } from './merge.ts'
import type { SegmentRow } from './row.ts'

/**
 * Several sorted intervals of a day as one, in order: visitor by visitor, so that a day of a million visits is never in memory as rows.
 * An interval comes a row group at a time; a visitor's rows of it all lie in one group.
 */

/** Rows are handed on so many at a time, so that others have their turn in between. */
const sliceRows = 250

type Groups = AsyncIterable<Iterable<SegmentRow>>
type Source = { groups: AsyncIterator<Iterable<SegmentRow>>; rows: Iterator<SegmentRow>; row: SegmentRow }

/** The first row of the next group that has one; `undefined` at the end of the interval. */
const nextGroup = async (groups: Source['groups']): Promise<Source | undefined> => {
  for (;;) {
    const group = await groups.next()
    if (group.done) return undefined
    const rows = group.value[Symbol.iterator]()
    const { value, done } = rows.next()
    if (!done) return { groups, rows, row: value }
  }
}

/** Takes the rows of one visitor; false at the end of the group. */
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

/** Sources whose group has ended, with their next one; those at their end are gone. */
const renewed = async (sources: readonly Source[], ended: ReadonlySet<Source>): Promise<Source[]> => {
  const all: Source[] = []
  for (const source of sources) {
    const next = ended.has(source) ? await nextGroup(source.groups) : source
    if (next) all.push(next)
  }
  return all
}

/** The rows that stand, of intervals in their order, each merged and sorted; some at a time. */
export async function* mergeSorted(intervals: readonly Groups[]): AsyncGenerator<SegmentRow[], void, void> {
  let sources: Source[] = []
  for (const interval of intervals) {
    const source = await nextGroup(interval[Symbol.asyncIterator]())
    if (source) sources.push(source)
    yield [] // a group was decoded, which takes tens of milliseconds
  }
  let slice: SegmentRow[] = []
  while (sources.length > 0) {
    const vis = firstVisitor(sources)
    const rows: SegmentRow[] = []
    const ended = new Set(sources.filter((source) => !takeVisitor(source, vis, rows)))
    if (ended.size > 0) sources = await renewed(sources, ended)
    for (const row of mergeRows(rows)) slice.push(row)
    if (slice.length < sliceRows && ended.size === 0) continue
    yield slice
    slice = []
  }
  yield slice
}

import type { SegmentRow } from './row.ts'

/**
 * Rows of one site and day that were written one after the other, as the rows that stand. It means what query/merge.ts means: of a
 * session the row with the newest event offset stands (of equals the later one), hits of all its rows add up.
 */

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The order of a segment: by visitor, so that what asks about people reads each of them at once. Hashes are of equal length. */
export const inOrder = (a: SegmentRow, b: SegmentRow): number => compare(a.vis, b.vis) || a.s.start - b.s.start || compare(a.s.id, b.s.id)

/** Hits in time order; of the same instant the one that came first. */
const inTime = <H extends { t: number }>(hits: H[]): H[] => {
  for (let i = 1; i < hits.length; i++) if (hits[i]!.t < hits[i - 1]!.t) return hits.sort((a, b) => a.t - b.t)
  return hits
}

type Held<R extends SegmentRow> = { row: R; h: SegmentRow['h'] }

/**
 * Merges rows of one site and day, those of earlier intervals first. The order of different sessions does not matter, nor how the
 * rows are split: `merge(merge(a) + merge(b)) = merge(a + b)`. What it is given stays as it is.
 */
export const mergeRows = <R extends SegmentRow>(rows: Iterable<R>): R[] => {
  const held = new Map<string, Held<R>>()
  for (const row of rows) {
    const one = held.get(row.s.id)
    if (!one) {
      held.set(row.s.id, { row, h: [...row.h] })
      continue
    }
    for (const hit of row.h) one.h.push(hit)
    if (row.off >= one.row.off) one.row = row
  }
  return Array.from(held.values(), ({ row, h }): R => ({ ...row, h: inTime(h) })).sort(inOrder)
}

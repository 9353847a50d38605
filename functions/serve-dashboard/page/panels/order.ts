import type { Row } from '../state/api.ts'

/** Orders of rows in the details. The API orders by values; by their change they are ordered here. */

/** A column, or the change of one; largest first, or smallest. */
export type Order = { metric: string; of: 'value' | 'change'; direction: 'desc' | 'asc' }

/** Rows in the order of the change of one metric; those without one come last, whichever way. */
export const byChange = (rows: readonly Row[], at: number, direction: 'desc' | 'asc'): Row[] => {
  const sign = direction === 'desc' ? -1 : 1
  const of = (row: Row) => row.comparison?.change[at] ?? null
  return [...rows].sort((a, b) => {
    const [x, y] = [of(a), of(b)]
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1
    return sign * (x - y)
  })
}

import { firstFrom, type NumberColumn, type Rows, type TextColumn } from './table.ts'

/** Columns of the same rows that were loaded one after the other. */
export const joinRows = (one: Rows, other: Rows): Rows => ({
  ...other,
  text: (column) => other.text(column) ?? one.text(column),
  number: (column) => other.number(column) ?? one.number(column),
})

/** The rows of the visitors `[from, to)`, as views of what is there. */
export const sliceOf = (rows: Rows, from: number, to: number): Rows => {
  const [first, end] = [firstFrom(rows.visitors, from), firstFrom(rows.visitors, to)]
  if (first === 0 && end === rows.rows) return rows
  const [firstHit, endHit] = [rows.firstHit[first] ?? 0, rows.firstHit[end] ?? 0]
  const cut = <A extends { subarray(from: number, to: number): A }>(column: string, values: A): A =>
    column.startsWith('s.') ? values.subarray(first, end) : values.subarray(firstHit, endHit)
  return {
    rows: end - first,
    hits: endHit - firstHit,
    visitors: rows.visitors.subarray(first, end),
    firstHit: rows.firstHit.subarray(first, end + 1).map((hit) => hit - firstHit),
    text(column): TextColumn | undefined {
      const found = rows.text(column)
      return found && { ...found, codes: cut<TextColumn['codes']>(column, found.codes) }
    },
    number(column): NumberColumn | undefined {
      const found = rows.number(column)
      return found && { ...found, values: cut<NumberColumn['values']>(column, found.values) }
    },
  }
}

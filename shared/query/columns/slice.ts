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
    firstHit: movedBack(rows.firstHit.subarray(first, end + 1), firstHit),
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

/** A loop: `map` takes four times as long, and every question over many days slices all its rows. */
const movedBack = (edges: Uint32Array, by: number): Uint32Array => {
  const moved = new Uint32Array(edges.length)
  for (let i = 0; i < moved.length; i++) moved[i] = edges[i]! - by
  return moved
}

/**
 * The rows that a mask lets pass, `count` of them, as copies: where few pass, what is asked of them next lies together in memory. Columns
 * are copied when they are asked for, without a branch in the loop, so that the processor waits for many values at once.
 */
export const passingOf = (rows: Rows, mask: Uint8Array, count: number): Rows => {
  const rowAt = new Uint32Array(count + 1)
  for (let row = 0, n = 0; n < count; row++) {
    rowAt[n] = row
    n += mask[row]!
  }
  const index = rowAt.subarray(0, count)
  const { firstHit, hitAt } = hitsOf(rows, index)
  const pick = (column: string): Uint32Array => (column.startsWith('s.') ? index : hitAt)
  return {
    rows: count,
    hits: hitAt.length,
    visitors: picked(rows.visitors, index),
    firstHit,
    text(column): TextColumn | undefined {
      const found = rows.text(column)
      return found && { ...found, codes: picked<TextColumn['codes']>(found.codes, pick(column)) }
    },
    number(column): NumberColumn | undefined {
      const found = rows.number(column)
      return found && { ...found, values: picked<NumberColumn['values']>(found.values, pick(column)) }
    },
  }
}

/** Where the hits of some rows lie, and where those of each begin among them. */
const hitsOf = ({ firstHit }: Rows, index: Uint32Array): { firstHit: Uint32Array; hitAt: Uint32Array } => {
  if (firstHit.length === 0) return { firstHit, hitAt: new Uint32Array(0) }
  const edges = new Uint32Array(index.length + 1)
  for (let i = 0; i < index.length; i++) edges[i + 1] = edges[i]! + firstHit[index[i]! + 1]! - firstHit[index[i]!]!
  const hitAt = new Uint32Array(edges[index.length]!)
  for (let i = 0; i < index.length; i++) {
    const by = firstHit[index[i]!]! - edges[i]!
    const end = edges[i + 1]!
    for (let hit = edges[i]!; hit < end; hit++) hitAt[hit] = hit + by
  }
  return { firstHit: edges, hitAt }
}

type Sliced<A> = { [i: number]: number; slice(from: number, to: number): A }
const picked = <A extends Sliced<A>>(values: A, index: Uint32Array): A => {
  const made = values.slice(0, index.length)
  for (let i = 0; i < index.length; i++) made[i] = values[index[i]!]!
  return made
}

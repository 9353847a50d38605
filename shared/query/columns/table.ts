import type { Props } from '../../hit/record.ts'
import type { CellCount, CellRevenue } from '../../segment/cells.ts'
import type { CellsHead } from '../../segment/head.ts'
import type { Numbers } from '../../segment/planes.ts'

/**
 * The rows of one day and partition as the column engine reads them: a stored segment (stored.ts), or several of them that are one day
 * together (merged.ts). Rows are sorted by visitor; columns have the names of docs/segments.md, but for three that are not stored so:
 * `h.t`, the time of a hit; `h.props.KEY`, the value of a property as text; and hits lie behind their rows by `firstHit`.
 */

/** Texts by code; 0 = absent, and its text is ''. Several codes may have one text. */
export type TextColumn = { codes: Uint8Array | Uint16Array | Uint32Array; texts: readonly string[] }
/** The i-th value is `values[i] + base`; it is absent where the column is `nullable` and `values[i]` is 0. */
export type NumberColumn = { values: Numbers; base: number; nullable: boolean }

/** Columns of some rows. One that is absent in all of them is `undefined`. */
export type Rows = {
  rows: number
  hits: number
  /** Hash of the visitor of each row, ascending. */
  visitors: Float64Array
  /** Index of the first hit of each row, and behind the last row the number of hits. Empty where no column of hits was asked for. */
  firstHit: Uint32Array
  text(column: string): TextColumn | undefined
  number(column: string): NumberColumn | undefined
}

/** What names a row's visit, and the day and visitor it began with. */
export type Identity = { id: string; off: number; day: number; vis: string }

export type Table = {
  /** Names what it holds: tables of one name are equal. */
  name: string
  day: number
  rows: number
  /** Row groups, in the order of visitors. */
  groups: readonly { rows: number; from: number; to: number }[]
  /** What a column holds; `undefined` where it is absent in all rows. */
  kindOf(column: string): 'text' | 'number' | undefined
  /** The texts behind a column's codes; none where the column is absent. */
  texts(column: string): Promise<readonly string[]>
  load(group: number, columns: readonly string[]): Promise<Rows>
  /** What `load` brings into memory, in bytes: an upper bound. */
  bytesOf(group: number, columns: readonly string[]): number
  /** Of rows given by their index in the group. */
  identities(group: number, rows: readonly number[]): Promise<Identity[]>
  /** The same one by one, for who asks about many rows some at a time. */
  identityOf(group: number): Promise<(row: number) => Identity>
  /** The properties of a hit of the group, by key; none where it has none. */
  propsOf(group: number): Promise<(hit: number) => [string, Props[string]][]>
  /** Sums of a closed day, where they were kept. */
  cells: TableCells | undefined
}

/** Sums of a closed day (sums.ts), and the rows that are in none of them. They hold for a day from `from` to `to` in `zone`. */
export type TableCells = Pick<CellsHead, 'bounce' | 'zone' | 'from' | 'to'> & {
  /** Whether these counts of a dimension are kept, and revenue if that is asked for. */
  has(dimension: string, counts: readonly CellCount[], withRevenue: boolean): boolean
  /** Some counts of each value of a dimension that it has. */
  load(dimension: string, counts: readonly CellCount[], withRevenue: boolean): Promise<LoadedCells>
  /** `undefined` where all rows are in cells. */
  edge(): Promise<Table | undefined>
}
export type LoadedCells = {
  codes: Uint32Array
  counts: readonly (readonly [CellCount, Float64Array])[]
  revenue: readonly CellRevenue[]
}

export const timeColumn = 'h.t'
const propPrefix = 'h.props.'
export const propColumnOf = (key: string): string => propPrefix + key
/** The key of a property's column; `undefined` for every other column. */
export const propKeyOf = (column: string): string | undefined =>
  column.startsWith(propPrefix) ? column.slice(propPrefix.length) : undefined

/** A value of a number column; `undefined` where it is absent. */
export const valueAt = (column: NumberColumn | undefined, i: number): number | undefined =>
  column === undefined || (column.nullable && column.values[i] === 0) ? undefined : column.values[i]! + column.base

/** The text of a row or hit; '' where it is absent. */
export const textAt = (column: TextColumn | undefined, i: number): string => (column === undefined ? '' : column.texts[column.codes[i]!]!)

/** The text of a row or hit; `undefined` where it is absent. */
export const optionalText = (column: TextColumn | undefined, i: number): string | undefined =>
  column === undefined || column.codes[i] === 0 ? undefined : column.texts[column.codes[i]!]!

/** The first of sorted values that is not below `least`. */
export const firstFrom = (sorted: ArrayLike<number>, least: number): number => {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (sorted[middle]! < least) from = middle + 1
    else to = middle
  }
  return from
}

import type { CountPlan } from '../counting.ts'
import type { Table } from './table.ts'

/** A range of visitor hashes, counted over all days before the next one begins. */
export type Unit = { from: number; to: number }

/** Units that lie beside each other, and the range of all visitors that are counted. */
export type Share = { units: readonly Unit[]; of: Unit }

export const spanOf = (units: readonly Unit[]): Unit => ({ from: units[0]!.from, to: units.at(-1)!.to })

/**
 * A unit has about `unit` rows, so that what is loaded for it stays small; there are at most as many units as a segment has row groups. Within
 * one, `range` rows that pass are counted before the next visitors: what tells these apart stays in the processor's cache.
 */
export type Sizes = { unit: number; range: number }
export const usualSizes: Sizes = { unit: 1_000_000, range: 8_192 }
const mostUnits = 16
const hashes = 2 ** 48

/**
 * The units of a question, and the share of all visitors that they hold: of more rows than `mostRows` the first half, quarter, … of the
 * hashes. Hashes fall evenly, so that is a fair sample of visitors, the same one each time.
 */
export const unitsFor = (tables: readonly Table[], mostRows: number, unitRows = usualSizes.unit): { units: Unit[]; sampled: number } => {
  const all = tables.reduce((sum, table) => sum + table.rows, 0)
  let sampled = 1
  while (all * sampled > mostRows && sampled > leastSample) sampled /= 2
  let units = 1
  while (units < mostUnits && all * sampled > units * unitRows) units *= 2
  const size = (hashes * sampled) / units
  return { sampled, units: Array.from({ length: units }, (_, unit) => ({ from: unit * size, to: (unit + 1) * size })) }
}

/** Less would be noise. */
const leastSample = 2 ** -16

/** Row groups of a table that have visitors of a unit. */
export const groupsIn = (table: Table, unit: Unit): number[] =>
  table.groups.flatMap(({ rows, from, to }, group) => (rows > 0 && from < unit.to && to > unit.from ? [group] : []))

/** Whether a day lies in the range as a whole: then no hit is asked when it was. */
export const isWhole = ({ day }: Table, { range, calendar }: Pick<CountPlan, 'range' | 'calendar'>): boolean => {
  const { start, end } = calendar.span(day)
  return start >= range.from && end <= range.to
}

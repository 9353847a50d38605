import type { CountPlan } from '../counting.ts'
import type { Table } from './table.ts'

/** A range of visitor hashes, counted over all days before the next one begins. */
export type Unit = { from: number; to: number }

/** A unit has about so many rows, so that its sets stay small; there are at most as many units as a segment has row groups. */
const unitRows = 1_000_000
const mostUnits = 16
const hashes = 2 ** 48

export const unitsFor = (tables: readonly Table[]): Unit[] => {
  const rows = tables.reduce((sum, table) => sum + table.rows, 0)
  let units = 1
  while (units < mostUnits && rows > units * unitRows) units *= 2
  return Array.from({ length: units }, (_, unit) => ({ from: (unit * hashes) / units, to: ((unit + 1) * hashes) / units }))
}

/** Row groups of a table that have visitors of a unit. */
export const groupsIn = (table: Table, unit: Unit): number[] =>
  table.groups.flatMap(({ rows, from, to }, group) => (rows > 0 && from < unit.to && to > unit.from ? [group] : []))

/** Whether a day lies in the range as a whole: then no hit is asked when it was. */
export const isWhole = ({ day }: Table, { range, calendar }: Pick<CountPlan, 'range' | 'calendar'>): boolean => {
  const { start, end } = calendar.span(day)
  return start >= range.from && end <= range.to
}

import type { Calendar } from '../../site/zone.ts'
import { type Buckets, isTimeDimension } from '../buckets.ts'
import type { CountPlan } from '../counting.ts'
import { goalDimension } from '../fold.ts'
import { dimensionOf } from './dimension.ts'
import { type Rows, type Table, timeColumn, valueAt } from './table.ts'
import type { Tally, ValueIds } from './tally.ts'

/** Which group a row or a hit belongs to. */

/** `goal`: id of the goal's name, where goals are a dimension. */
export type GroupOf = (row: number, hit: number, goal: number) => number

/** The time bucket that all hits of a table's day lie in; `undefined` where they may lie in several. */
export const bucketOfDay = ({ day }: Table, { buckets, calendar, range }: CountPlan): number | undefined => {
  if (!buckets) return undefined
  const { start, end } = calendar.span(day)
  const first = buckets.at(Math.max(start, range.from))
  // Buckets are in order: where the first and the last instant lie in one, all do.
  return first === buckets.at(Math.min(end, range.to) - 1) ? first : undefined
}

/** How the rows and hits of a table find their groups. */
export const groupReader = (rows: Rows, table: Table, plan: CountPlan, tally: Tally): GroupOf => {
  const readerOf = (name: string, i: number): GroupOf => {
    if (isTimeDimension(name)) return bucketReader(rows, table, plan)
    return name === goalDimension ? (_row, _hit, goal) => goal : idReader(name, tally.ids[i]!, rows, plan.calendar)
  }
  const readers = plan.dimensions.map(readerOf)
  const of: number[] = []
  if (readers.length === 0) {
    const whole = tally.groupOf(of)
    return () => whole
  }
  if (readers.length === 1) {
    const [read] = readers as [GroupOf]
    return (row, hit, goal) => tally.groupOfOne(read(row, hit, goal))
  }
  return (row, hit, goal) => {
    for (let i = 0; i < readers.length; i++) of[i] = readers[i]!(row, hit, goal)
    return tally.groupOf(of)
  }
}

const idReader = (name: string, ids: ValueIds, rows: Rows, calendar: Calendar): GroupOf => {
  const dimension = dimensionOf(name)
  const { codes, texts } = dimension.read(rows, calendar)
  const map = ids.mapOf(texts)
  const resolve = (code: number): number => {
    const id = ids.idOf(texts[code]!)
    map[code] = id + 1
    return id
  }
  if (dimension.level === 'visit')
    return (row) => {
      const id = map[codes[row]!]!
      return id > 0 ? id - 1 : resolve(codes[row]!)
    }
  return (_row, hit) => {
    const id = map[codes[hit]!]!
    return id > 0 ? id - 1 : resolve(codes[hit]!)
  }
}

const bucketReader = (rows: Rows, table: Table, plan: CountPlan): GroupOf => {
  const one = bucketOfDay(table, plan)
  if (one !== undefined) return () => one
  const times = rows.number(timeColumn)
  const at = bucketsOfDay(table, plan)
  return (_row, hit) => at(valueAt(times, hit)!)
}

/** Clocks change and hours begin at quarters of hours (only minutes do not). */
const slotMs = 900_000
const several = -1

/** Time buckets of one day: nearly every quarter of an hour lies in one. */
const bucketsOfDay = ({ day }: Table, { buckets, calendar }: CountPlan): Buckets['at'] => {
  const { start, end } = calendar.span(day)
  const at = buckets!.at
  const slots = Int32Array.from({ length: Math.ceil((end - start) / slotMs) }, (_, slot) => {
    const from = start + slot * slotMs
    const bucket = at(from)
    return at(from + slotMs - 1) === bucket ? bucket : several
  })
  return (t) => {
    const bucket = slots[Math.floor((t - start) / slotMs)] ?? several
    return bucket === several ? at(t) : bucket
  }
}

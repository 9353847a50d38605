import { hashOf } from '../../segment/groups.ts'
import type { CountPlan } from '../counting.ts'
import type { Visit } from '../merge.ts'
import { planColumns } from '../reference.ts'
import { kindReader } from './count.ts'
import { hitsOf, type Masks } from './masks.ts'
import { createPlaces, type Places } from './numbers.ts'
import { createSeveral, daysColumn, severalRows } from './several.ts'
import { sliceOf } from './slice.ts'
import { type Rows, type Table, timeColumn, valueAt } from './table.ts'
import { groupsIn, isWhole, type Unit } from './units.ts'

/** What is found out of the rows before they are counted: visits on several days, who did what, who is new. */

const engagement = 2
const flagColumn = 's.bot'

/** Visits that have rows on several of the days that are read. */
export const severalOf = async (tables: readonly Table[], plan: CountPlan): Promise<Visit[]> => {
  const several = createSeveral(planColumns(plan), plan.range, plan.calendar)
  for (const whole of tables) {
    // Of a closed day they are among its edge rows, which are few.
    const table = whole.cells ? await whole.cells.edge() : whole
    if (!table) continue
    for (const [group, { rows }] of table.groups.entries()) {
      if (rows === 0) continue
      const found = severalRows(await table.load(group, [daysColumn]))
      if (found.length > 0) await several.take(table, group, found)
      await plan.pause()
    }
  }
  return several.visits()
}

/** What a pass reads of a plan. */
export type PassPlan = Pick<CountPlan, 'range' | 'calendar' | 'bots' | 'room' | 'pause'>

/** Leaves out of a mask of rows the visits on several days, and flagged ones. Answers how many rows are left. */
export const leaveOut = (rows: Rows, mask: Uint8Array, bots: boolean): number => {
  if (!bots) {
    const flags = rows.text(flagColumn)
    if (flags) for (let row = 0; row < mask.length; row++) if (flags.texts[flags.codes[row]!] !== '') mask[row] = 0
  }
  for (const row of severalRows(rows)) mask[row] = 0
  let left = 0
  for (let row = 0; row < mask.length; row++) left += mask[row]!
  return left
}

/** Leaves out of a mask of hits (`undefined` = all pass) those that lie beside the range. */
export const inRange = (rows: Rows, table: Table, mask: Uint8Array | undefined, plan: PassPlan): Uint8Array | undefined => {
  if (isWhole(table, plan)) return mask
  const own = mask ?? new Uint8Array(rows.hits).fill(1)
  const { from, to } = plan.range
  const times = rows.number(timeColumn)
  for (let hit = 0; hit < own.length; hit++) {
    const time = valueAt(times, hit)!
    if (time < from || time >= to) own[hit] = 0
  }
  return own
}

/** Columns that every pass over rows needs. */
export const commonColumns = [flagColumn, daysColumn] as const

/** What a `has_done` asks; of engagement updates only those that pass `updates` count. */
export type Done = { of: Masks; updates: Masks | undefined }

/** Visitors of a unit of whom a hit that is counted passes each filter. `also`: those of visits on several days who do. */
export const didIn = async (
  tables: readonly Table[],
  unit: Unit,
  filters: readonly Done[],
  plan: PassPlan,
  also: readonly ReadonlySet<string>[],
): Promise<Places[]> => {
  const did: Places[] = []
  for (const [i, done] of filters.entries()) {
    const places = createPlaces(plan.room)
    did.push(places)
    for (const vis of also[i] ?? []) if (isIn(vis, unit)) places.placeOf(hashOf(vis))
    for (const table of tables) {
      if (!(await done.of.prepare(table, plan.pause))) continue
      await done.updates?.prepare(table, plan.pause)
      for (const group of groupsIn(table, unit)) {
        const columns = [
          'h.n',
          ...commonColumns,
          ...done.of.columns,
          ...(done.updates?.columns ?? []),
          ...(isWhole(table, plan) ? [] : [timeColumn]),
        ]
        noteDoers(sliceOf(await table.load(group, columns), unit.from, unit.to), table, done, plan, places)
        await plan.pause()
      }
    }
  }
  return did
}

export const isIn = (vis: string, { from, to }: Unit): boolean => {
  const hash = hashOf(vis)
  return hash >= from && hash < to
}

const noteDoers = (rows: Rows, table: Table, { of, updates }: Done, plan: PassPlan, did: Places): void => {
  const rowMask = new Uint8Array(rows.rows).fill(1)
  if (leaveOut(rows, rowMask, plan.bots) === 0) return
  const passing = inRange(rows, table, hitsOf(of, rows, []), plan)!
  const counting = updates && hitsOf(updates, rows, [])
  const kindOf = kindReader(rows)
  for (let row = 0; row < rows.rows; row++) {
    if (rowMask[row] === 0) continue
    for (let hit = rows.firstHit[row]!; hit < rows.firstHit[row + 1]!; hit++) {
      if (passing[hit] === 0 || (kindOf(hit) === engagement && counting?.[hit] !== 1)) continue
      did.placeOf(rows.visitors[row]!)
      break
    }
  }
}

/** On which days each new visitor of a unit was new. `also`: those of visits on several days. */
export const newIn = async (
  tables: readonly Table[],
  unit: Unit,
  plan: CountPlan,
  also: ReadonlyMap<string, number[]>,
): Promise<Map<number, number[]>> => {
  const days = new Map<number, number[]>()
  const note = (vis: number, day: number): void => {
    const known = days.get(vis)
    if (known) known.push(day)
    else days.set(vis, [day])
  }
  for (const [vis, list] of also) if (isIn(vis, unit)) for (const day of list) note(hashOf(vis), day)
  for (const table of tables) {
    if (table.kindOf('s.new') === undefined) continue
    for (const group of groupsIn(table, unit)) {
      const rows = sliceOf(await table.load(group, [...commonColumns, 's.new']), unit.from, unit.to)
      const mask = new Uint8Array(rows.rows).fill(1)
      leaveOut(rows, mask, plan.bots)
      const isNew = rows.number('s.new')
      for (let row = 0; row < rows.rows; row++) if (mask[row] === 1 && valueAt(isNew, row) === 1) note(rows.visitors[row]!, table.day)
      await plan.pause()
    }
  }
  return days
}

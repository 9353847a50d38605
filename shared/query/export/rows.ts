import { kindReader } from '../columns/count.ts'
import { createMasks, hitsOf, isOfVisits, type Masks } from '../columns/masks.ts'
import type { Places } from '../columns/numbers.ts'
import { commonColumns, didIn, inRange, leaveOut, type PassPlan } from '../columns/passes.ts'
import { daysColumn } from '../columns/several.ts'
import { joinRows } from '../columns/slice.ts'
import { type Table, timeColumn } from '../columns/table.ts'
import { groupsIn, isWhole } from '../columns/units.ts'
import { createWork, doneFilters, type Filter } from '../filters.ts'
import type { Column, Value } from './columns.ts'

/**
 * The hits behind the numbers, one row each, in the order of tables: partition, day, visitor. A row group is in memory at a time, and of
 * it only the columns that are asked for; what is made of it is pulled some rows at a time.
 */

export type Reading = PassPlan
export type ExportPlan = Reading & {
  columns: readonly Column[]
  filters: readonly Filter[]
  /** Engagement updates are rows too. */
  updates: boolean
}
/** Some rows, column by column. */
export type Batch = { rows: number; values: Value[][] }

/** So many rows are made at a time. */
export const batchRows = 512

const engagement = 2
const everybody = { from: 0, to: 2 ** 48 }

/** What filters ask: of visits first, so that hits are read only where a visit passes. */
type Asked = { visits: Masks; hits: Masks; did: readonly Places[] }

/**
 * A visit on several days is written whole on each of them with every event (rollup/fold.ts): so its row of any day shows it as it stands
 * at its newest, and what must be counted once, put together of its days, can be shown hit by hit like any other.
 */
const ofOneDay = (table: Table): Table => ({
  ...table,
  async load(group, columns) {
    const rows = await table.load(group, columns)
    return { ...rows, number: (column) => (column === daysColumn ? undefined : rows.number(column)) }
  },
})

/**
 * Finds out what must be known before the first row: who did what each `has_done` asks. `pause` of the plan is used until then; that of
 * the rows is given when they are pulled.
 */
export const prepareExport = async (
  tables: readonly Table[],
  plan: ExportPlan,
): Promise<(pause: Reading['pause']) => AsyncGenerator<Batch, void, void>> => {
  const dones = doneFilters(plan.filters)
  const work = createWork()
  const masks = (of: readonly Filter[]): Masks => createMasks(of, dones, plan.calendar, work)
  const visits = masks(plan.filters.filter(isOfVisits))
  const hits = masks(plan.filters.filter((filter) => !isOfVisits(filter)))
  const whole = tables.map(ofOneDay)
  const asked = dones.map(({ of, updates }) => ({ of: masks([of]), updates: updates && masks([updates]) }))
  const did = await didIn(whole, everybody, asked, plan, [])
  return (pause) => exportRows(whole, { visits, hits, did }, { ...plan, pause })
}

async function* exportRows(tables: readonly Table[], asked: Asked, plan: ExportPlan): AsyncGenerator<Batch, void, void> {
  const { room, pause } = plan
  for (const table of tables) {
    if (!(await asked.visits.prepare(table, pause)) || !(await asked.hits.prepare(table, pause))) continue
    for (const group of groupsIn(table, everybody)) {
      const bytes = table.bytesOf(group, [...firstColumns(asked), ...thenColumns(table, asked, plan), ...besides(plan)])
      room.take(bytes)
      try {
        yield* groupRows(table, group, asked, plan)
      } finally {
        room.give(bytes)
      }
      await pause()
    }
  }
}

const firstColumns = ({ visits }: Asked): string[] => [...commonColumns, ...visits.columns]
const thenColumns = (table: Table, { hits }: Asked, plan: ExportPlan): string[] => [
  'h.n',
  ...hits.columns,
  ...plan.columns.flatMap(({ columns }) => columns),
  ...(isWhole(table, plan) ? [] : [timeColumn]),
]
const besides = ({ columns }: ExportPlan): string[] => columns.flatMap(({ besides: own = [] }) => own)

async function* groupRows(table: Table, group: number, asked: Asked, plan: ExportPlan): AsyncGenerator<Batch, void, void> {
  const some = await table.load(group, firstColumns(asked))
  const rowMask = asked.visits.of(some, asked.did)?.mask ?? new Uint8Array(some.rows).fill(1)
  if (!leaveOut(some, rowMask, plan.bots)) return
  const rows = joinRows(some, await table.load(group, thenColumns(table, asked, plan)))
  const hitMask = inRange(rows, table, hitsOf(asked.hits, rows, asked.did), plan)
  const readers: ((row: number, hit: number) => Value)[] = []
  for (const column of plan.columns) readers.push(await column.open(rows, { table, group }))
  const kindOf = kindReader(rows)
  let batch: Batch = { rows: 0, values: readers.map(() => []) }
  for (let row = 0; row < rows.rows; row++) {
    if (rowMask[row] === 0) continue
    for (let hit = rows.firstHit[row]!; hit < rows.firstHit[row + 1]!; hit++) {
      if (hitMask?.[hit] === 0 || (kindOf(hit) === engagement && !plan.updates)) continue
      for (let i = 0; i < readers.length; i++) batch.values[i]!.push(readers[i]!(row, hit))
      if (++batch.rows < batchRows) continue
      yield batch
      batch = { rows: 0, values: readers.map(() => []) }
    }
  }
  if (batch.rows > 0) yield batch
}

import type { Counted, CountPlan } from '../counting.ts'
import { createOnce, type Once } from '../once.ts'
import { withoutCompiled } from '../plan-text.ts'
import { sizes } from '../room.ts'
import { type Cache, createCache } from './cache.ts'
import { type CountRows, countCells } from './cells.ts'
import { countRows } from './engine.ts'
import { countedOf } from './sample.ts'
import type { Table } from './table.ts'

/** What was counted, and what is being counted. */
export type Results = { counted: Cache; once: Once<Counted> }

export const createResults = (mostBytes: number): Results => ({ counted: createCache(mostBytes), once: createOnce() })

/**
 * Counts what was not counted yet. The name of a table says what it holds, so a result follows from plan and names, and is never out of
 * date: over closed days it stands until a day is closed again, over open ones until rows come. What several ask at the same time is counted once.
 */
export const countOnce = async (
  tables: readonly Table[],
  plan: CountPlan,
  { counted: known, once }: Results,
  count: CountRows = (rows, asked) => countRows(rows, asked),
): Promise<Counted> => {
  // What is counted a second time for a tail is as large as the sites that need it are rare.
  if (plan.keep) return countedOf(await count(tables, plan, []))
  const key = keyOf(tables, plan)
  const found = known.get<Counted>(key)
  if (found) return found
  return await once(key, async () => {
    const counted = (await countCells(tables, plan, count)) ?? countedOf(await count(tables, plan, []))
    return known.put(key, counted, bytesOf(counted) + 2 * key.length)
  })
}

const keyOf = (tables: readonly Table[], plan: CountPlan): string => {
  const { dimensions, filters, goals, updates, buckets, range, needs, bots, bounce, calendar, mostVisits } = plan
  const asked = {
    dimensions,
    filters,
    goals,
    updates,
    labels: buckets?.labels,
    range,
    needs,
    bots,
    bounce,
    mostVisits: String(mostVisits),
    calendar: calendar.name,
  }
  return JSON.stringify([asked, tables.map(({ name }) => name)], withoutCompiled)
}

const bytesOf = ({ groups }: Counted): number =>
  groups.reduce((sum, { key, values }) => sum + sizes.group + 2 * key.length + values.reduce((all, value) => all + 2 * value.length, 0), 0)

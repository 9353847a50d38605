import type { Counted, CountPlan } from '../counting.ts'
import { sizes } from '../room.ts'
import type { Cache } from './cache.ts'
import { countTables } from './engine.ts'
import type { Table } from './table.ts'

/**
 * Counts what was not counted yet. The name of a table says what it holds, so a result follows from plan and names, and is never out of
 * date: over closed days it stands until a day is closed again, over open ones until rows come.
 */
export const countOnce = async (tables: readonly Table[], plan: CountPlan, results: Cache): Promise<Counted> => {
  // What is counted a second time for a tail is as large as the sites that need it are rare.
  if (plan.keep) return await countTables(tables, plan)
  const key = keyOf(tables, plan)
  const known = results.get<Counted>(key)
  if (known) return known
  const counted = await countTables(tables, plan)
  return results.put(key, counted, bytesOf(counted) + 2 * key.length)
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
  return JSON.stringify([asked, tables.map(({ name }) => name)], plain)
}

/** Compiled patterns follow from their texts, and what stood in the query instead says nothing more. */
const plain = (name: string, value: unknown): unknown => (name === 'patterns' || name === 'said' ? undefined : value)

const bytesOf = ({ groups }: Counted): number =>
  groups.reduce((sum, { key, values }) => sum + sizes.group + 2 * key.length + values.reduce((all, value) => all + 2 * value.length, 0), 0)

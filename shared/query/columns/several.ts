import type { Calendar } from '../../site/zone.ts'
import type { Columns, Visit } from '../merge.ts'
import { type Identity, type Rows, type Table, valueAt } from './table.ts'
import { visitReader, visitSources } from './visits.ts'

/**
 * Visits that have rows on several days. They are few, and what they are is known only once all their days are read: so they are put
 * together as whole visits, for the reference fold, and the columns count the visits of one day alone.
 */

export const daysColumn = 's.days'

/** Rows whose visit has other days too, by index. */
export const severalRows = (rows: Rows): number[] => {
  const days = rows.number(daysColumn)
  if (!days || (days.values.length > 0 && isOneForAll(days.values, 1 - days.base))) return []
  const found: number[] = []
  for (let i = 0; i < rows.rows; i++) if (valueAt(days, i)! > 1) found.push(i)
  return found
}

const isOneForAll = (values: ArrayLike<number>, one: number): boolean => {
  for (let i = 0; i < values.length; i++) if (values[i] !== one) return false
  return true
}

type Held = { off: number; visit: Visit }

export const createSeveral = (columns: Columns, range: { from: number; to: number }, calendar: Calendar) => {
  const held = new Map<string, Held>()
  const needed = visitSources(columns)

  const take = (visit: Visit, { id, off }: Identity): void => {
    const other = held.get(id)
    if (!other) return void held.set(id, { off, visit })
    const newest = off >= other.off ? { off, visit } : other
    newest.visit.hits = other.visit.hits.concat(visit.hits)
    held.set(id, newest)
  }

  return {
    /** Takes the visits of some rows of a group. */
    async take(table: Table, group: number, indices: readonly number[]): Promise<void> {
      const rows = await table.load(group, needed)
      const identities = await table.identities(group, indices)
      const visitOf = visitReader(rows, columns, range, calendar)
      indices.forEach((row, i) => {
        take(visitOf(row, identities[i]!), identities[i]!)
      })
    },
    visits: (): Visit[] => Array.from(held.values(), ({ visit }) => visit),
  }
}

import type { CountPlan } from '../counting.ts'
import { createPlaces } from './numbers.ts'
import { sliceOf } from './slice.ts'
import type { Table } from './table.ts'
import { groupsIn } from './units.ts'

/** So many ranges of hashes are looked at one after the other: what is kept of one stays in the processor's cache. */
const ranges = 256
const hashes = 2 ** 48

/**
 * Whether no visitor is in two of these tables, as on a site without cookies, where a visitor is another one each day: then distinct
 * visitors of the tables add up. Where some are, that is seen after a few of them.
 */
export const areDisjoint = async (tables: readonly Table[], { room, pause }: Pick<CountPlan, 'room' | 'pause'>): Promise<boolean> => {
  const size = hashes / ranges
  const seen = createPlaces(room)
  const owners: number[] = []
  try {
    for (let from = 0; from < hashes; from += size) {
      seen.clear()
      owners.length = 0
      for (const [owner, table] of tables.entries()) {
        for (const group of groupsIn(table, { from, to: from + size })) {
          const { visitors } = sliceOf(await table.load(group, []), from, from + size)
          for (let i = 0; i < visitors.length; i++) {
            const place = seen.placeOf(visitors[i]!)
            if (place === owners.length) owners.push(owner)
            else if (owners[place] !== owner) return false
          }
        }
        await pause()
      }
    }
    return true
  } finally {
    seen.clear()
  }
}

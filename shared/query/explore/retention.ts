import { perCent } from '../metrics.ts'
import { eachJourney, type Journeys, type Turn } from './journeys.ts'

/**
 * Counts retention: visitors by the first period of the range in which they were active, and in how many of the periods from there on
 * they came back. They are active with a hit that passes the filters, and come back with one that passes the return filters (the same,
 * where there are none), not before that first hit.
 */

/** What a hit is: the period it lies in, and whether it begins (1) and whether it returns (2). */
export const retentionHit = (period: number, begins: boolean, returns: boolean): number =>
  (period << 2) | (returns ? 2 : 0) | (begins ? 1 : 0)

export type Cell = { visitors: number; rate: number | null }
/** `cells[0]` is the cohort's own period. */
export type Cohort = { period: number; visitors: number; cells: Cell[] }

/** The cohorts that have visitors. */
export const countRetention = async (journeys: Journeys, periods: number, turn: Turn): Promise<Cohort[]> => {
  turn.room.take(4 * periods * (periods + 1))
  const sizes = new Int32Array(periods)
  const came = new Int32Array(periods * periods)
  await eachJourney(journeys, beginsFirst, turn, (order, from, to) => {
    let cohort = -1
    let counted = -1
    for (let i = from; i < to; i++) {
      const what = journeys.what[order[i]!]!
      const period = what >> 2
      if (cohort < 0) {
        if ((what & 1) === 0) continue
        cohort = period
        sizes[cohort]!++
      }
      if ((what & 2) === 0 || period === counted) continue
      counted = period
      came[cohort * periods + period - cohort]!++
    }
  })
  return Array.from(sizes, (visitors, period) => {
    const cells = Array.from({ length: periods - period }, (_, n): Cell => {
      const count = came[period * periods + n]!
      return { visitors: count, rate: perCent(count, visitors) }
    })
    return { period, visitors, cells }
  }).filter(({ visitors }) => visitors > 0)
}

/** Of hits of one millisecond those that begin stand first: a return at the same time is not before. */
const beginsFirst = (a: number, b: number): number => (b & 1) - (a & 1)

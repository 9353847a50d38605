import type { FootfallError } from '#shared/errors.ts'
import type { SiteDay } from '#shared/ports/seals.ts'
import { reachOf, strandedIn } from '#shared/segment/chain.ts'
import { damaged } from '#shared/segment/damaged.ts'
import type { Interval } from '#shared/segment/encode.ts'
import { dayText } from './attempts.ts'

/**
 * Segments of a day that no chain leads to, though all events they are of were taken: the one that lay before them is gone. `undefined` when
 * there is none. Whoever went on would count the rest and say nothing.
 */
export const holeIn = (where: SiteDay, list: readonly Interval[], next: number): FootfallError | undefined => {
  const stranded = strandedIn(list, next)
  const text = dayText(where)
  return stranded && damaged(`${text[0]!.toUpperCase()}${text.slice(1)}`, `no segment has events ${reachOf(list)} to ${stranded.from - 1}`)
}

import { FootfallError } from '#shared/errors.ts'

/** More requests than this do not wait for one site: each holds up to a megabyte. */
const waitingLimit = 8

/**
 * Lets the requests of a site go one after the other: lines of a source must reach the log in their order. Where several processes
 * serve a site, the position that moves only once keeps the others out (and what they append meanwhile are repeats).
 */
export const createTurns = (): (<T>(site: string, work: () => Promise<T>) => Promise<T>) => {
  const last = new Map<string, { done: Promise<unknown>; waiting: number }>()
  return async (site, work) => {
    const turn = last.get(site) ?? { done: Promise.resolve(), waiting: 0 }
    if (turn.waiting >= waitingLimit) throw new FootfallError('overloaded', { detail: 'Other imports of this site are waiting.' })
    turn.waiting++
    last.set(site, turn)
    const mine = turn.done.then(work)
    turn.done = mine.catch(() => undefined) // told to whoever has asked for it
    try {
      return await mine
    } finally {
      if (--turn.waiting === 0) last.delete(site)
    }
  }
}

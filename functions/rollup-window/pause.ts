import { type Clock, hasPassed } from '#shared/clock.ts'
import type { Steps } from '#shared/segment/steps.ts'

/**
 * Turns for others in long work: the thread that moves days from hot to cold also takes hits in. `pause` is called between steps of some
 * milliseconds; when a slice of time is over it gives the event loop one round.
 */
export type Pause = () => Promise<void> | undefined

export const createPause = (clock: Clock, sliceMs: number): Pause => {
  let since = clock.now()
  return () => {
    if (!hasPassed(clock, since, sliceMs)) return undefined
    return new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
      since = clock.now()
    })
  }
}

/** What the steps come to, with turns for others between them. */
export const inTurns = async <T>(steps: Steps<T>, pause: Pause): Promise<T> => {
  for (;;) {
    const { done, value } = steps.next()
    if (done) return value
    await pause()
  }
}

export function* slicesOf<T>(list: readonly T[], length: number): Generator<T[], void, void> {
  for (let from = 0; from < list.length; from += length) yield list.slice(from, from + length)
}

import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import { queryLimits } from '#shared/query/limits.ts'

/**
 * Whose turn it is: few questions are worked on at a time (they share one thread, and each holds rows), fewer of one key, so that
 * nobody's dashboard waits behind another's. A short queue takes what a page asks at once.
 */

type Waiting = { key: string; begin(): void }
export type Turns = <T>(key: string, signal: AbortSignal | undefined, work: () => Promise<T>) => Promise<T>

const crowded = (detail: string) => new FootfallError('overloaded', { detail, retryAfterS: 5 })

export const createTurns = (clock: Clock): Turns => {
  const running: string[] = []
  const queue: Waiting[] = []
  const runningOf = (key: string): number => running.filter((other) => other === key).length
  const waitingOf = (key: string): number => queue.filter((other) => other.key === key).length
  const isFree = (key: string): boolean => running.length < queryLimits.running && runningOf(key) < queryLimits.runningPerKey

  const leave = (waiting: Waiting): void => {
    const at = queue.indexOf(waiting)
    if (at >= 0) queue.splice(at, 1)
  }
  const beginNext = (): void => {
    const next = queue.find(({ key }) => isFree(key))
    if (!next) return
    leave(next)
    running.push(next.key)
    next.begin()
  }

  const wait = (key: string, signal: AbortSignal | undefined): Promise<void> =>
    new Promise((resolve, reject) => {
      const stop = (): void => {
        leave(waiting)
        cancel()
        signal?.removeEventListener('abort', gone)
      }
      const giveUp = (detail: string): void => {
        stop()
        reject(crowded(detail))
      }
      const gone = (): void => giveUp('Nobody waits for the answer any more.')
      const waiting = { key, begin: () => resolve(stop()) }
      const cancel = clock.after(queryLimits.waitMs, () => giveUp('Other questions took too long.'))
      signal?.addEventListener('abort', gone)
      queue.push(waiting)
    })

  return async (key, signal, work) => {
    if (isFree(key)) running.push(key)
    else if (queue.length >= queryLimits.waiting || waitingOf(key) >= queryLimits.waitingPerKey) throw crowded('Too many questions wait.')
    else await wait(key, signal)
    try {
      return await work()
    } finally {
      running.splice(running.indexOf(key), 1)
      beginNext()
    }
  }
}

import { randomBytes } from 'node:crypto'

/**
 * Time, identity and chance, as an input. Only this file reads the machine's clock, timers and random source;
 * everything else is given a Clock, so that a simulation can turn it by hand.
 */
export type Clock = {
  /** Milliseconds since 1970-01-01 UTC. */
  now(): number
  /** Unpredictable bytes, fit for keys and salts. */
  random(bytes: number): Buffer
  /** Calls `run` once after `ms`; the answer cancels it. A pending timer does not keep the process alive. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  random: (bytes) => randomBytes(bytes),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** Whether `ms` have gone by since a time that was read of the clock. A clock that has gone back says nothing about that: yes, then. */
export const hasPassed = (clock: Pick<Clock, 'now'>, since: number, ms: number): boolean => {
  const elapsed = clock.now() - since
  return elapsed >= ms || elapsed < 0
}

/** Resolves after `ms` of the given clock, at once when `signal` aborts. Never rejects. */
export const sleep = (clock: Clock, ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal?.aborted) return resolve()
    const done = () => {
      cancel()
      signal?.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.after(ms, done)
    signal?.addEventListener('abort', done)
  })

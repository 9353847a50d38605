import { pino } from 'pino'
import type { Clock } from '../clock.ts'
import type { Config } from '../config.ts'

/** The process's own log: one JSON line per entry on standard error. No address, agent, key or body ever goes in here. */
export const createLogger = (level: Config['log'], thread: string) =>
  pino({ level, base: { thread }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))

export type Logger = ReturnType<typeof createLogger>

/** Passes on what it is told, but at most once in `everyMs`: a full disk fails at every commit, and its log must not fill it further. */
export const sparing = <T>(clock: Clock, everyMs: number, tell: (what: T) => void): ((what: T) => void) => {
  let next = Number.NEGATIVE_INFINITY
  return (what) => {
    const now = clock.now()
    // A clock set back must not keep it silent.
    if (now < next && now >= next - everyMs) return
    next = now + everyMs
    tell(what)
  }
}

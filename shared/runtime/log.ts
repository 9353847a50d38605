import { pino } from 'pino'
import type { Config } from '../config.ts'

/** The process's own log: one JSON line per entry on standard error. No address, agent, key or body ever goes in here. */
export const createLogger = (level: Config['log'], thread: string) =>
  pino({ level, base: { thread }, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ dest: 2, sync: true }))

export type Logger = ReturnType<typeof createLogger>

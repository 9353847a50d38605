import type { LogReader, LogRecord } from '../ports/log.ts'
import type { SweepHorizon } from '../ports/sessions.ts'
import { sessionTimeoutLimits } from '../site/config.ts'
import { acceptEvents } from './accept.ts'
import type { EventRecord } from './event.ts'
import { graceMs } from './session.ts'
import { retryHorizonMs } from './step.ts'

/** What no record from log time `logTime` on can need any more, where ids are known for `horizonMs`. Log time never goes back. */
export const expiredAt = (logTime: number, horizonMs: number): SweepHorizon => ({
  sessionsBefore: logTime - sessionTimeoutLimits.maxMs - graceMs,
  idsBefore: logTime - horizonMs,
})

/** Copies that nobody takes may stand behind the last event, a whole batch of them: so many are read at once. */
const atOnce = 100

/**
 * First event that enrich's state may still depend on: older ones are expired whatever they say. Below it, `events` are needed by nobody else. It
 * knows the longest horizon alone: who trims and who restores agree, whatever the settings of their processes are.
 */
export const firstNeeded = async (log: LogReader, partition: number): Promise<number> => {
  const { earliest, end } = await log.ends('events', partition)
  for (let to = end; to > earliest; to -= atOnce) {
    const from = Math.max(earliest, to - atOnce)
    const records = await log.read('events', partition, from, { records: to - from, bytes: Number.MAX_SAFE_INTEGER, waitMs: 0 })
    const last = lastAccepted(records)
    if (last) return log.offsetAt('events', partition, last.lt - retryHorizonMs - graceMs)
  }
  return earliest
}

const lastAccepted = (records: readonly LogRecord[]): EventRecord | undefined => {
  for (const record of records.toReversed()) {
    const [accepted] = acceptEvents([record], undefined)
    if (accepted) return accepted.event
  }
  return undefined
}

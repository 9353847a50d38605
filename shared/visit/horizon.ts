import type { LogReader, LogRecord } from '../ports/log.ts'
import { acceptEvents } from './accept.ts'
import type { EventRecord } from './event.ts'
import { graceMs } from './session.ts'
import { retryHorizonMs } from './step.ts'

/** Copies that nobody takes may stand behind the last event, a whole batch of them: so many are read at once. */
const atOnce = 100

/** First event that enrich's state may still depend on: older ones are expired whatever they say. Below it, `events` are needed by nobody else. */
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

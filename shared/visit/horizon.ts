import type { LogReader } from '../ports/log.ts'
import { acceptEvents } from './accept.ts'
import { graceMs } from './session.ts'
import { retryHorizonMs } from './step.ts'

/** First event that enrich's state may still depend on: older ones are expired whatever they say. Below it, `events` are needed by nobody else. */
export const firstNeeded = async (log: LogReader, partition: number): Promise<number> => {
  const { earliest, end } = await log.ends('events', partition)
  for (let offset = end - 1; offset >= earliest; offset--) {
    const [last] = acceptEvents(await log.read('events', partition, offset, { records: 1, bytes: 1, waitMs: 0 }), undefined)
    if (last) return log.offsetAt('events', partition, last.event.lt - retryHorizonMs - graceMs)
  }
  return earliest
}

import type { Clock } from '#shared/clock.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { EnrichFence, Sessions } from '#shared/ports/sessions.ts'
import type { Batch, BatchAnswer } from '#shared/trigger/envelope.ts'
import { acceptEvents } from '#shared/visit/accept.ts'
import { expiredAt, firstNeeded } from '#shared/visit/horizon.ts'
import { applyEvent, changeOf, emptyState } from '#shared/visit/state.ts'
import { retryHorizonMs } from '#shared/visit/step.ts'

/** `hitsId`: identity of the hits log that a fence counts in. */
type RestorePorts = { log: LogReader; sessions: Sessions; clock: Clock; hitsId(partition: number): Promise<string> }

/** State is the fold of `events`: after any doubt, or with none at all, it is read from there and nothing is computed again. */
export const createRestore = ({ log, sessions, clock, hitsId }: RestorePorts, horizonMs: number = retryHorizonMs) => {
  /**
   * What is folded from longer ago than the horizon goes again on the way, so that a store with room for the horizon is enough. Four rows are
   * looked at for each event: what is old is never more than a third of what is not.
   */
  const tidy = async (partition: number, logTime: number, events: number): Promise<void> => {
    if (horizonMs < retryHorizonMs && events > 0) await sessions.sweep(partition, expiredAt(logTime, horizonMs), 4 * events)
  }

  /** Begins with no state, or `instead` of one that is too old: everything that could still matter is folded anew from `events`. */
  const begin = async (partition: number, instead?: EnrichFence): Promise<EnrichFence> => {
    const topic = await hitsId(partition)
    const ev = await firstNeeded(log, partition)
    const gen = clock.random(6).readUIntBE(0, 6)
    return sessions.init(partition, { gen, topic, next: 0, ev, logTime: 0, mode: 'restore' }, instead)
  }

  /** Folds accepted events into the state, exactly as they stand; with the end of the log a restore is done. */
  const catchUp = async ({ partition, records }: Batch): Promise<BatchAnswer> => {
    const { fence } = await sessions.load(partition, [], [], [])
    if (!fence) return { catchup: (await begin(partition)).ev }
    const ends = await log.ends('events', partition)
    // A state that was set back to before the log's beginning is as good as lost: what it does not have is older than all it depends on.
    if (fence.ev < ends.earliest) return { catchup: (await begin(partition, fence)).ev }
    if (records.length > 0 && records[0]!.offset !== fence.ev) return { catchup: fence.ev }
    const ev = records.length === 0 ? fence.ev : records.at(-1)!.offset + 1
    const accepted = acceptEvents(records, fence.next === 0 ? undefined : fence.next - 1)
    const state = emptyState()
    let lt = fence.logTime
    for (const { event } of accepted) {
      applyEvent(state, event)
      lt = Math.max(lt, event.lt)
    }
    const next = accepted.length === 0 ? fence.next : Math.max(fence.next, accepted.at(-1)!.event.src + 1)
    const end = ends.end === ev
    const now: EnrichFence = { ...fence, next, ev, logTime: lt, mode: end ? '' : fence.mode }
    if ((await sessions.commit(partition, fence, now, changeOf(state))) === 'done') {
      await tidy(partition, lt, accepted.length)
      return { next, ev, end }
    }
    const after = await sessions.load(partition, [], [], [])
    return { catchup: after.fence?.ev ?? fence.ev }
  }

  return { begin, catchUp }
}

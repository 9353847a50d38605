import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import { type Handler, json } from '#shared/handler.ts'
import type { Bus } from '#shared/ports/bus.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { Memtables, RollupFence } from '#shared/ports/memtables.ts'
import { feedLimit, feedOf } from '#shared/rollup/feed.ts'
import { foldUsable, liveMs } from '#shared/rollup/fold.ts'
import { type Batch, type BatchAnswer, decodeBatch } from '#shared/trigger/envelope.ts'
import { acceptEvents } from '#shared/visit/accept.ts'
import type { EventRecord } from '#shared/visit/event.ts'

/**
 * rollup-window: folds accepted `events` into memtables (rows by site and day), the ledger and the realtime sums, in one commit
 * with its fence (data.md §9.2), and tells the live feed. It never reads a hit and never changes what enrich has said.
 * Sealing, flushing and closing days come with the segment store; until then every memtable begins at 0.
 */
export type Ports = { log: LogReader; memtables: Memtables; bus: Bus; clock: Clock }

export const createHandler = ({ log, memtables, bus, clock }: Ports): Handler => {
  const feedBudget = new Map<string, { second: number; left: number }>()

  /** Begins with no state: all events there are are folded anew. */
  const beginRestore = async (partition: number): Promise<RollupFence> => {
    const { id, earliest } = await log.ends('events', partition)
    const gen = clock.random(6).readUIntBE(0, 6)
    return memtables.init(partition, { gen, topic: id, next: earliest, src: -1, logTime: 0 })
  }

  /** Offsets of another topic, or beyond the log's end, mean nothing: nothing may be skipped into silently. */
  const checkLog = async (partition: number, { topic, next }: RollupFence): Promise<void> => {
    const { id, earliest, end } = await log.ends('events', partition)
    if (id !== topic) throw new FootfallError('partition-stopped', { detail: 'The events topic was made anew.' })
    if (next > end) throw new FootfallError('partition-stopped', { detail: `The state is at ${next}, the events log ends at ${end}.` })
    if (next < earliest) throw new FootfallError('partition-stopped', { detail: `Events ${next} to ${earliest - 1} are gone.` })
  }

  const isWithinBudget = (site: string, now: number): boolean => {
    const second = Math.floor(now / 1000)
    const budget = feedBudget.get(site)
    if (budget?.second === second) return --budget.left >= 0
    if (feedBudget.size > 10_000) feedBudget.clear()
    feedBudget.set(site, { second, left: feedLimit - 1 })
    return true
  }

  /** Best effort: what is lost here is seen at the next question. */
  const publish = (events: EventRecord[]): void => {
    const now = clock.now()
    for (const [site, hits] of feedOf(events, now))
      for (const hit of hits) if (isWithinBudget(site, now)) bus.publish(`live.${site}`, JSON.stringify(hit))
    for (const site of new Set(events.map((event) => event.site))) bus.publish(`fresh.${site}`, '')
  }

  const takeBatch = async ({ partition, records, retry }: Batch): Promise<BatchAnswer> => {
    const fence = await memtables.fence(partition)
    if (!fence) return { seek: (await beginRestore(partition)).next }
    const first = records[0]!.offset
    const last = records.at(-1)!.offset
    if (retry || first > fence.next) await checkLog(partition, fence)
    if (first > fence.next) return { seek: fence.next }
    if (last < fence.next) return { next: fence.next }
    const fresh = records.filter(({ offset }) => offset >= fence.next)
    const { events, change } = foldUsable(acceptEvents(fresh, fence.src), fence.next, last + 1)
    const now: RollupFence = {
      ...fence,
      next: last + 1,
      src: events.at(-1)?.src ?? fence.src,
      logTime: Math.max(fence.logTime, events.at(-1)?.lt ?? 0),
    }
    if ((await memtables.commit(partition, fence, now, change)) === 'stale')
      return { seek: (await memtables.fence(partition))?.next ?? fence.next }
    publish(events)
    return { next: now.next }
  }

  /** An empty batch: nothing to take, time to tidy up. */
  const tick = async ({ partition, logTime }: Batch): Promise<BatchAnswer> => {
    const fence = await memtables.fence(partition)
    if (!fence) return { seek: (await beginRestore(partition)).next }
    await checkLog(partition, fence)
    await memtables.trimLive(partition, logTime - liveMs)
    return { next: fence.next }
  }

  return async (request) => {
    const batch = decodeBatch(request)
    const answer = batch.records.length === 0 ? await tick(batch) : await takeBatch(batch)
    return json('next' in answer ? 200 : 409, answer)
  }
}

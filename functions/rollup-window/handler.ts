import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import { type Handler, json } from '#shared/handler.ts'
import type { Bus } from '#shared/ports/bus.ts'
import type { LogRecord } from '#shared/ports/log.ts'
import type { RollupChange, RollupFence } from '#shared/ports/memtables.ts'
import type { Meter } from '#shared/ports/meter.ts'
import type { SiteDay } from '#shared/ports/seals.ts'
import { blockDays, cutOf, type KnownBase, onBases } from '#shared/rollup/base.ts'
import { feedLimit, feedOf } from '#shared/rollup/feed.ts'
import { foldUsable, liveMs } from '#shared/rollup/fold.ts'
import type { LifeLimits } from '#shared/rollup/life.ts'
import { reachOf } from '#shared/segment/chain.ts'
import { createKnownGenerations, type GenerationList, isGone, isOwn, madeAnew, writerStaleMs } from '#shared/site/generations.ts'
import { type Batch, type BatchAnswer, decodeBatch } from '#shared/trigger/envelope.ts'
import { acceptEvents } from '#shared/visit/accept.ts'
import type { EventRecord } from '#shared/visit/event.ts'
import type { OnError } from './attempts.ts'
import { stage } from './flush.ts'
import { holeIn } from './hole.ts'
import { createLife, type LifePorts } from './life.ts'

/**
 * rollup-window: folds accepted `events` into memtables (rows by site and day), the ledger and the realtime sums, in one commit
 * with its fence (data.md §9.2), and tells the live feed. On ticks, and when a memtable is full, it moves rows into segments and closes days
 * (life.ts). It never reads a hit and never changes what enrich has said.
 */
export type Ports = LifePorts & { bus: Bus; generations: GenerationList; clock: Clock }

/** `onError` is told what could not be moved on in the life of a day. */
export const createHandler = (
  ports: Ports,
  limits: Partial<LifeLimits> = {},
  onError: OnError = () => undefined,
  meter?: Meter,
): Handler => {
  const { log, memtables, seals, segments, progress, bus, clock } = ports
  const generations = createKnownGenerations(ports.generations, clock, writerStaleMs)
  const life = createLife(ports, limits, onError, meter)
  const feedBudget = new Map<string, { second: number; left: number }>()

  /** Begins with no state, or `instead` of one that is too old: the events that are not in segments all of them are folded anew. */
  const beginRestore = async (partition: number, instead?: RollupFence): Promise<RollupFence> => {
    const { id, earliest } = await log.ends('events', partition)
    const mark = (await progress.get(stage, partition)) ?? { next: earliest, src: -1 }
    const gen = clock.random(6).readUIntBE(0, 6)
    return memtables.init(partition, { gen, topic: id, ...mark, logTime: 0 }, instead)
  }

  /** Where the segments of a day end. Throws when some lie beyond that the events from `next` on do not bring again. */
  const endOf = async (partition: number, where: SiteDay, next: number): Promise<number> => {
    const list = await segments.list(partition, where.site, where.day, where.day)
    const hole = holeIn(where, list, next)
    if (hole) throw hole
    return reachOf(list)
  }

  /** Where the memtables of these days begin: as stored, else where the segments of the day end. */
  const basesOf = async (partition: number, days: readonly SiteDay[], next: number): Promise<KnownBase[]> => {
    const known: KnownBase[] = []
    for (const [i, base] of (await seals.bases(partition, days)).entries())
      known.push(base === undefined ? { stored: false, base: await endOf(partition, days[i]!, next) } : { stored: true, base })
    return known
  }

  /**
   * Offsets of another topic, or beyond the log's end, mean nothing: nothing may be skipped into silently. A state that was set back to
   * before the log's beginning is as good as lost: what it does not have is cold. Answers the fence that stands then.
   */
  const checkLog = async (partition: number, fence: RollupFence): Promise<RollupFence> => {
    const { topic, next } = fence
    const { id, earliest, end } = await log.ends('events', partition)
    if (id !== topic) throw madeAnew('events')
    if (next > end) throw new FootfallError('partition-stopped', { detail: `The state is at ${next}, the events log ends at ${end}.` })
    if (next >= earliest) return fence
    const mark = await progress.get(stage, partition)
    if (mark && mark.next >= earliest) return beginRestore(partition, fence)
    throw new FootfallError('partition-stopped', { detail: `Events ${next} to ${earliest - 1} are gone.` })
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

  /** Folds the records up to `end`, or up to the first base that lies among them: the rest comes again. */
  const foldOnBases = async (
    partition: number,
    fence: RollupFence,
    records: LogRecord[],
    end: number,
    mode: Batch['mode'],
  ): Promise<{ events: EventRecord[]; change: RollupChange; next: number; dead: number }> => {
    const taken = records.filter(({ offset }) => offset < end)
    const { events, change, dead } = foldUsable(acceptEvents(taken, fence.src), fence.next, end, mode === 'park')
    const known = await basesOf(partition, blockDays(change), fence.next)
    const cut = cutOf(change, known)
    return cut === undefined
      ? { events, change: onBases(change, known), next: end, dead }
      : foldOnBases(partition, fence, records, cut, mode)
  }

  const takeBatch = async ({ partition, records, retry, mode }: Batch): Promise<BatchAnswer> => {
    const fence = await memtables.fence(partition)
    if (!fence) return { seek: (await beginRestore(partition)).next }
    const first = records[0]!.offset
    const last = records.at(-1)!.offset
    if (retry || first > fence.next) {
      const { next } = await checkLog(partition, fence)
      if (next !== fence.next) return { seek: next }
    }
    if (first > fence.next) return { seek: fence.next }
    if (last < fence.next) return { next: fence.next }
    const fresh = records.filter(({ offset }) => offset >= fence.next)
    const { events, change, next, dead } = await foldOnBases(partition, fence, fresh, last + 1, mode)
    const now: RollupFence = {
      ...fence,
      next,
      src: events.at(-1)?.src ?? fence.src,
      logTime: Math.max(fence.logTime, events.at(-1)?.lt ?? 0),
    }
    if ((await memtables.commit(partition, fence, now, change)) === 'stale')
      return { seek: (await memtables.fence(partition))?.next ?? fence.next }
    if (dead > 0) meter?.dead(dead)
    publish(events)
    await life.afterCommit(partition, now)
    return { next: now.next }
  }

  /** An empty batch: nothing to take, time for everything else. */
  const tick = async ({ partition, logTime, logEnd }: Batch): Promise<BatchAnswer> => {
    const fence = await memtables.fence(partition)
    if (!fence) return { seek: (await beginRestore(partition)).next }
    const { next } = await checkLog(partition, fence)
    if (next !== fence.next) return { seek: next }
    await memtables.trimLive(partition, logTime - liveMs)
    // While there is a backlog, its time counts: no day is over before its events were taken. The log's time does not go back with the clock.
    const soon = await life.run(partition, fence, fence.next < logEnd ? fence.logTime : Math.max(fence.logTime, logTime))
    return { next: fence.next, ...(soon ? { soon } : {}) }
  }

  /** The fence of a partition whose log is gone: where no state is left, what was hot of it is lost, and what is cold is all there is. */
  const lastFence = async (partition: number): Promise<RollupFence> => {
    const fence = await memtables.fence(partition)
    if (fence) return fence
    onError(new Error(`the state of partition ${partition} is lost, and so is its log: rows that were not flushed do not come back`))
    const mark = (await progress.get(stage, partition)) ?? { next: 0, src: -1 }
    return memtables.init(partition, { gen: clock.random(6).readUIntBE(0, 6), topic: 'gone', ...mark, logTime: 0 })
  }

  /** Nothing is read of a log that is gone, whatever lies under its name now; its rows live on as ever. */
  const restIn = async ({ partition, records, logTime }: Batch): Promise<BatchAnswer> => {
    if (records.length > 0) return { next: records.at(-1)!.offset + 1 }
    const fence = await lastFence(partition)
    await memtables.trimLive(partition, logTime - liveMs)
    const soon = await life.run(partition, fence, Math.max(fence.logTime, logTime), false)
    return { next: fence.next, ...(soon ? { soon } : {}) }
  }

  return async (request) => {
    const batch = decodeBatch(request)
    const list = await generations.list()
    if (isGone(list, 'events', batch.partition)) return json(200, await restIn(batch))
    if (!isOwn(list, 'events', batch.partition, batch.logId)) throw madeAnew('events')
    const answer = batch.records.length === 0 ? await tick(batch) : await takeBatch(batch)
    return json('next' in answer ? 200 : 409, answer)
  }
}

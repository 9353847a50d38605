import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import { type Handler, json } from '#shared/handler.ts'
import { readRecord } from '#shared/hit/read-record.ts'
import type { HitsRecord } from '#shared/hit/record.ts'
import type { LogReader, LogRecord, LogWriter } from '#shared/ports/log.ts'
import type { Meter } from '#shared/ports/meter.ts'
import type { EnrichFence, HitId, ImportSource, SessionKey, Sessions } from '#shared/ports/sessions.ts'
import type { Sites } from '#shared/ports/sites.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import {
  createKnownGenerations,
  type GenerationList,
  generationOf,
  isGone,
  isOwn,
  madeAnew,
  writerStaleMs,
} from '#shared/site/generations.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { type Batch, type BatchAnswer, decodeBatch } from '#shared/trigger/envelope.ts'
import { type EventRecord, eventText } from '#shared/visit/event.ts'
import { expiredAt } from '#shared/visit/horizon.ts'
import { applyEvent, changeOf, emptyState, loadedState, type VisitState } from '#shared/visit/state.ts'
import {
  deadEvent,
  type Flags,
  flagsOf,
  hitsEvent,
  keysOf,
  lostEvent,
  type Position,
  refusalsEvent,
  retryHorizonMs,
} from '#shared/visit/step.ts'
import { createEarlier } from './earlier.ts'
import { createRestore } from './restore.ts'

/**
 * enrich-session: takes `hits` in order, gives each hit to its visit, appends one event per record to `events`, and only then
 * commits its state together with its fence (data.md §9.1). After any doubt it does not compute again: it catches up by
 * reading what was appended. It never counts anything for a report, and its output depends on the log alone.
 */
export type Ports = { log: LogReader & LogWriter; sessions: Sessions; sites: Sites; generations: GenerationList; clock: Clock }

export const limits = {
  /** Events of one append. */
  sendRecords: 1_000,
  /** Rows one tick looks at when it sweeps. */
  sweepRows: 20_000,
  /** A generation that has ended keeps its ids for the next one, which may be so far behind: no log holds hits for longer. */
  behindMs: 72 * 3_600_000,
} as const

/** What one record of the batch is, once it is read and its configuration is known. */
type Item = { record: LogRecord; read: ReturnType<typeof readRecord>; config?: SiteConfig; flags?: Flags }

const isHits = (read: Item['read']): read is HitsRecord => 'ev' in read

/** What was taken for good; events that another process has to find in the log again are in the ledger alone. */
const metered =
  (meter: Meter) =>
  ({ n, x, dead }: EventRecord): void => {
    meter.enriched(n, x.filter(({ opened }) => opened === 1).length)
    if (dead) meter.dead(1)
  }

/** `horizonMs`: how long ids are known, in log time, at most `retryHorizonMs`. Of several processes that say different ones the shortest holds. */
export type Options = { horizonMs?: number; meter?: Meter }

export const createHandler = (ports: Ports, { horizonMs = retryHorizonMs, meter }: Options = {}): Handler => {
  const { log, sessions, clock } = ports
  const sites = createKnownSites(ports.sites, clock)
  const generations = createKnownGenerations(ports.generations, clock, writerStaleMs)
  const isLost = async (partition: number): Promise<boolean> => isGone(await generations.list(), 'hits', partition)
  const hitsId = async (partition: number): Promise<string> => ((await isLost(partition)) ? 'gone' : (await log.ends('hits', partition)).id)
  const restore = createRestore({ ...ports, hitsId }, horizonMs)
  const { withEarlier } = createEarlier({ ...ports, generations })

  const prepare = async (record: LogRecord): Promise<Item> => {
    const read = readRecord(record.body)
    if (!isHits(read)) return { record, read }
    const found = sites.version(read.site, read.cfg)
    const config = found instanceof Promise ? await found : found
    return { record, read, config, flags: config && flagsOf(read, config) }
  }

  /** Offsets of another topic, or beyond the log's end, mean nothing: nothing may be skipped into silently. */
  const checkLog = async (partition: number, fence: EnrichFence): Promise<{ earliest: number }> => {
    const { id, earliest, end } = await log.ends('hits', partition)
    if (id !== fence.topic) throw madeAnew('hits')
    if (fence.next > end)
      throw new FootfallError('partition-stopped', { detail: `The state is at ${fence.next}, the hits log ends at ${end}.` })
    return { earliest }
  }

  /** Takes note of records that were gone before they could be read: an event says how many, then work goes on behind the hole. */
  const closeHole = async (partition: number, fence: EnrichFence, earliest: number): Promise<BatchAnswer> => {
    const time = clock.now()
    const event = lostEvent(earliest - fence.next, { partition, src: earliest - 1, at: fence.ev, time, lt: Math.max(fence.logTime, time) })
    return conclude(
      partition,
      fence,
      [event],
      { ...fence, next: earliest, ev: fence.ev + 1, logTime: event.lt, mode: '' },
      changeOf(emptyState()),
    )
  }

  /** Appends the events where they are meant to stand, then commits; anything unexpected ends in catching up. */
  const conclude = async (
    partition: number,
    was: EnrichFence,
    events: EventRecord[],
    now: EnrichFence,
    change: ReturnType<typeof changeOf>,
  ): Promise<BatchAnswer> => {
    for (let i = 0; i < events.length; i += limits.sendRecords) {
      const part = events.slice(i, i + limits.sendRecords).map(eventText)
      if ((await log.append('events', partition, part)) !== was.ev + i) return { catchup: was.ev }
    }
    if ((await sessions.commit(partition, was, now, change)) === 'done') {
      if (meter) events.forEach(metered(meter))
      return { next: now.next }
    }
    const { fence } = await sessions.load(partition, [], [], [])
    return fence && fence.next >= now.next && fence.mode === '' ? { next: fence.next } : { catchup: fence?.ev ?? was.ev }
  }

  /** Records that no handler can use are kept aside, with the reason, before their event says so. */
  const bury = async (partition: number, { offset, time, body }: LogRecord, reason: string): Promise<void> => {
    await log.append('dead', partition, [JSON.stringify({ topic: 'hits', offset, time, reason, body })])
  }

  const askFor = (items: readonly Item[]) => {
    const keys: SessionKey[] = []
    const ids: HitId[] = []
    const sources: ImportSource[] = []
    for (const { read, flags } of items) {
      if (!isHits(read) || !flags) continue
      const { site } = read
      for (const key of keysOf(read, flags)) keys.push({ site, key })
      if (read.imp) sources.push({ site, source: read.imp.src })
      else for (const { id } of read.ev) ids.push({ site, id })
    }
    return { sessions: keys, ids, sources }
  }

  /** The newest configuration of each site among the records. */
  const sitesOf = (items: readonly Item[]): Map<string, SiteConfig> => {
    const newest = new Map<string, SiteConfig>()
    for (const { config } of items) if (config && (newest.get(config.site)?.version ?? 0) <= config.version) newest.set(config.site, config)
    return newest
  }

  const eventOf = ({ read, config, flags }: Item, position: Position, state: VisitState): EventRecord => {
    if ('dead' in read) return deadEvent(read.dead, position)
    if (!isHits(read)) return refusalsEvent(read, position)
    const whole = { site: read.site, hits: read.ev.length }
    if (!config || !flags) return deadEvent('unknown-config', position, whole)
    try {
      return hitsEvent(read, flags, position, config, state, horizonMs)
    } catch {
      return deadEvent('unusable', position, whole) // the step is pure: it would fail on this record for ever, and costs only it
    }
  }

  const takeBatch = async ({ partition, records, retry, mode }: Batch): Promise<BatchAnswer> => {
    const items: Item[] = []
    // What has killed this function again and again, alone, is not looked at.
    for (const record of records) items.push(mode === 'park' ? { record, read: { dead: 'fatal' } } : await prepare(record))
    const asked = askFor(items)
    const loaded = await sessions.load(partition, asked.sessions, asked.ids, asked.sources)
    // State that was read as lost says nothing about a fence that another process has put there meanwhile.
    const fence = loaded.fence
    if (!fence) return { catchup: (await restore.begin(partition)).ev }
    if (fence.mode === 'restore') return { catchup: fence.ev }
    const first = records[0]!.offset
    const last = records.at(-1)!.offset
    if (retry) {
      await checkLog(partition, fence)
      if ((await log.ends('events', partition)).end !== fence.ev) return { catchup: fence.ev }
    }
    if (first > fence.next) {
      const { earliest } = await checkLog(partition, fence)
      return earliest > fence.next ? closeHole(partition, fence, earliest) : { seek: fence.next }
    }
    if (last < fence.next) return { next: fence.next }
    const known = await withEarlier(partition, { ...asked, sites: sitesOf(items), from: records[0]!.time }, loaded)
    const state = loadedState(asked, known)
    const events: EventRecord[] = []
    let lt = fence.logTime
    for (const item of items) {
      const { offset, time } = item.record
      if (offset < fence.next) continue
      lt = Math.max(lt, time)
      const event = eventOf(item, { partition, src: offset, at: fence.ev + events.length, time, lt }, state)
      if (event.dead) await bury(partition, item.record, event.dead)
      applyEvent(state, event)
      events.push(event)
    }
    const now: EnrichFence = { ...fence, next: last + 1, ev: fence.ev + events.length, logTime: lt }
    return conclude(partition, fence, events, now, changeOf(state))
  }

  /** An empty batch: nothing to take, time to tidy up. Ticks never change what an output depends on. */
  const tick = async ({ partition, retry, logTime }: Batch): Promise<BatchAnswer> => {
    const { fence } = await sessions.load(partition, [], [], [])
    if (!fence || fence.mode === 'restore') return { catchup: (fence ?? (await restore.begin(partition))).ev }
    const { earliest } = await checkLog(partition, fence)
    if (earliest > fence.next) return closeHole(partition, fence, earliest)
    if (retry && (await log.ends('events', partition)).end !== fence.ev) return { catchup: fence.ev }
    await sweep(partition, (await isEnded(partition)) ? Math.max(fence.logTime, logTime - limits.behindMs) : fence.logTime)
    return { next: fence.next }
  }

  const sweep = (partition: number, logTime: number): Promise<number> => {
    return sessions.sweep(partition, expiredAt(logTime, horizonMs), limits.sweepRows)
  }

  const isEnded = async (partition: number): Promise<boolean> =>
    (await generations.list()).some(({ number, state }) => number === generationOf(partition) && state === 'ended')

  /**
   * Nothing is read of hits that are gone, whatever lies under their name now. What was taken of them is kept for the next generation, and is
   * folded anew from `events` as long as there are any.
   */
  const restIn = async ({ partition, records, logTime }: Batch, hasEvents: boolean): Promise<BatchAnswer> => {
    if (records.length > 0) return { next: records.at(-1)!.offset + 1 }
    const { fence } = await sessions.load(partition, [], [], [])
    if (hasEvents) {
      const known = fence ?? (await restore.begin(partition))
      if (known.mode === 'restore' || (await log.ends('events', partition)).end !== known.ev) return { catchup: known.ev }
    }
    if (fence) await sweep(partition, Math.max(fence.logTime, logTime - limits.behindMs))
    return { next: fence?.next ?? 0 }
  }

  const answerTo = async (batch: Batch): Promise<BatchAnswer> => {
    const { partition, mode, records } = batch
    const list = await generations.list()
    const hasEvents = !isGone(list, 'events', partition)
    const topic = mode === 'catchup' ? 'events' : 'hits'
    if (isGone(list, topic, partition)) return mode === 'catchup' ? { next: 0, ev: 0, end: true } : await restIn(batch, hasEvents)
    if (!isOwn(list, topic, partition, batch.logId)) throw madeAnew(topic)
    if (mode === 'catchup') return await restore.catchUp(batch)
    return records.length === 0 ? await tick(batch) : await takeBatch(batch)
  }

  return async (request) => {
    const answer = await answerTo(decodeBatch(request))
    return json('next' in answer ? 200 : 409, answer)
  }
}

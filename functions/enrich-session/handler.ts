import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import { type Handler, json } from '#shared/handler.ts'
import { readRecord } from '#shared/hit/read-record.ts'
import type { HitsRecord } from '#shared/hit/record.ts'
import type { LogReader, LogRecord, LogWriter } from '#shared/ports/log.ts'
import type { EnrichFence, HitId, ImportSource, SessionKey, Sessions } from '#shared/ports/sessions.ts'
import type { Sites } from '#shared/ports/sites.ts'
import { type SiteConfig, sessionTimeoutLimits } from '#shared/site/config.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { type Batch, type BatchAnswer, decodeBatch } from '#shared/trigger/envelope.ts'
import { type EventRecord, eventText } from '#shared/visit/event.ts'
import { graceMs } from '#shared/visit/session.ts'
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
import { createRestore } from './restore.ts'

/**
 * enrich-session: takes `hits` in order, gives each hit to its visit, appends one event per record to `events`, and only then
 * commits its state together with its fence (data.md §9.1). After any doubt it does not compute again: it catches up by
 * reading what was appended. It never counts anything for a report, and its output depends on the log alone.
 */
export type Ports = { log: LogReader & LogWriter; sessions: Sessions; sites: Sites; clock: Clock }

export const limits = {
  /** Events of one append. */
  sendRecords: 1_000,
  /** Rows one tick looks at when it sweeps. */
  sweepRows: 20_000,
} as const

/** What one record of the batch is, once it is read and its configuration is known. */
type Item = { record: LogRecord; read: ReturnType<typeof readRecord>; config?: SiteConfig; flags?: Flags }

const isHits = (read: Item['read']): read is HitsRecord => 'ev' in read

export const createHandler = (ports: Ports): Handler => {
  const { log, sessions, clock } = ports
  const sites = createKnownSites(ports.sites, clock)
  const restore = createRestore(ports)

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
    if (id !== fence.topic) throw new FootfallError('partition-stopped', { detail: 'The hits topic was made anew.' })
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
    if ((await sessions.commit(partition, was, now, change)) === 'done') return { next: now.next }
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

  const eventOf = ({ read, config, flags }: Item, position: Position, state: VisitState): EventRecord => {
    if ('dead' in read) return deadEvent(read.dead, position)
    if (!isHits(read)) return refusalsEvent(read, position)
    const whole = { site: read.site, hits: read.ev.length }
    if (!config || !flags) return deadEvent('unknown-config', position, whole)
    try {
      return hitsEvent(read, flags, position, config, state)
    } catch {
      return deadEvent('unusable', position, whole) // the step is pure: it would fail on this record for ever, and costs only it
    }
  }

  const takeBatch = async ({ partition, records, retry }: Batch): Promise<BatchAnswer> => {
    const items: Item[] = []
    for (const record of records) items.push(await prepare(record))
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
    const state = loadedState(asked, loaded)
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
  const tick = async ({ partition, retry }: Batch): Promise<BatchAnswer> => {
    const { fence } = await sessions.load(partition, [], [], [])
    if (!fence || fence.mode === 'restore') return { catchup: (fence ?? (await restore.begin(partition))).ev }
    const { earliest } = await checkLog(partition, fence)
    if (earliest > fence.next) return closeHole(partition, fence, earliest)
    if (retry && (await log.ends('events', partition)).end !== fence.ev) return { catchup: fence.ev }
    const sessionsBefore = fence.logTime - sessionTimeoutLimits.maxMs - graceMs
    await sessions.sweep(partition, { sessionsBefore, idsBefore: fence.logTime - retryHorizonMs }, limits.sweepRows)
    return { next: fence.next }
  }

  return async (request) => {
    const batch = decodeBatch(request)
    const answer =
      batch.mode === 'catchup' ? await restore.catchUp(batch) : batch.records.length === 0 ? await tick(batch) : await takeBatch(batch)
    return json('next' in answer ? 200 : 409, answer)
  }
}

import type { MinuteSums, RollupChange, Seen } from '../ports/memtables.ts'
import { checkRow } from '../segment/check.ts'
import type { Block, Row } from '../segment/row.ts'
import { utcDay } from '../site/zone.ts'
import type { EventRecord, LedgerSums, Touch } from '../visit/event.ts'
import { encodeRows, type LedgerRow, ledgerDay } from './block.ts'
import { checkEvent, deadOf } from './usable.ts'

/**
 * rollup's pure step: accepted events become row blocks per (site, day), ledger rows and realtime sums (data.md §9.2).
 * Rows are upserts of the whole session on each of its days: no deltas, no sign rows.
 */
type Accepted = { offset: number; event: EventRecord }
/** A change as the events say it: where memtables begin is the caller's to find out. */
export type Folded = Omit<RollupChange, 'bases'>

/** Realtime answers look back this far. */
export const liveMs = 60 * 60_000
const minuteMs = 60_000

/** Rows of one session: one per day it has hits on, with the hits that this event brought. */
const rowsOf = (off: number, { s, h }: Touch): { day: number; row: Row }[] => {
  const [[startDay, vis]] = s.days as [[number, string]]
  // Nearly every visit has one day: its hits are taken as they are.
  if (s.days.length === 1) return [{ day: startDay, row: { off, vis, cont: 0, s, h } }]
  return s.days.map(([day, hash]) => ({
    day,
    row: { off, vis: hash, cont: day === startDay ? 0 : 1, s, h: h.filter((hit) => hit.day === day) },
  }))
}

const hashOn = ({ days }: Touch['s'], day: number): string => days.find(([one]) => one === day)![1]

const sumInto = (to: Record<string, number> | undefined, from: Record<string, number> | undefined): Record<string, number> | undefined => {
  if (!from) return to
  const sums: Record<string, number> = to ?? Object.create(null)
  for (const [name, n] of Object.entries(from)) sums[name] = (sums[name] ?? 0) + n
  return sums
}

export const addLedger = (to: LedgerSums | undefined, n: LedgerSums): LedgerSums => {
  if (!to) return { ...n, flagged: sumInto(undefined, n.flagged), refused: sumInto(undefined, n.refused) }
  to.received += n.received
  to.counted += n.counted
  to.repeated += n.repeated
  to.dead += n.dead
  to.lost += n.lost
  to.flagged = sumInto(to.flagged, n.flagged)
  to.refused = sumInto(to.refused, n.refused)
  return to
}

/** Lists by site and day; Maps, so that a site named `__proto__` is a site like any other. */
type ByDay<T> = Map<string, Map<number, T[]>>
const put = <T>(lists: ByDay<T>, site: string, day: number, value: T) => {
  let days = lists.get(site)
  if (!days) {
    days = new Map()
    lists.set(site, days)
  }
  const list = days.get(day)
  if (list) list.push(value)
  else days.set(day, [value])
}

const addLedgerRows = (accepted: readonly Accepted[], off: number, lists: ByDay<Row | LedgerRow>) => {
  const sums = new Map<string, Map<number, LedgerSums>>()
  for (const { event } of accepted) {
    const hours = sums.get(event.site) ?? new Map<number, LedgerSums>()
    hours.set(event.n.hour, addLedger(hours.get(event.n.hour), event.n))
    sums.set(event.site, hours)
  }
  for (const [site, hours] of sums) for (const [hour, n] of hours) put(lists, site, ledgerDay(utcDay(hour)), { off, n })
}

type Live = { minutes: Map<string, MinuteSums>; seen: Map<string, Seen> }

const addLive = ({ minutes, seen }: Live, site: string, { s, h, opened }: Touch, since: number) => {
  if (s.bot !== undefined) return
  let starts = opened === 1
  for (const { t, n, day } of h) {
    if (n === 'engagement' || t < since) continue
    const vis = hashOn(s, day)
    const minute = Math.floor(t / minuteMs) * minuteMs
    const name = `${site} ${minute}`
    const sums = minutes.get(name) ?? { site, minute, pageviews: 0, events: 0, visits: 0 }
    sums.events++
    if (n === 'pageview') sums.pageviews++
    if (starts && t === s.start) {
      sums.visits++
      starts = false
    }
    minutes.set(name, sums)
    const person = `${site} ${vis}`
    const last = seen.get(person)
    if (!last || last.t < t) seen.set(person, { site, vis, t })
  }
}

const blocksOf = (lists: ByDay<Row | LedgerRow>, from: number, to: number): Block[] =>
  [...lists].flatMap(([site, days]) => [...days].map(([day, rows]) => ({ site, day, from, to, rows: rows.length, body: encodeRows(rows) })))

/**
 * Everything that the events at offsets `[from, to)` write. Blocks hold exactly the rows of their interval (C1). Throws when the content
 * of one of them cannot be used.
 */
export const foldEvents = (accepted: readonly Accepted[], from: number, to: number): Folded => {
  const lists: ByDay<Row | LedgerRow> = new Map()
  const live: Live = { minutes: new Map(), seen: new Map() }
  for (const { offset, event } of accepted) {
    checkEvent(event)
    for (const touch of event.x) {
      for (const { day, row } of rowsOf(offset, touch)) {
        checkRow(row) // now, while it costs its event alone: among hot rows it would keep all of them from becoming a segment
        put(lists, event.site, day, row)
      }
      addLive(live, event.site, touch, event.lt - liveMs)
    }
  }
  if (accepted.length > 0) addLedgerRows(accepted, accepted.at(-1)!.offset, lists)
  return { blocks: blocksOf(lists, from, to), minutes: [...live.minutes.values()], seen: [...live.seen.values()] }
}

/** An event as it can be folded: itself, or as a dead one. It follows from the event alone, so that every fold says the same. */
const usable = (one: Accepted): Accepted => {
  try {
    foldEvents([one], one.offset, one.offset + 1)
    return one
  } catch {
    return { offset: one.offset, event: deadOf(one.event) }
  }
}

/**
 * The same, with events whose content cannot be used in the ledger as dead: one of them must not stop the partition for ever. `none`: not
 * one is to be used, whatever it holds.
 */
export const foldUsable = (
  accepted: readonly Accepted[],
  from: number,
  to: number,
  none = false,
): { events: EventRecord[]; change: Folded; dead: number } => {
  const fold = (all: readonly Accepted[]) => ({
    events: all.map(({ event }) => event),
    change: foldEvents(all, from, to),
    dead: all.filter(({ event }, i) => event !== accepted[i]!.event).length,
  })
  if (none) return fold(accepted.map(({ offset, event }) => ({ offset, event: deadOf(event) })))
  try {
    return fold(accepted)
  } catch {
    return fold(accepted.map(usable))
  }
}

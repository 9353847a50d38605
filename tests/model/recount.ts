import type { HitsRecord, RecordHit, RefusalsRecord } from '#shared/hit/record.ts'
import type { SiteConfig, ZoneSpan } from '#shared/site/config.ts'
import { meets } from './goals.ts'

/**
 * The independent recount: from the raw `hits` log to plain facts, by the written rules (design data.md §4.2, §10, §15) and with no
 * line of the pipeline. It keeps every hit, never a sum: what a visit is worth is counted from its hits whenever somebody asks.
 */

export type RawRecord = { partition: number; offset: number; time: number; body: string }

/** A hit that belongs to a visit. An `update` is an engagement hit: it says something about a page, but is no event. */
export type Fact = {
  id: string
  t: number
  day: number
  vis: string
  hit: RecordHit
  update: boolean
  /** It met a goal as the site was set when it came. */
  met: boolean
  /** Of an update: it lies within the visit, so that the visit lasts until it. */
  extends: boolean
}

export type Visit = {
  site: string
  /** Of its hits: none of another partition is ever part of it. */
  partition: number
  /** In order of arrival; the first one opened the visit. */
  facts: Fact[]
  /** The hit that its source is of. */
  opened: RecordHit
  bot: string | undefined
  source: string
  country: string | undefined
  isNew: boolean | undefined
  /** Log time of the record that last touched it. */
  touched: number
  /** Visitor and lane that find it as their latest visit; undefined = nobody does any more. */
  heldBy: string | undefined
}

export type LedgerHour = {
  received: number
  counted: number
  flagged: Record<string, number>
  refused: Record<string, number>
  repeated: number
  dead: number
}

/** That a hit was taken in, at log time `at`. */
export type Taken = { site: string; partition: number; id: string; at: number }

export type Recount = {
  visits: Visit[]
  taken: Taken[]
  /** By site, by beginning of the hour of receipt. */
  ledger: Map<string, Map<number, LedgerHour>>
}

const hourMs = 3_600_000
const dayMs = 24 * hourMs
const quarterMs = hourMs / 4

// Zones

const formats = new Map<string, Intl.DateTimeFormat>()
const walls = new Map<string, { date: number; hour: number }>()

/** What calendar and clock on a wall of a zone say: date YYYYMMDD and hour. No clock anywhere moves within a quarter of an hour. */
const wall = (tz: string, t: number): { date: number; hour: number } => {
  const quarter = Math.floor(t / quarterMs)
  const name = `${tz} ${quarter}`
  let known = walls.get(name)
  if (!known) {
    let format = formats.get(tz)
    if (!format) {
      format = new Intl.DateTimeFormat('sv-SE', {
        timeZone: tz,
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
        hour: '2-digit',
        hourCycle: 'h23',
      })
      formats.set(tz, format)
    }
    const digits = format.format(quarter * quarterMs).replace(/\D/g, '')
    known = { date: Number(digits.slice(0, 8)), hour: Number(digits.slice(8)) }
    walls.set(name, known)
  }
  return known
}

/**
 * Day and hour of an instant in a list of zones. After a change of zone at the end of day D it stays D until the new zone has D+1,
 * and that time lies in D's last hour: its clock has already shown all others.
 */
export const siteTime = (zones: readonly ZoneSpan[], t: number): { day: number; hour: number } => {
  const zone = zones.findLast(({ from }) => from <= t) ?? zones[0]!
  const { date, hour } = wall(zone.tz, t)
  const before = zones[zones.indexOf(zone) - 1]
  if (!before) return { day: date, hour }
  const ended = siteTime([before], zone.from - 1).day
  return date <= ended ? { day: ended, hour: 23 } : { day: date, hour }
}

// What a visit is, counted from its hits

const smallest = (numbers: number[]) => numbers.reduce((a, b) => Math.min(a, b))
const greatest = (numbers: number[]) => numbers.reduce((a, b) => Math.max(a, b))

export const events = (visit: Visit): Fact[] => visit.facts.filter(({ update }) => !update)
export const pageviews = (visit: Visit): Fact[] => events(visit).filter(({ hit }) => hit.n === 'pageview')
export const startOf = (visit: Visit): number => smallest(events(visit).map(({ t }) => t))
export const lastOf = (visit: Visit): number => greatest(visit.facts.filter((fact) => !fact.update || fact.extends).map(({ t }) => t))
/** The earliest of facts, of several at one time the one that came first. */
const earliest = (facts: Fact[]): Fact | undefined => facts.find(({ t }) => t === smallest(facts.map((fact) => fact.t)))
/** The latest of facts, of several at one time the one that came last. */
const latest = (facts: Fact[]): Fact | undefined => facts.findLast(({ t }) => t === greatest(facts.map((fact) => fact.t)))
export const startDayOf = (visit: Visit): number => earliest(events(visit))!.day
export const entryOf = (visit: Visit): Fact | undefined => earliest(pageviews(visit))
export const exitOf = (visit: Visit): Fact | undefined => latest(pageviews(visit))
export const foregroundOf = (visit: Visit): number => visit.facts.reduce((sum, { hit }) => sum + (hit.fg ?? 0), 0)

// Verdicts

export const isOwn = (config: SiteConfig, host: string) => [config.site, ...config.hosts].includes(host) || host.endsWith(`.${config.site}`)

export const covers = (rule: string, path: string) => (rule.endsWith('*') ? path.startsWith(rule.slice(0, -1)) : path === rule)

/** Why a hit is flagged; undefined = a person's. */
const verdict = (record: HitsRecord, hit: RecordHit, config: SiteConfig): string | undefined => {
  if (record.bot) return record.bot
  if (record.net?.rule) return record.net.rule
  if (hit.host !== undefined && !isOwn(config, hit.host)) return 'host'
  if (hit.path !== undefined && config.exclude.paths.some((rule) => covers(rule, hit.path!))) return 'path'
  if (record.geo?.c !== undefined && config.exclude.countries.includes(record.geo.c)) return 'country'
  return undefined
}

/** Enough of the rules of sources for what the plan sends. */
export const sourceOf = (hit: RecordHit, config: SiteConfig): string => {
  if (hit.q?.us) return hit.q.us
  if (hit.q?.clk) return hit.q.clk
  const host = hit.r?.split('/')[0]
  if (!host || isOwn(config, host)) return '(direct)'
  return host === 'google.com' ? 'Google' : host
}

const campaignOf = ({ q }: RecordHit) => [q?.us, q?.um, q?.uc, q?.clk].map((mark) => mark ?? null).join('\n')

export const becomesEndless = (visit: Visit) => lastOf(visit) - startOf(visit) > dayMs || events(visit).length > 10_000

// The log

const emptyHour = (): LedgerHour => ({ received: 0, counted: 0, flagged: {}, refused: {}, repeated: 0, dead: 0 })

const read = (body: string): HitsRecord | RefusalsRecord | undefined => {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/** The record of hits in a line of the log, if it is one. */
export const readHits = (body: string): HitsRecord | undefined => {
  const record = read(body)
  return record === undefined || 'led' in record ? undefined : record
}

type ConfigAt = (site: string, version: number) => SiteConfig

/** Of a partition's number the upper bits are its generation's: all hits of one come before those of the next. */
const generationOf = (partition: number): number => partition >> 12

/**
 * Everything that a log of hits says. `configAt` gives the version of a site that a record names. Nothing that is known of visits reaches
 * over partitions (data.md §10), and nothing of ids and lines but from one generation to the next, so each is counted by itself. A repeat within
 * `horizonMs` of log time is one.
 */
export const recount = (records: readonly RawRecord[], configAt: ConfigAt, horizonMs: number): Recount => {
  const all: Recount = { visits: [], taken: [], ledger: new Map() }
  const lines: Lines = new Map()
  const byPartition = [...Map.groupBy(records, (record) => record.partition)].sort(([a], [b]) => a - b)
  for (const [partition, own] of byPartition) recountPartition(partition, own, configAt, horizonMs, all, lines)
  return all
}

/** Highest line by site and source of an import, whose lines are all in one partition of a generation. */
type Lines = Map<string, number>

/** Adds what one partition says to `all`. */
const recountPartition = (
  partition: number,
  records: readonly RawRecord[],
  configAt: ConfigAt,
  horizonMs: number,
  all: Recount,
  lines: Lines,
): void => {
  const visits: Visit[] = []
  const taken: Taken[] = []
  const { ledger } = all
  let now = 0

  const ledgerHour = (site: string, t: number): LedgerHour => {
    if (!ledger.has(site)) ledger.set(site, new Map())
    const hours = ledger.get(site)!
    const hour = Math.floor(t / hourMs) * hourMs
    if (!hours.has(hour)) hours.set(hour, emptyHour())
    return hours.get(hour)!
  }

  const sourceName = ({ site, imp }: HitsRecord) => `${site} ${imp?.src}`

  const earlier = all.taken.filter((other) => generationOf(other.partition) < generationOf(partition))
  const isRepeat = ({ site, imp }: HitsRecord, { id, l = 0 }: RecordHit, before: number) =>
    imp ? l <= before : [...earlier, ...taken].some((other) => other.site === site && other.id === id && now - other.at <= horizonMs)

  /** Imported lines come when somebody imports them: a visit of theirs is held as long as the longest that a site may choose. */
  const heldBy = ({ site, cfg, imp }: HitsRecord, name: string): Visit | undefined => {
    const holdMs = (imp ? 475 * 60_000 : configAt(site, cfg).sessionTimeoutMs) + 15 * 60_000
    return visits.find((visit) => visit.site === site && visit.heldBy === name && now <= visit.touched + holdMs)
  }

  const takeRecord = (record: HitsRecord, time: number) => {
    const config = configAt(record.site, record.cfg)
    const hour = ledgerHour(record.site, time)
    const inTimeOrder = record.ev.map((hit, i) => ({ hit, i })).sort((a, b) => a.hit.t - b.hit.t || a.i - b.i)
    const lookedUp = new Map<string, Visit | undefined>()
    const before = lines.get(sourceName(record)) ?? 0
    if (record.imp) lines.set(sourceName(record), greatest([before, ...record.ev.map(({ l = 0 }) => l)]))
    for (const { hit } of inTimeOrder) {
      hour.received++
      if (isRepeat(record, hit, before)) {
        hour.repeated++
        continue
      }
      taken.push({ site: record.site, partition, id: hit.id, at: now })
      const reason = verdict(record, hit, config)
      const lane = reason === undefined ? 'people' : 'flagged'
      if (!lookedUp.has(lane)) {
        const names = [record.vis, ...(record.vprev === undefined ? [] : [record.vprev])]
        lookedUp.set(
          lane,
          names.map((name) => heldBy(record, `${name} ${lane}`)).find((visit) => visit !== undefined),
        )
      }
      const { visit, held } = place(record, hit, config, reason, lane, lookedUp.get(lane))
      lookedUp.set(lane, held)
      // A visit that is flagged already keeps its first reason.
      if (visit && visit.bot === undefined && becomesEndless(visit)) visit.bot = 'endless'
      const why = reason ?? (visit?.bot === 'endless' ? 'endless' : undefined)
      if (why === undefined) hour.counted++
      else hour.flagged[why] = (hour.flagged[why] ?? 0) + 1
    }
  }

  /** Puts a hit where it belongs: the visit it is now part of, if any, and the one that its lane holds afterwards. */
  const place = (
    record: HitsRecord,
    came: RecordHit,
    config: SiteConfig,
    reason: string | undefined,
    lane: string,
    held: Visit | undefined,
  ): { visit: Visit | undefined; held: Visit | undefined } => {
    // A referrer that is an own host when the hit comes is not kept.
    const hit = isOwn(config, came.r?.split('/')[0] ?? '') ? { ...came, r: undefined } : came
    const { t } = hit
    const name = `${record.vis} ${lane}`
    const timeout = config.sessionTimeoutMs
    const update = hit.n === 'engagement'
    const met = (config.goals ?? []).some((goal) => meets(goal, hit))
    const fact: Fact = { id: hit.id, t, day: siteTime(config.zones, t).day, vis: record.vis, hit, update, met, extends: false }

    const join = (visit: Visit) => {
      visit.facts.push(fact)
      visit.touched = now
      visit.heldBy = name
      return { visit, held: visit }
    }
    const open = (): Visit => {
      const isNew = record.fs === undefined ? undefined : record.fs >= fact.day
      const visit: Visit = {
        site: record.site,
        partition,
        facts: [fact],
        opened: hit,
        bot: reason,
        source: sourceOf(hit, config),
        country: record.geo?.c,
        isNew,
        touched: now,
        heldBy: undefined,
      }
      visits.push(visit)
      return visit
    }
    const openAside = () => ({ visit: open(), held })
    const openAnew = () => {
      for (const visit of visits) if (visit.site === record.site && visit.heldBy === name) visit.heldBy = undefined
      const visit = open()
      visit.heldBy = name
      return { visit, held: visit }
    }

    if (update) {
      if (!held) return { visit: undefined, held }
      fact.extends = startOf(held) - timeout <= t && t <= lastOf(held) + timeout
      return join(held)
    }
    if (!held || t > lastOf(held) + timeout) return openAnew()
    if (t < startOf(held) - timeout) return openAside()
    const otherDay = config.cutAtMidnight && fact.day !== startDayOf(held)
    const otherCampaign =
      config.cutAtCampaign && hit.n === 'pageview' && hit.q !== undefined && campaignOf(hit) !== campaignOf(held.facts[0]!.hit)
    if (otherDay || otherCampaign) return t > lastOf(held) ? openAnew() : openAside()
    return join(held)
  }

  for (const { time, body } of records) {
    now = Math.max(now, time)
    const record = read(body)
    if (record === undefined) {
      const hour = ledgerHour('', time)
      hour.received++
      hour.dead++
    } else if ('led' in record) {
      const hour = ledgerHour(record.site, record.hour)
      for (const [reason, n] of Object.entries(record.led)) {
        hour.received += n
        hour.refused[reason] = (hour.refused[reason] ?? 0) + n
      }
    } else takeRecord(record, time)
  }
  all.visits.push(...visits)
  all.taken.push(...taken)
}

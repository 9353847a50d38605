import type { Clock } from '#shared/clock.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import { type Handler, json, type Reply, type Request } from '#shared/handler.ts'
import type { Bus } from '#shared/ports/bus.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { Memtables } from '#shared/ports/memtables.ts'
import type { Replays, Versions } from '#shared/ports/replays.ts'
import type { Retention } from '#shared/ports/retention.ts'
import type { Progress, Segments } from '#shared/ports/segments.ts'
import type { Secrets } from '#shared/ports/sites.ts'
import { countOnce, createResults, type Results } from '#shared/query/columns/results.ts'
import { scanTables } from '#shared/query/columns/scan.ts'
import type { Sizes } from '#shared/query/columns/units.ts'
import type { Count } from '#shared/query/counting.ts'
import type { Answered } from '#shared/query/explore/asked.ts'
import { siteAsked } from '#shared/query/export/request.ts'
import { type Freshness, isoTime } from '#shared/query/freshness.ts'
import { balanced, createLedgerFold, ledgerRange } from '#shared/query/ledger.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { badQuery } from '#shared/query/names.ts'
import type { Scan } from '#shared/query/reference.ts'
import { createRooms } from '#shared/query/room.ts'
import { type Access, allow, identify } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { siteName } from '#shared/site/domain.ts'
import { allPartsOf, createKnownGenerations, type GenerationList, readerStaleMs } from '#shared/site/generations.ts'
import type { KnownSites } from '#shared/site/known-sites.ts'
import { partitionsOf } from '#shared/site/shards.ts'
import { addDays, type Calendar, calendarOf, isoDay, utcDay } from '#shared/site/zone.ts'
import { createExports } from './export.ts'
import { createLive } from './live.ts'
import { preflight, withOrigin } from './origins.ts'
import { previewAsked, previewed } from './preview.ts'
import { type Ask, type Question, questions } from './questions.ts'
import { createReached, type Reached } from './reached.ts'
import { beginReading, createPause, type Pause, type Reading, reread } from './reading.ts'
import { createReadings, type Readings } from './readings.ts'
import { answerShare, createSharing, sharePath } from './shares.ts'
import { createTables, type TablesOf } from './tables.ts'
import { createTurns, type Turns } from './turns.ts'

/** query-metrics: reports, the live stream and the ledger of a site. It only reads; who may see a site is decided before anything is looked up. */

export type Ports = {
  memtables: Memtables
  segments: Segments
  progress: Pick<Progress, 'get'>
  retention: Pick<Retention, 'dropped'>
  versions: Pick<Versions, 'active' | 'days' | 'job'>
  replays: Pick<Replays, 'find'>
  hits: LogReader
  sites: KnownSites
  secrets: Secrets
  generations: GenerationList
  bus: Bus
  clock: Clock
}

/** What the requests of one process share. */
type Shared = Ports & {
  reached: Reached
  live: ReturnType<typeof createLive>
  turns: Turns
  rooms: ReturnType<typeof createRooms>
  tables: ReturnType<typeof createTables>
  results: Results
  readings: Readings<Standing>
  exports: ReturnType<typeof createExports>
  sharing: ReturnType<typeof createSharing>
}
/** The site that a request turned out to be about: from then on its listed origins may read the reply, also where it is an error. */
type Seen = { site: SiteConfig | undefined }

/** Node gives a thread at least this on a machine of 1 GB. */
const smallestHeap = 256 * 2 ** 20

/** Decoded columns that are kept, beside the heap, by this one and its helpers. */
const mostCached = 256 * 2 ** 20

export type Options = {
  /** What the thread's heap may grow to; questions share half of it. */
  heapBytes?: number
  /** Who counts a share of large questions (shares.ts), and what is large. */
  helpers?: readonly Handler[] | undefined
  sizes?: Sizes
  /** Told of a helper that could not help. */
  onError?: ((error: unknown) => void) | undefined
}

const noStore = { 'cache-control': 'no-store' }
const livePath = '/api/live/'

export const createHandler = (
  ports: Ports,
  { heapBytes = smallestHeap, helpers = [], sizes, onError = () => undefined }: Options = {},
): Handler => {
  const reached = createReached(ports)
  const known = { ...ports, reached, generations: createKnownGenerations(ports.generations, ports.clock, readerStaleMs) }
  const working = {
    ...known,
    live: createLive(known),
    turns: createTurns(ports.clock),
    rooms: createRooms(heapBytes / 2),
    tables: createTables(ports, Math.min(heapBytes / 4, mostCached / (helpers.length + 1))),
    results: createResults(heapBytes / 16),
    readings: createReadings<Standing>(),
    sharing: createSharing(helpers, onError, sizes),
  }
  const shared: Shared = { ...working, exports: createExports(working, (site, calendar) => keptFrom(known, site, calendar)) }
  return async (request) => {
    const seen: Seen = { site: undefined }
    const answer = (reply: Reply): Reply => (seen.site ? withOrigin(reply, request, seen.site) : reply)
    try {
      return answer(await route(shared, request, seen))
    } catch (error) {
      // What the domain foresees is an answer; an outage or a surprise is the runtime's to log and to answer.
      if (error instanceof FootfallError && error.status < 500) return answer(replyOf(error))
      throw error
    }
  }
}

const route = async (ports: Shared, request: Request, seen: Seen): Promise<Reply> => {
  const { path } = request
  if (request.method === 'OPTIONS') return await preflight(ports.sites, request)
  const question = questions.get(path)
  if (question) {
    needMethod(request, 'POST')
    return await questionReply(ports, request, seen, question)
  }
  if (path === sharePath) {
    needMethod(request, 'POST')
    return await answerShare(ports, request)
  }
  if (path === '/api/v2/export') {
    needMethod(request, 'GET')
    const access = await accessOf(ports, request)
    const asked = new URLSearchParams(request.query)
    const site = await visibleSite(ports, access, siteAsked(asked), seen)
    return await ports.exports(site, access.hash, asked, request.signal)
  }
  if (path === '/api/ledger') {
    needMethod(request, 'GET')
    return await ledgerReply(ports, request, seen)
  }
  if (path.startsWith(livePath)) {
    needMethod(request, 'GET')
    const access = await accessOf(ports, request)
    const site = await visibleSite(ports, access, decode(path.slice(livePath.length)), seen)
    return await ports.live(site, access.hash, request.signal)
  }
  throw new FootfallError('not-found')
}

const needMethod = (request: Request, method: string): void => {
  if (request.method !== method) throw new FootfallError('wrong-method', { detail: `Send ${method}.` })
}

const decode = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text // not percent-encoded after all: such a site does not exist
  }
}

const accessOf = async ({ secrets, clock }: Ports, request: Request): Promise<Access> => {
  const access = await identify(request, secrets, clock.now())
  if (!access) throw new FootfallError('wrong-key')
  return access
}

/** The site that an access sees. A site it cannot see and one that does not exist are told apart only to who sees all. */
const visibleSite = async ({ sites }: Ports, access: Access, text: string, seen: Seen): Promise<SiteConfig> => {
  const name = siteName(text) ?? text.slice(0, 300)
  // '' is what an access for all sites is stored with; as the name of a site it must not pass for one.
  allow(access, name, 'read')
  const site = name === '' ? undefined : await sites.newest(name)
  if (!site) throw new FootfallError(access.site === '' ? 'unknown-site' : 'wrong-key')
  seen.site = site
  return site
}

const parseBody = (request: Request): unknown => {
  if (request.body.length > queryLimits.bodyBytes) throw new FootfallError('too-large')
  try {
    return JSON.parse(request.body.toString('utf8'))
  } catch (cause) {
    throw new FootfallError('bad-query', { detail: `The body is not JSON: ${(cause as Error).message}`, cause })
  }
}

const siteOf = (body: unknown): string => {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw badQuery('query', 'expected an object')
  const site: unknown = Object.hasOwn(body, 'site_id') ? (body as { site_id: unknown }).site_id : undefined
  if (typeof site !== 'string') throw badQuery('site_id', 'expected the domain of a site')
  return site
}

const questionReply = async (ports: Shared, request: Request, seen: Seen, question: Question): Promise<Reply> => {
  const access = await accessOf(ports, request)
  const body = parseBody(request)
  const site = await visibleSite(ports, access, siteOf(body), seen)
  const { replay, rest } = request.path === '/api/v2/query' ? previewAsked(body) : { replay: undefined, rest: body }
  const ask = question(rest, site)
  return await ports.readings(JSON.stringify([site.site, site.version, replay]), (stand) =>
    ports.turns(access.hash, request.signal, () => {
      const pause = createPause(ports.clock, request.signal)
      return reread(async () => {
        const standing = await stand(() => beginStanding(ports, site, replay))
        return await answerReply(ports, { pause, signal: request.signal, site, standing }, ask)
      })
    }),
  )
}

/** A reading, and what all questions ask of it. */
type Standing = {
  reading: Reading
  freshness: Freshness
  data: { first: number; last: number } | undefined
  tables: (pause: Pause) => TablesOf
}

const beginStanding = async (ports: Shared, site: SiteConfig, replay: string | undefined): Promise<Standing> => {
  const own = partitionsOf(site.site, site, await ports.generations.list())
  const reading = await beginReading(ports, site.site, own, await previewed(ports, site.site, own, replay))
  const [freshness, data] = await Promise.all([reading.freshness(), reading.days()])
  return { reading, freshness, data, tables: ports.tables({ reading, data, calendar: calendarOf(site.zones) }) }
}

type Known = { pause: Pause; signal: AbortSignal | undefined; site: SiteConfig; standing: Standing }

const answerReply = async (ports: Shared, { pause, signal, site, standing }: Known, ask: Ask): Promise<Reply> => {
  const { reading, freshness, data } = standing
  const room = ports.rooms.open()
  try {
    const calendar = calendarOf(site.zones)
    const tables = standing.tables(pause)
    const counted = ports.sharing({ site, reading, data, signal })
    const scanned = scanTables({ tables, calendar, room, pause })
    let from = Number.POSITIVE_INFINITY
    const count: Count = async (plan) => {
      from = Math.min(from, plan.range.from)
      return await countOnce(await tables(plan.range), plan, ports.results, counted)
    }
    const scan: Scan = (range, columns) => {
      from = Math.min(from, range.from)
      return scanned(range, columns)
    }
    const answer = await ask({ site, now: ports.clock.now(), data, count, scan, pause, room })
    const kept = await keptFrom(ports, site, calendar)
    return replyWith(freshness, answer, kept !== undefined && from < kept ? kept : undefined, reading.ground.transit)
  } finally {
    room.close()
  }
}

/** Where the rows of a site begin that are all kept; `undefined` when none was dropped. */
const keptFrom = async ({ retention, generations }: Ports, site: SiteConfig, calendar: Calendar): Promise<number | undefined> => {
  const own = partitionsOf(site.site, site, await generations.list())
  const last = await Promise.all(own.map((partition) => retention.dropped(partition, site.site)))
  const newest = Math.max(...last.map((day) => day ?? 0))
  return newest === 0 ? undefined : calendar.span(newest).end
}

const replyWith = (
  freshness: Freshness,
  answer: Answered,
  completeFrom: number | undefined,
  transit: Reading['ground']['transit'],
): Reply => {
  const { asOf, lagMs, incompleteSince } = freshness
  const meta = {
    as_of: isoTime(asOf),
    lag_ms: lagMs,
    ...answer.meta,
    ...(incompleteSince === undefined ? {} : { incomplete_since: isoTime(incompleteSince) }),
    ...(completeFrom === undefined ? {} : { complete_from: isoTime(completeFrom) }),
    ...(transit === undefined ? {} : { replaying: { from: isoDay(transit.from), to: isoDay(transit.to) } }),
  }
  return json(200, { ...answer, meta }, noStore)
}

const utc: Calendar = calendarOf([{ tz: 'UTC', from: 0 }])

const ledgerReply = async (ports: Shared, request: Request, seen: Seen): Promise<Reply> => {
  const access = await accessOf(ports, request)
  const asked = new URLSearchParams(request.query)
  const name = asked.get('site')
  if (name === null) throw new FootfallError('bad-request', { detail: 'site: expected the domain of a site.' })
  // Refusals of unknown sites lie under the site '': only who sees all sites may see them.
  const site = name === '' ? undefined : await visibleSite(ports, access, name, seen)
  if (!site) allow(access, '', 'read')
  const range = ledgerRange(
    asked.get('from') ?? undefined,
    asked.get('to') ?? undefined,
    site ? calendarOf(site.zones) : utc,
    ports.clock.now(),
  )
  if (typeof range === 'string') throw new FootfallError('bad-request', { detail: range })
  return await ports.turns(access.hash, request.signal, () => {
    const pause = createPause(ports.clock, request.signal)
    return reread(() => foldLedger(ports, pause, site, range))
  })
}

const foldLedger = async (
  ports: Shared,
  pause: Pause,
  site: SiteConfig | undefined,
  range: { from: number; to: number },
): Promise<Reply> => {
  // Nobody's: refusals of unknown sites, and in every partition the records that could not be read or were lost.
  const list = await ports.generations.list()
  const own = site ? partitionsOf(site.site, site, list) : list.flatMap(allPartsOf)
  const reading = await beginReading(ports, site?.site ?? '', own)
  const { pendingRecords, pendingMs } = await reading.freshness()
  const fold = createLedgerFold(range)
  for (const partition of own) {
    for (let day = utcDay(range.from); day <= utcDay(range.to - 1); day = addDays(day, 1)) {
      for await (const rows of reading.ledger(partition, day)) {
        fold.add(rows)
        await pause()
      }
    }
  }
  const hours = fold.hours()
  return json(200, { hours, pending: { records: pendingRecords, age_ms: pendingMs }, balanced: balanced(hours) }, noStore)
}

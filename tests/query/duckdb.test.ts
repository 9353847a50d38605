import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { answerQuery } from '#shared/query/answer.ts'
import type { Table } from '#shared/query/columns/table.ts'
import { resolveRange } from '#shared/query/dates.ts'
import { columnNames } from '#shared/query/export/columns.ts'
import { ndjson } from '#shared/query/export/lines.ts'
import { parquet } from '#shared/query/export/parquet.ts'
import { parseExport } from '#shared/query/export/request.ts'
import { prepareExport } from '#shared/query/export/rows.ts'
import { endless } from '#shared/query/room.ts'
import { parseQuery } from '#shared/query/schema.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { createRandom } from '../model/random.ts'
import { type AnswerRow, type Asked, openDuck, type Site, sqlDimensions, sqlTimes } from './duckdb.ts'
import { nights, type Random, randomFilter, randomRange, randomVisit, some, zones } from './random.ts'
import { aWorld, start } from './service.ts'
import { countDays, tableOf } from './tables.ts'
import { type AVisit, aSite, blocksOf } from './world.ts'

/**
 * The column engine against a database that knows nothing of it: what is exported is read by DuckDB, and what the engine answers of the
 * tables must be what SQL answers of the exported rows.
 */

const duck = await openDuck()
const folder = mkdtempSync(join(tmpdir(), 'footfall-duckdb-'))
afterAll(() => {
  duck.close()
  rmSync(folder, { recursive: true })
})

/** Clocks that change at midnight, or by half an hour. */
const odd: readonly [string, string][] = [
  ['America/Santiago', '2026-04-05T03:00:00Z'],
  ['America/Santiago', '2026-09-06T04:00:00Z'],
  ['America/Havana', '2026-11-01T05:00:00Z'],
  ['Africa/Cairo', '2026-10-29T21:00:00Z'],
  ['Australia/Lord_Howe', '2026-04-04T15:00:00Z'],
]
const metrics = [
  ...['visitors', 'visits', 'pageviews', 'events', 'views_per_visit', 'percentage', 'new_visitors', 'exit_rate'],
  ...['bounce_rate', 'engaged_visits', 'engagement_rate', 'visit_duration', 'total_revenue', 'average_revenue'],
]
/** They ask whether there is a page, which an export shows of pages that are not empty. */
const metricsOfPages = ['time_on_page', 'scroll_depth']

/** At times a visit ends with two pageviews of one instant, of which the later one is the exit. */
const withTwin = (random: Random, visit: AVisit): AVisit => {
  const last = visit.hits!.at(-1)!
  const isPage = last.n === undefined && random.chance(0.3)
  return isPage ? { ...visit, hits: [...visit.hits!, { ...last, ti: last.ti === 'A' ? 'B' : 'A' }] } : visit
}

/** More of what texts and amounts may be; without empty pages, where so many metrics are asked. */
const enriched = (random: Random, visit: AVisit, hasEmpty: boolean): AVisit => ({
  ...visit,
  at: new Date(Date.parse(visit.at) + random.below(1_000)).toISOString(),
  hits: visit.hits!.map((hit) => ({
    ...hit,
    ...(hit.path === '' && !hasEmpty ? { path: '/É' } : {}),
    ...(hit.path === '/b' && random.chance(0.3) ? { path: `/it's "é"` } : {}),
    ...(hit.ti && random.chance(0.3) ? { ti: 'a' } : {}),
    ...(hit.p && random.chance(0.2) ? { p: { ...hit.p, plan: random.pick([2.5, false, 'Pro', "'"]) } } : {}),
    ...(hit.rev && random.chance(0.3) ? { rev: { a: random.pick(['129901', '-50000', '3']), c: random.pick(['JPY', 'KWD', 'EUR']) } } : {}),
  })),
})

/** No table of countries is at hand in SQL. */
const knownInSql = <T>(filter: T): T => JSON.parse(JSON.stringify(filter).replaceAll('visit:country_name', 'visit:country'))

const ownLeaf = (random: Random): unknown[] => {
  const name = random.pick(sqlDimensions)
  const op = random.pick(['is', 'is_not', 'contains', 'contains_not', 'matches', 'matches_not'])
  if (op.startsWith('matches')) return [op, name, some(random, ['(?i)É', '^/(a|b)?$', '\\d', '["\']', '^.{2,4}$', '(?i)pro|free'], 2)]
  const values = some(random, ['/a', '/É', '2.5', 'É', "'", 'Pro', 'false', 'example.com', 'signup', 'Firefox', '02', '7', '["plan"]'], 3)
  return random.chance(0.3) ? [op, name, values, { case_sensitive: false }] : [op, name, values]
}

/** What many hits pass, and not all. */
const likely: readonly unknown[][] = [
  ['is', 'event:name', ['signup']],
  ['is', 'event:page', ['/', '/a']],
  ['contains', 'event:page', ['É'], { case_sensitive: false }],
  ['contains', 'event:title', ['A']],
  ['is', 'event:props:plan', ['pro', 'free']],
  ['matches', 'event:hostname', ['^www']],
  ['is_not', 'visit:source', ['Google']],
  ['is', 'visit:new', ['new']],
]

const ownFilter = (random: Random): unknown[] => {
  const x = random.next()
  if (x < 0.3) return random.pick(likely)
  if (x < 0.6) return [random.pick(['has_done', 'has_not_done']), random.pick(likely.slice(0, 6))]
  return x < 0.8 ? ownLeaf(random) : ['or', [random.pick(likely), ownLeaf(random)]]
}

/** About when hits come, and exactly when. */
type Moments = { night: number; moments: readonly number[] }
const momentsOf = (night: number, visits: readonly AVisit[]): Moments => ({
  night,
  moments: visits.flatMap(({ at, hits = [] }) => hits.map(({ after = 0 }) => Date.parse(at) + after * 1_000)),
})

const ownRange = (random: Random, { night, moments }: Moments): Asked['date_range'] => {
  if (random.chance(0.5)) return randomRange(random, night) as Asked['date_range']
  if (random.chance(0.6)) return random.pick(['day', 'month', 'year', '1d', '3d', '1mo', '24h'])
  // The edges are where hits are: of a second, or of a millisecond.
  const [from, to] = [random.pick(moments), random.pick(moments)].sort((a, b) => a - b) as [number, number]
  const length = random.pick([19, 23])
  return [from, to].map((at) => `${new Date(at).toISOString().slice(0, length)}Z`) as [string, string]
}

const randomQuestion = (random: Random, at: Moments, hasEmpty: boolean): Asked => {
  const own = some(random, sqlDimensions, 3)
  const range = ownRange(random, at)
  const isLong = typeof range === 'string' && /^month|year|mo$/.test(range)
  const time = random.chance(0.45) ? [random.pick(isLong ? sqlTimes.slice(1) : sqlTimes)] : []
  const dimensions = random.chance(0.15) ? time : [...own.slice(0, 3 - time.length), ...time]
  const asked = some(random, hasEmpty ? metrics : [...metrics, ...metricsOfPages], 6)
  const filter = () => (random.chance(0.6) ? ownFilter(random) : knownInSql(randomFilter(random, 2)))
  // Which of several currencies rows are ordered by is told elsewhere.
  const sortable = [...asked.filter((metric) => !metric.endsWith('_revenue')), ...dimensions]
  const order = sortable.length > 0 && (asked[0]!.endsWith('_revenue') || random.chance(0.4)) ? some(random, sortable, 2) : []
  return {
    metrics: asked[0]!.endsWith('_revenue') && order.length === 0 ? ['visitors', ...asked.filter((one) => one !== 'visitors')] : asked,
    dimensions,
    filters: random.chance(0.45) ? [] : Array.from({ length: random.chance(0.3) ? 2 : 1 }, filter),
    date_range: range,
    include: { bots: random.chance(0.3) },
    ...(order.length > 0 ? { order_by: order.map((by): [string, 'asc' | 'desc'] => [by, random.pick(['asc', 'desc'] as const)]) } : {}),
    ...(random.chance(0.2) ? { pagination: { limit: 1 + random.below(6), offset: random.below(3) } } : {}),
  }
}

/** A site of some visits, as tables of days in so many intervals. */
const worldOf = (site: SiteConfig, visits: readonly AVisit[], oneEvent: boolean, now: number) => {
  const blocks = blocksOf(site, visits, oneEvent)
  const days = [...blocks.keys()].sort((a, b) => a - b)
  const calendar = calendarOf(site.zones)
  const data = { first: days[0]!, last: days.at(-1)! }
  const tables = new Map([1, 2, 5].map((intervals) => [intervals, days.map((day) => tableOf(day, blocks.get(day)!, intervals))]))
  return { site, calendar, data, now, tables }
}
type World = ReturnType<typeof worldOf>
type Piece = string | Uint8Array | undefined

/** What the product exports of tables where so much is asked. */
const exporting = async ({ site, calendar, data, now }: World, tables: readonly Table[], asked: Record<string, string>) => {
  const request = parseExport(new URLSearchParams({ site_id: site.site, ...asked }), site)
  const range = resolveRange(request.dates, calendar, now, data)
  const rows = await prepareExport(tables, { ...request, range, calendar, room: endless, pause: () => undefined })
  return { columns: request.columns, batches: rows(() => undefined) }
}

const everything = { date_range: 'all', columns: columnNames.join(), bots: 'true', updates: 'true' }

/** All rows of a site, as the product writes them into a file. */
const exported = async (world: World, tables: readonly Table[], format: 'parquet' | 'ndjson'): Promise<string> => {
  const { columns, batches } = await exporting(world, tables, { ...everything, format })
  const writer = format === 'parquet' ? parquet(columns) : ndjson(columns, world.calendar)
  const pieces: Piece[] = [writer.begin()]
  for await (const batch of batches) pieces.push(writer.rows(batch))
  pieces.push(writer.end())
  return written(pieces, format)
}

/** How many rows an export has whose range and filters are those of a question. */
const exportedRows = async (world: World, tables: readonly Table[], { date_range, filters, include }: Asked): Promise<number> => {
  const asked = { date_range: String(date_range), filters: JSON.stringify(filters), bots: String(include.bots), columns: 'time' }
  let rows = 0
  for await (const batch of (await exporting(world, tables, asked)).batches) rows += batch.rows
  return rows
}

const written = (pieces: readonly Piece[], format: string): string => {
  const file = join(folder, `hits.${format}`)
  writeFileSync(file, Buffer.concat(pieces.map((piece) => Buffer.from(piece ?? ''))))
  return file
}

const answered = async ({ site, calendar, data, now, tables }: World, asked: Asked, intervals: number): Promise<AnswerRow[]> => {
  const query = parseQuery({ site_id: site.site, ...asked }, site)
  const count = countDays(tables.get(intervals)!, calendar)
  const { results } = await answerQuery({ query, site, now, data, count, pause: () => undefined })
  return results.map(({ dimensions, metrics }) => ({ dimensions: [...dimensions], metrics }))
}

const questionsEach = 4
/** Answers that say something. */
let telling = 0

const compare = async (seed: number, { world, random, at, hasEmpty, tables }: ReturnType<typeof seeded>): Promise<void> => {
  const { site, now } = world
  const { identity, bounce } = site
  const seen: Site = { tz: site.zones[0]!.tz, now: new Date(now).toISOString(), identity, bounce }
  for (let n = 0; n < questionsEach; n++) {
    const asked = randomQuestion(random, at, hasEmpty)
    const expected = await duck.ask(asked, seen)
    if (expected.some(({ metrics }) => metrics.some((value) => value !== 0 && value !== null))) telling++
    for (const intervals of [1, 2, 5]) {
      const said = `seed ${seed}, question ${n}, days in ${intervals}: ${JSON.stringify({ ...seen, ...asked })}`
      expect(await answered(world, asked, intervals), said).toEqual(expected)
    }
    if (n > 0) continue
    const { pagination, order_by, ...plain } = asked
    const [{ metrics: events } = {}] = await duck.ask({ ...plain, metrics: ['events'], dimensions: [] }, seen)
    expect([await exportedRows(world, tables, asked)], `seed ${seed}, question ${n}, rows exported: ${JSON.stringify(asked)}`).toEqual(
      events,
    )
  }
}

const seeds = 200

const seeded = (seed: number) => {
  const random = createRandom(50_000 + seed)
  const [tz, change] = random.chance(0.3) ? random.pick(odd) : [random.pick(zones), random.pick(nights)]
  const night = Date.parse(change)
  const site = aSite({
    zones: [{ tz, from: 0 }],
    identity: random.pick(['cookie', 'cookieless'] as const),
    bounce: random.pick(['engaged', 'single-page'] as const),
  })
  const hasEmpty = random.chance(0.4)
  const visits = Array.from({ length: 1 + random.below(40) }, () =>
    enriched(random, withTwin(random, randomVisit(random, night)), hasEmpty),
  )
  const at = momentsOf(night, visits)
  const now = random.chance(0.3) ? random.pick(at.moments) - random.below(1_000) : night + (random.below(48) + 12) * 3_600_000
  const world = worldOf(site, visits, random.chance(0.5), now)
  return { random, at, world, hasEmpty, tables: world.tables.get(random.pick([1, 2, 5]))! }
}

describe('what is answered is what SQL answers of the exported rows', () => {
  it.each(Array.from({ length: seeds }, (_, seed) => seed))('seed %i', async (seed) => {
    const chosen = seeded(seed)
    const { world, tables } = chosen
    // NDJSON has other ways to lose something: times with an offset, amounts and properties as text.
    const file = await exported(world, tables, seed % 10 === 9 ? 'ndjson' : 'parquet')
    expect(await duck.load(file, world.site.zones[0]!.tz), `seed ${seed}, times that are shown otherwise`).toBe(0)
    await compare(seed, chosen)
  })

  it('most answers say something', () => {
    expect(telling).toBeGreaterThan((seeds * questionsEach) / 2)
  })
})

describe('the function that answers both', () => {
  const tz = 'Europe/Berlin'
  const night = Date.parse('2026-03-14T12:00:00Z')

  it.each(['parquet', 'ndjson'])('exports as %s what it answers', async (format) => {
    const random = createRandom(format.length)
    const world = await aWorld()
    const visits = Array.from({ length: 60 }, () => enriched(random, randomVisit(random, night), false))
    const at = momentsOf(night, visits)
    await world.visit(...visits)
    const { site, identity, bounce } = world.site
    const query = String(new URLSearchParams({ site_id: site, ...everything, format }))
    const reply = await world.send('/api/v2/export', { key: world.read, query })
    const pieces: Piece[] = []
    for await (const piece of reply.body as AsyncIterable<Piece>) pieces.push(piece)
    expect(await duck.load(written(pieces, format), tz)).toBe(0)
    for (let n = 0; n < 40; n++) {
      const asked = randomQuestion(random, at, false)
      const { status, results } = await world.ask({ ...asked })
      expect(status).toBe(200)
      expect(results, JSON.stringify(asked)).toEqual(await duck.ask(asked, { tz, now: new Date(start).toISOString(), identity, bounce }))
    }
  })
})

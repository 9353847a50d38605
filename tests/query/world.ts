import { createHash } from 'node:crypto'
import { expect } from 'vitest'
import { type Answer, answerQuery } from '#shared/query/answer.ts'
import type { Table } from '#shared/query/columns/table.ts'
import type { Count } from '#shared/query/counting.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { createMerge } from '#shared/query/merge.ts'
import { countVisits } from '#shared/query/reference.ts'
import { parseQuery } from '#shared/query/schema.ts'
import { encodeRows } from '#shared/rollup/block.ts'
import type { Block, Row } from '#shared/segment/row.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { calendarOf } from '#shared/site/zone.ts'
import type { EventHit, Session } from '#shared/visit/event.ts'
import { type Cut, countDays, type Layout, layouts, tablesOf } from './tables.ts'

/** A small world for queries: visits in plain words, the rows they leave, and a question to them. */

export const aSite = (fields: Partial<SiteConfig> = {}): SiteConfig => ({
  site: 'example.com',
  version: 1,
  at: 0,
  created: 0,
  zones: [{ tz: 'Europe/Berlin', from: 0 }],
  identity: 'cookie',
  key: '',
  sessionTimeoutMs: 1_800_000,
  cutAtMidnight: false,
  cutAtCampaign: false,
  bounce: 'engaged',
  hosts: [],
  params: [],
  exclude: { paths: [], countries: [], addresses: [] },
  origins: [],
  ...fields,
})

/** A hit `at` an instant, or so many seconds after its visit's start. */
export type AHit = { at?: string; after?: number } & Partial<Omit<EventHit, 't' | 'day' | 'vis' | 'id'>>
export type AVisit = { at: string; who?: string; hits?: AHit[] } & Partial<Omit<Session, 'id' | 'start' | 'days'>> & {
    /** Visitor hash per later day, where it changes (cookieless). */
    whoNext?: string
  }

let count = 0

/** The hash of somebody. */
export const visitorHash = (who: string): string => createHash('sha256').update(who).digest('hex').slice(0, 12)

const hitOf = (start: number, { at, after = 0, ...rest }: AHit): Omit<EventHit, 'day' | 'vis'> => {
  const n = rest.n ?? 'pageview'
  const page = n === 'pageview' || n === 'engagement' ? { path: '/', host: 'example.com' } : {}
  return { id: `h${count++}`, t: at === undefined ? start + after * 1000 : Date.parse(at), ...page, ...rest, n }
}

const sessionOf = (hits: readonly Omit<EventHit, 'day' | 'vis'>[]): Partial<Session> => {
  const pages = hits.filter(({ n }) => n === 'pageview')
  const sum = (values: (number | undefined)[]) => values.reduce<number>((a, b) => a + (b ?? 0), 0)
  return {
    last: hits.reduce((last, { t }) => Math.max(last, t), 0),
    pv: pages.length,
    ev: hits.filter(({ n }) => n !== 'engagement').length,
    fg: sum(hits.map(({ fg }) => fg)),
    ...(pages.length > 0
      ? {
          entry: pages[0]!.path,
          entryHost: pages[0]!.host,
          entryT: pages[0]!.t,
          exit: pages.at(-1)!.path,
          exitHost: pages.at(-1)!.host,
          exitT: pages.at(-1)!.t,
        }
      : {}),
  }
}

/** The rows that visits leave, as blocks by day. Each hit comes in an event of its own, so rows repeat as they do in life (or all of a visit in one). */
export const blocksOf = (site: SiteConfig, visits: readonly AVisit[], oneEvent = false): Map<number, Block[]> => {
  const calendar = calendarOf(site.zones)
  const days = new Map<number, Block[]>()
  let off = 0
  const put = (day: number, row: Row) => {
    const block = { site: site.site, day, from: row.off, to: row.off + 1, rows: 1, body: encodeRows([row]) }
    days.set(day, [...(days.get(day) ?? []), block])
  }
  for (const { at, who = `v${count}`, whoNext, hits: given = [{}], ...fields } of visits) {
    const start = Date.parse(at)
    const id = `s${count++}`
    const hits = given.map((hit) => hitOf(start, hit)).sort((a, b) => a.t - b.t)
    for (const n of oneEvent ? [hits.length - 1] : hits.keys()) {
      const known = hits.slice(0, n + 1)
      const came = oneEvent ? hits : [hits[n]!]
      const own = [...new Set(known.map(({ t }) => calendar.dayAt(t).day))].sort((a, b) => a - b)
      const hashes = own.map((day, i): [number, string] => [day, visitorHash(i === 0 ? who : (whoNext ?? who))])
      const s = { id, start, days: hashes, src: '(direct)', chan: 'Direct', dev: 'Desktop', ...sessionOf(known), ...fields } as Session
      for (const [i, [day, vis]] of hashes.entries())
        put(day, { off, vis, cont: i === 0 ? 0 : 1, s, h: came.filter(({ t }) => calendar.dayAt(t).day === day) })
      off++
    }
  }
  return days
}

/** How a question over days that lie so is cut up: not at all, into ranges of a few visitors, into shares too. */
const cuts: Record<Layout, Cut> = {
  1: {},
  2: { sizes: { unit: 4, range: 2 }, shares: 3 },
  5: { sizes: { unit: 1_000, range: 1 } },
  closed: { sizes: { unit: 4, range: 2 }, shares: 2 },
  'some closed': {},
}

export const defaultNow = '2026-03-15T12:00:00Z'

/** The rows of visits and their tables in every layout: many questions are asked of the same visits. */
const made = new WeakMap<readonly AVisit[], Map<string, Promise<{ blocks: Map<number, Block[]>; tables: Map<Layout, Table[]> }>>>()

const make = async (site: SiteConfig, visits: readonly AVisit[], oneEvent: boolean) => {
  const blocks = blocksOf(site, visits, oneEvent)
  const tables = new Map<Layout, Table[]>()
  for (const layout of layouts) tables.set(layout, await tablesOf(site, blocks, layout))
  return { blocks, tables }
}

const madeOf = (site: SiteConfig, visits: readonly AVisit[], oneEvent: boolean): ReturnType<typeof make> => {
  const known = made.get(visits) ?? new Map<string, ReturnType<typeof make>>()
  made.set(visits, known)
  const key = JSON.stringify([site, oneEvent])
  const found = known.get(key) ?? make(site, visits, oneEvent)
  known.set(key, found)
  return found
}

type Asked = { site: SiteConfig; now: number; blocks: ReadonlyMap<number, readonly Block[]> }

const askEngine = (query: Record<string, unknown>, { site, now, blocks }: Asked, count: Count): Promise<Answer> => {
  const days = [...blocks.keys()]
  return answerQuery({
    query: parseQuery({ site_id: site.site, date_range: 'all', ...query }, site),
    site,
    now,
    data: days.length > 0 ? { first: Math.min(...days), last: Math.max(...days) } : undefined,
    count,
    pause: () => undefined,
  })
}

/** What the reference fold answers of the rows in these blocks, by day. */
export const askReference = (query: Record<string, unknown>, asked: Asked): Promise<Answer> => {
  const { site, blocks } = asked
  const calendar = calendarOf(site.zones)
  const count = countVisits(async function* (range, columns) {
    const merge = createMerge(columns, range, calendar)
    for (const [day, own] of [...blocks].sort(([a], [b]) => a - b)) {
      const { start, end } = calendar.span(day)
      if (end <= range.from || start >= range.to) continue
      for (const block of own) merge.take(block, Number.MAX_SAFE_INTEGER)
      yield merge.day()
    }
    yield merge.rest()
  })
  return askEngine(query, asked, count)
}

/** Asks both engines; what they answer must be the same, however the rows of a day are split into intervals, closed or not. */
export const ask = async (
  query: Record<string, unknown>,
  visits: readonly AVisit[] = [],
  { site = aSite(), now = defaultNow, oneEvent = false }: { site?: SiteConfig; now?: string; oneEvent?: boolean } = {},
): Promise<Answer> => {
  const { blocks, tables } = await madeOf(site, visits, oneEvent)
  const asked = { site, now: Date.parse(now), blocks }
  const reference = await askReference(query, asked)
  for (const [layout, days] of tables)
    expect(await askEngine(query, asked, countDays(days, site, cuts[layout])), `columns, days: ${layout}`).toEqual(reference)
  return reference
}

/** The answer's rows as `[…dimensions, …metrics]`. */
export const rows = async (...asked: Parameters<typeof ask>): Promise<unknown[][]> =>
  (await ask(...asked)).results.map(({ dimensions, metrics }) => [...dimensions, ...metrics])

/** The only row's metrics. */
export const values = async (...asked: Parameters<typeof ask>): Promise<unknown[]> => (await ask(...asked)).results[0]!.metrics

/** What a refused query says. */
export const refusal = (query: Record<string, unknown>, site: Partial<SiteConfig> = {}): { code: string; message: string } => {
  try {
    parseQuery({ site_id: 'example.com', metrics: ['visitors'], date_range: '7d', ...query }, site)
  } catch (error) {
    return { code: (error as { code: string }).code, message: (error as Error).message }
  }
  throw new Error('the query was not refused')
}

export { queryLimits }

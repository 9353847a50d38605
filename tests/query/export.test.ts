import { describe, expect, it } from 'vitest'
import { answerQuery } from '#shared/query/answer.ts'
import type { Table } from '#shared/query/columns/table.ts'
import { resolveRange } from '#shared/query/dates.ts'
import { hitReader, visitReader } from '#shared/query/dimensions.ts'
import { type Column, columnNames, parseColumns, type Value } from '#shared/query/export/columns.ts'
import { batchRows, prepareExport } from '#shared/query/export/rows.ts'
import { compileFilters, createWork, doneFilters, filterDimensions } from '#shared/query/filters.ts'
import { createMerge, kindOf } from '#shared/query/merge.ts'
import { decimal } from '#shared/query/money.ts'
import { notSet } from '#shared/query/names.ts'
import { endless } from '#shared/query/room.ts'
import { parseQuery } from '#shared/query/schema.ts'
import { decodeRows } from '#shared/rollup/block.ts'
import type { Block, SegmentHit } from '#shared/segment/row.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { calendarOf } from '#shared/site/zone.ts'
import type { Session } from '#shared/visit/event.ts'
import { createRandom } from '../model/random.ts'
import { goals, nights, randomFilter, randomRange, randomVisit, zones } from './random.ts'
import { countDays, tableOf } from './tables.ts'
import { type AVisit, aSite, blocksOf } from './world.ts'

/** Exported rows against the rows themselves: of a visit the newest row of all days that are read stands, each hit is a row. */

type Asked = { filters?: unknown[]; date_range?: unknown; bots?: boolean; updates?: boolean; columns?: string }
type World = { site?: SiteConfig; now?: string; oneEvent?: boolean; intervals?: number }

const questionOf = (visits: readonly AVisit[], asked: Asked, { site = aSite(), now = '2026-03-15T12:00:00Z', oneEvent = false }: World) => {
  const blocks = blocksOf(site, visits, oneEvent)
  const calendar = calendarOf(site.zones)
  const days = [...blocks.keys()].sort((a, b) => a - b)
  const { filters = [], date_range = 'all', bots = false } = asked
  const query = parseQuery({ site_id: site.site, metrics: ['events'], date_range, filters, include: { bots } }, site)
  const data = days.length > 0 ? { first: days[0]!, last: days.at(-1)! } : undefined
  const range = resolveRange(query.dates, calendar, Date.parse(now), data)
  const inRange = (day: number) => {
    const { start, end } = calendar.span(day)
    return end > range.from && start < range.to
  }
  return { blocks, calendar, days, query, data, range, read: days.filter(inRange), site, now: Date.parse(now) }
}
type Question = ReturnType<typeof questionOf>

const exportOf = async (question: Question, asked: Asked, intervals: number) => {
  const { blocks, calendar, query, range, read } = question
  const columns = parseColumns(asked.columns ?? columnNames.join())
  const tables = read.map((day) => tableOf(day, blocks.get(day)!, intervals))
  const rows = await prepareExport(tables, {
    columns,
    filters: query.filters,
    range,
    calendar,
    bots: asked.bots ?? false,
    updates: asked.updates ?? false,
    room: endless,
    pause: () => undefined,
  })
  const found: Record<string, Value>[] = []
  for await (const batch of rows(() => undefined)) {
    expect(batch.rows).toBeLessThanOrEqual(batchRows)
    for (let i = 0; i < batch.rows; i++) found.push(rowOf(columns, (n) => batch.values[n]![i]!))
  }
  return found
}

const rowOf = (columns: readonly Column[], value: (n: number) => Value): Record<string, Value> =>
  Object.fromEntries(columns.map(({ name }, n) => [name, value(n)]))

const sorted = (props: SegmentHit['p']): string | null => {
  const keys = Object.keys(props ?? {}).sort()
  return keys.length === 0 ? null : `{${keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(props![key])}`).join()}}`
}

const visitColumns: Record<string, keyof Session> = {
  ...{ source: 'src', medium: 'med', channel: 'chan', referrer: 'ref', utm_source: 'us', utm_medium: 'um', utm_campaign: 'uc' },
  ...{ utm_content: 'un', utm_term: 'ut', country: 'country', region: 'region', city: 'city', browser: 'br', browser_version: 'brv' },
  ...{ os: 'os', os_version: 'osv', device: 'dev', screen: 'scr', language: 'lang', bot: 'bot', entry_page: 'entry', exit_page: 'exit' },
}

/** One row as it must be, read of the plain rows. */
const expectedRow = (s: Session, vis: string, h: SegmentHit): Record<string, Value> => ({
  time: h.t,
  name: h.n,
  page: h.path || null,
  hostname: h.host || null,
  title: h.ti || null,
  visitor: vis,
  visit: s.id,
  ...Object.fromEntries(Object.entries(visitColumns).map(([name, key]) => [name, (s[key] as string) || null])),
  new: s.new === undefined ? null : s.new === 1,
  revenue: h.rev ? decimal(BigInt(h.rev.a), h.rev.c) : null,
  currency: h.rev?.c ?? null,
  foreground_ms: h.fg ?? null,
  scroll_depth: h.sd ?? null,
  props: sorted(h.p),
})

/** What must be exported, row by row of what was written, without tables and masks. */
const expected = ({ blocks, calendar, query, range, read }: Question, { bots = false, updates = false }: Asked) => {
  const rows = read.flatMap((day) => blocks.get(day)!.flatMap((block: Block) => [...decodeRows(block)]))
  const newest = new Map<string, { off: number; s: Session }>()
  for (const { off, s } of rows) if (off >= (newest.get(s.id)?.off ?? -1)) newest.set(s.id, { off, s })
  const names = [...new Set(filterDimensions([...query.filters, ...doneFilters(query.filters).map(({ of }) => of)]))]
  const visitNames = names.filter((name) => name.startsWith('visit:'))
  const hitNames = names.filter((name) => name.startsWith('event:'))
  const columnAt = (name: string) => (name.startsWith('event:') ? hitNames : visitNames).indexOf(name)
  const all = rows.flatMap(({ s: { id }, vis, h }) => {
    const { s } = newest.get(id)!
    const visit = { v: visitNames.map((name) => visitReader(name)(s, calendar)) }
    return h
      .filter(({ t }) => t >= range.from && t < range.to && (bots || !s.bot))
      .map((hit) => ({ s, vis, hit, visit, valued: { v: hitNames.map((name) => hitReader(name)(hit)), vis, sd: hit.sd } }))
  })
  const did = doneFilters(query.filters).map(({ of, updates: counting }) => {
    const passes = compileFilters([of], columnAt, [], createWork())
    const counts = counting && compileFilters([counting], columnAt, [], createWork())
    const doers = all.filter(
      ({ hit, visit, valued }) => passes(visit, valued) && (hit.n !== 'engagement' || counts?.(visit, valued) === true),
    )
    return new Set(doers.map(({ vis }) => vis))
  })
  const test = compileFilters(query.filters, columnAt, did, createWork())
  return all
    .filter(({ hit, visit, valued }) => (updates || hit.n !== 'engagement') && test(visit, valued))
    .map(({ s, vis, hit }) => expectedRow(s, vis, hit))
}

const text = (rows: readonly Record<string, Value>[]): string[] =>
  rows.map((row) => JSON.stringify(columnNames.map((name) => row[name]))).sort()

const eventsOf = async ({ blocks, days, query, data, site, now }: Question, intervals: number): Promise<number> => {
  const tables = days.map((day) => tableOf(day, blocks.get(day)!, intervals))
  const count = countDays(tables, site)
  const answer = await answerQuery({ query, site, now, data, count, pause: () => undefined })
  return answer.results[0]!.metrics[0] as number
}

describe('rows that are exported are those that the reference reads', () => {
  it.each(Array.from({ length: 40 }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = createRandom(1_000 + seed)
    const night = Date.parse(random.pick(nights))
    const site = aSite({ zones: [{ tz: random.pick(zones), from: 0 }], goals })
    const visits = Array.from({ length: 1 + random.below(40) }, () => randomVisit(random, night))
    for (let n = 0; n < 3; n++) {
      const isGoal = ['is', 'event:goal', [random.pick(goals).name]]
      const goal = random.chance(0.3) ? [random.chance(0.5) ? isGoal : ['has_done', isGoal]] : []
      const asked: Asked = {
        filters: [...goal, ...Array.from({ length: random.below(3) }, () => randomFilter(random, 2))],
        date_range: randomRange(random, night),
        bots: random.chance(0.3),
      }
      const question = questionOf(visits, asked, {
        site,
        now: new Date(night + 60 * 3_600_000).toISOString(),
        oneEvent: random.chance(0.5),
      })
      const rows = expected(question, asked)
      const withUpdates = expected(question, { ...asked, updates: true })
      for (const intervals of [1, 2, 5]) {
        expect(text(await exportOf(question, asked, intervals)), `days in ${intervals}`).toEqual(text(rows))
        expect(text(await exportOf(question, { ...asked, updates: true }, intervals))).toEqual(text(withUpdates))
        expect(await eventsOf(question, intervals)).toBe(rows.length)
      }
    }
  })

  it('visits that the reference merges are those of the rows', () => {
    const random = createRandom(7)
    const visits = Array.from({ length: 40 }, () => randomVisit(random, Date.parse(nights[0]!)))
    const asked = { bots: true, updates: true }
    const question = questionOf(visits, asked, {})
    const { blocks, calendar, read, range } = question
    const merge = createMerge({ visit: ['visit:source', 'visit:exit_page'], hit: ['event:page'], paths: true }, range, calendar)
    const merged = []
    for (const day of read) {
      for (const block of blocks.get(day)!) merge.take(block, Number.MAX_SAFE_INTEGER)
      merged.push(...merge.day())
    }
    merged.push(...merge.rest())
    const hits = merged.flatMap((visit) => visit.hits.map((hit) => [...visit.v, hit.t, hit.vis, hit.v[0], hit.kind]))
    const set = (value: Value | undefined) => value ?? notSet
    const rows = expected(question, asked).map((row) => [
      ...[set(row['source']), set(row['exit_page']), row['time'], row['visitor'], set(row['page']), kindOf(String(row['name']))],
    ])
    expect(rows.map((row) => JSON.stringify(row)).sort()).toEqual(hits.map((row) => JSON.stringify(row)).sort())
  })
})

describe('columns', () => {
  const visits: AVisit[] = [
    {
      at: '2026-03-10T22:55:00Z',
      who: 'a',
      hits: [{ path: '/first' }, { after: 600, path: '/last' }],
    },
  ]

  it('of a visit over midnight both days show it as it stands at the end', async () => {
    for (const intervals of [1, 2]) {
      const rows = await exportOf(questionOf(visits, {}, {}), { columns: 'page,exit_page' }, intervals)
      expect(rows).toEqual([
        { page: '/first', exit_page: '/last' },
        { page: '/last', exit_page: '/last' },
      ])
    }
  })

  it('so does a range that ends at midnight, since each event writes a visit whole on all of its days', async () => {
    const asked = { date_range: ['2026-03-10', '2026-03-10'], columns: 'page,exit_page' }
    expect(await exportOf(questionOf(visits, asked, {}), asked, 1)).toEqual([{ page: '/first', exit_page: '/last' }])
  })

  it('come in the order of their names', async () => {
    const [row] = await exportOf(questionOf(visits, {}, {}), { columns: 'page,time' }, 1)
    expect(Object.keys(row!)).toEqual(['page', 'time'])
  })

  it('an unknown one is refused with near ones, and one that is named twice', () => {
    expect(() => parseColumns('time,contry')).toThrow(/columns: there is no column "contry". Near: country/)
    expect(() => parseColumns('')).toThrow(/there is no column ""/)
    expect(() => parseColumns('time,page,time')).toThrow(/"time" is named twice/)
  })

  it('properties keep their types, and any name; halves of characters become U+FFFD', async () => {
    const p = { ['__proto__']: 'x', b: true, a: '1', n: 1, 'half\ud800': '\udc00' }
    const own: AVisit[] = [{ at: '2026-03-10T10:00:00Z', hits: [{ n: 'signup', p: JSON.parse(JSON.stringify(p)), ti: 'a\ud800' }] }]
    const [row] = await exportOf(questionOf(own, {}, {}), { columns: 'props,title' }, 1)
    expect(row).toEqual({ props: '{"__proto__":"x","a":"1","b":true,"half\ufffd":"\ufffd","n":1}', title: 'a\ufffd' })
  })
})

describe('memory', () => {
  const days = 6
  const visits = Array.from({ length: days }, (_, day): AVisit[] =>
    Array.from({ length: 300 }, (_, n) => ({ at: `2026-03-0${day + 1}T10:00:00Z`, who: `p${n}`, hits: [{}, { after: 1, path: '/b' }] })),
  ).flat()

  /** Tables that say what was loaded of them, and a room that says how much was held at most. */
  const watched = () => {
    const question = questionOf(visits, {}, { oneEvent: true })
    const { blocks, calendar, range, read } = question
    const columns = parseColumns(undefined)
    const loaded: number[] = []
    const held = { now: 0, most: 0 }
    const tables = read.map((day): Table => {
      const table = tableOf(day, blocks.get(day)!, 2)
      return {
        ...table,
        load(group, names) {
          loaded.push(day)
          return table.load(group, names)
        },
      }
    })
    const room = {
      take(bytes: number) {
        held.now += bytes
        held.most = Math.max(held.most, held.now)
      },
      give(bytes: number) {
        held.now -= bytes
      },
    }
    const plan = { columns, filters: [], range, calendar, bots: false, updates: false, room, pause: () => undefined }
    return { tables, plan, loaded, held }
  }

  it('holds one row group at most, and nothing when it is over', async () => {
    const { tables, plan, held } = watched()
    const rows = await prepareExport(tables, plan)
    let count = 0
    for await (const batch of rows(plan.pause)) count += batch.rows
    const names = [...plan.columns.flatMap(({ columns, besides = [] }) => [...columns, ...besides]), 'h.n', 's.bot', 's.days']
    const largest = Math.max(...tables.flatMap((table) => table.groups.map((_, group) => table.bytesOf(group, names))))
    expect([count, held.now]).toEqual([days * 600, 0])
    expect(held.most).toBeGreaterThan(largest / 2)
    expect(held.most).toBeLessThan(largest * 1.5)
  })

  it('reads on only when more is pulled; a reader that stops gives all back', async () => {
    const { tables, plan, loaded, held } = watched()
    const rows = (await prepareExport(tables, plan))(plan.pause)
    await rows.next()
    expect([new Set(loaded).size, held.now > 0]).toEqual([1, true])
    await rows.return()
    expect([new Set(loaded).size, held.now]).toEqual([1, 0])
  })
})

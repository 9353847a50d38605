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
import { type AnswerRow, type Asked, openDuck, type Site } from './duckdb.ts'
import { randomVisit } from './random.ts'
import { aWorld, start } from './service.ts'
import { enriched, momentsOf, randomQuestion, sqlWorld } from './sql-questions.ts'
import { answeredFrom, countDays, type Layout, layouts, tablesOf } from './tables.ts'
import { type AVisit, blocksOf } from './world.ts'

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

/** A site of some visits, as tables of days in every layout. */
const worldOf = async (site: SiteConfig, visits: readonly AVisit[], oneEvent: boolean, now: number) => {
  const blocks = blocksOf(site, visits, oneEvent)
  const days = [...blocks.keys()].sort((a, b) => a - b)
  const calendar = calendarOf(site.zones)
  const data = { first: days[0]!, last: days.at(-1)! }
  const tables = new Map<Layout, Table[]>()
  for (const layout of layouts) tables.set(layout, await tablesOf(site, blocks, layout))
  return { site, calendar, data, now, tables }
}
type World = Awaited<ReturnType<typeof worldOf>>
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

const answered = async ({ site, data, now, tables }: World, asked: Asked, layout: Layout): Promise<AnswerRow[]> => {
  const query = parseQuery({ site_id: site.site, ...asked }, site)
  const count = countDays(tables.get(layout)!, site)
  const { results } = await answerQuery({ query, site, now, data, count, pause: () => undefined })
  return results.map(({ dimensions, metrics }) => ({ dimensions: [...dimensions], metrics }))
}

const questionsEach = 4
/** Answers that say something. */
let telling = 0

const compare = async (seed: number, { world, random, at, hasEmpty, tables }: Awaited<ReturnType<typeof seeded>>): Promise<void> => {
  const { site, now } = world
  const { identity, bounce } = site
  const seen: Site = { tz: site.zones[0]!.tz, now: new Date(now).toISOString(), identity, bounce }
  for (let n = 0; n < questionsEach; n++) {
    const asked = randomQuestion(random, at, hasEmpty)
    const expected = await duck.ask(asked, seen)
    if (expected.some(({ metrics }) => metrics.some((value) => value !== 0 && value !== null))) telling++
    for (const layout of layouts) {
      const said = `seed ${seed}, question ${n}, days ${layout}: ${JSON.stringify({ ...seen, ...asked })}`
      expect(await answered(world, asked, layout), said).toEqual(expected)
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

const seeded = async (seed: number) => {
  const { random, at, site, visits, hasEmpty, now } = sqlWorld(seed)
  const world = await worldOf(site, visits, random.chance(0.5), now)
  return { random, at, world, hasEmpty, tables: world.tables.get(random.pick(layouts))! }
}

describe('what is answered is what SQL answers of the exported rows', () => {
  it.each(Array.from({ length: seeds }, (_, seed) => seed))('seed %i', async (seed) => {
    const chosen = await seeded(seed)
    const { world, tables } = chosen
    // NDJSON has other ways to lose something: times with an offset, amounts and properties as text.
    const file = await exported(world, tables, seed % 10 === 9 ? 'ndjson' : 'parquet')
    expect(await duck.load(file, world.site.zones[0]!.tz), `seed ${seed}, times that are shown otherwise`).toBe(0)
    await compare(seed, chosen)
  })

  it('most answers say something', () => {
    expect(telling).toBeGreaterThan((seeds * questionsEach) / 2)
  })

  it('some are answered from cells', () => {
    expect(answeredFrom.cells).toBeGreaterThan(seeds / 8)
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

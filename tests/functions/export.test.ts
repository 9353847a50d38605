import { describe, expect, test } from 'vitest'
import { exportLimits } from '#functions/query-metrics/export.ts'
import type { Reply } from '#shared/handler.ts'
import { columnNames } from '#shared/query/export/columns.ts'
import { aWorld, parse, type World } from '../query/service.ts'
import type { AHit } from '../query/world.ts'

/** `GET /api/v2/export` over embedded stores: who may, what comes, and what is held meanwhile. */

const queryOf = (fields: Record<string, string>): string =>
  new URLSearchParams({ site_id: 'example.com', date_range: 'all', ...fields }).toString()

const askExport = (world: World, fields: Record<string, string> = {}, signal?: AbortSignal, key = world.read): Promise<Reply> =>
  world.send('/api/v2/export', { key, query: queryOf(fields), ...(signal ? { signal } : {}) })

const readAll = async ({ body }: Reply): Promise<string> => {
  const parts: Buffer[] = []
  if (typeof body === 'string') return body
  for await (const piece of body as AsyncIterable<string | Uint8Array>) parts.push(Buffer.from(piece as string))
  return Buffer.concat(parts).toString()
}

const readerOf = ({ body }: Reply) => (body as AsyncIterable<string>)[Symbol.asyncIterator]()

/** Enough rows for several pieces. */
const aVisitOf = (hits: number, at = '2026-03-14T08:00:00Z') => ({
  at,
  who: 'a',
  hits: Array.from({ length: hits }, (_, n): AHit => ({ after: n % 60, path: `/${n}` })),
})

describe('GET /api/v2/export', () => {
  test('answers rows as CSV, with how far they reach', async () => {
    const world = await aWorld()
    await world.visit({
      at: '2026-03-15T08:00:00Z',
      who: 'a',
      hits: [{ path: '/a,b' }, { after: 60, n: 'engagement', path: '/a,b', fg: 5 }],
    })
    const reply = await askExport(world, { date_range: 'day', columns: 'time,name,page,foreground_ms' })
    expect(reply.status).toBe(200)
    expect(reply.headers).toEqual({
      'content-type': 'text/csv; charset=utf-8; header=present',
      'content-disposition': 'attachment; filename="example.com_2026-03-15_2026-03-15.csv"',
      'cache-control': 'no-store',
      'x-footfall-range': '2026-03-15T00:00:00+01:00,2026-03-15T23:59:59+01:00',
      'x-footfall-as-of': '2026-03-15T12:00:00.000Z',
      'x-footfall-lag-ms': '0',
    })
    expect(await readAll(reply)).toBe('time,name,page,foreground_ms\r\n2026-03-15T09:00:00.000+01:00,pageview,"/a,b",\r\n')
    const more = await askExport(world, { columns: 'name,foreground_ms', updates: 'true', format: 'ndjson' })
    expect(await readAll(more)).toBe('{"name":"pageview","foreground_ms":null}\n{"name":"engagement","foreground_ms":5}\n')
  })

  test('as many rows as the query counts events, of hot days, with filters and bots', async () => {
    const world = await aWorld()
    await world.visit(
      { at: '2026-03-14T22:50:00Z', who: 'n', hits: [{}, { after: 1_200, path: '/b' }], src: 'Google' },
      { at: '2026-03-15T08:00:00Z', who: 'robot', bot: 'agent' },
    )
    await world.visit({ at: '2026-03-14T08:00:00Z', who: 'm', hits: [{ path: '/b' }] })
    for (const filters of [[], [['is', 'visit:exit_page', ['/b']]], [['has_done', ['is', 'event:page', ['/b']]]]]) {
      for (const bots of [true, false]) {
        const answer = await world.ask({ metrics: ['events'], date_range: 'all', filters, include: { bots } })
        const rows = await readAll(await askExport(world, { filters: JSON.stringify(filters), bots: String(bots), format: 'ndjson' }))
        expect(rows.split('\n').length - 1).toBe(answer.results[0].metrics[0])
      }
    }
  })

  test('two instants have a comma between them; a plus that was not encoded is one', async () => {
    const world = await aWorld()
    await world.visit(aVisitOf(3))
    const query = 'site_id=example.com&columns=page&date_range=2026-03-14T09:00:01+01:00,2026-03-14T09:00:02+01:00'
    expect(await readAll(await world.send('/api/v2/export', { key: world.read, query }))).toBe('page\r\n/1\r\n/2\r\n')
  })

  test('the site by its goals and segments', async () => {
    const world = await aWorld()
    await world.sites.put({ ...world.site, version: 2, goals: [{ name: 'One', page: '/1' }] })
    await world.visit(aVisitOf(3))
    await world.turn(10_000)
    const filters = JSON.stringify([['is', 'event:goal', ['One']]])
    expect(await readAll(await askExport(world, { filters, columns: 'page' }))).toBe('page\r\n/1\r\n')
  })

  test('all columns, where none are named but those for the asking', async () => {
    const world = await aWorld()
    const header = (await readAll(await askExport(world))).trim().split(',')
    expect(header).toEqual(columnNames.filter((name) => name !== 'entry_page' && name !== 'exit_page'))
  })

  test('says what days are kept', async () => {
    const world = await aWorld()
    world.ports.retention.dropped = async () => 20260301
    const reply = await askExport(world, { date_range: '2026-03-01,2026-03-15' })
    expect(reply.headers).toMatchObject({ 'x-footfall-complete-from': '2026-03-01T23:00:00.000Z' })
  })

  test('is for who may read the site', async () => {
    const world = await aWorld()
    expect((await world.send('/api/v2/export', { query: queryOf({}) })).status).toBe(401)
    expect((await askExport(world, {}, undefined, await world.aKey('write', 'example.com'))).status).toBe(403)
    expect((await askExport(world, { site_id: 'other.example' })).status).toBe(401)
    expect((await askExport(world, { site_id: 'nobody.example' })).status).toBe(401)
    expect((await world.send('/api/v2/export', { key: world.read, method: 'POST', query: queryOf({}) })).status).toBe(405)
  })

  test.each([
    [{ columns: 'time,contry' }, /columns: there is no column "contry". Near: country/],
    [{ format: 'cvs' }, /format: there is no format "cvs". Near: csv/],
    [{ column: 'time' }, /query: there is no parameter "column". Near: columns/],
    [{ date_range: 'yesterday' }, /date_range: expected "day"/],
    [{ date_range: '2026-03-01,2026-03-02,2026-03-03' }, /date_range: expected two dates/],
    [{ filters: '[' }, /filters: it is not JSON/],
    [{ filters: '{}' }, /filters: expected a list/],
    [{ filters: '[["is","event:pag",["/"]]]' }, /filters\[0\]\[1\]: there is no dimension "event:pag"/],
    [{ bots: '1' }, /bots: expected true or false/],
  ])('%o is refused', async (fields, message) => {
    const reply = await askExport(await aWorld(), fields as Record<string, string>)
    expect([reply.status, parse(reply)]).toMatchObject([400, { code: 'bad-query', error: expect.stringMatching(message) }])
  })

  test('a parameter that is given twice, or not at all', async () => {
    const world = await aWorld()
    const twice = await world.send('/api/v2/export', { key: world.read, query: `${queryOf({})}&bots=true&bots=false` })
    expect(parse(twice).error).toMatch(/bots: it is given twice/)
    expect(parse(await world.send('/api/v2/export', { key: world.read, query: '' })).error).toMatch(/site_id: expected/)
    expect(parse(await world.send('/api/v2/export', { key: world.read, query: 'site_id=example.com' })).error).toMatch(
      /date_range: expected/,
    )
  })
})

describe('an open export', () => {
  test('holds no turn: others are answered while its reader waits', async () => {
    const world = await aWorld()
    await world.visit(aVisitOf(2_000))
    const readers = [readerOf(await askExport(world)), readerOf(await askExport(world))]
    for (const reader of readers) for (let n = 0; n < 2; n++) await reader.next()
    expect(await world.ask({ metrics: ['pageviews'], date_range: 'all' })).toMatchObject({ results: [{ metrics: [2_000] }] })
    for (const reader of readers) await reader.return?.()
  })

  test('makes what is next in its turn, behind those who ask', async () => {
    const world = await aWorld()
    await world.visit(aVisitOf(2_000))
    const reader = readerOf(await askExport(world))
    await reader.next()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const { days } = world.memtables
    world.ports.memtables.days = async (...asked) => {
      await held
      return await days(...asked)
    }
    const questions = [world.ask({ date_range: 'all' }), world.ask({ date_range: 'all' })]
    await world.settle()
    let isMade = false
    const next = reader.next().then(() => {
      isMade = true
    })
    await world.settle()
    expect(isMade).toBe(false)
    release()
    await Promise.all([next, ...questions])
    expect(isMade).toBe(true)
  })

  test('is one of few; one whose reader stops makes way', async () => {
    const world = await aWorld()
    await world.visit(aVisitOf(2_000))
    const first = readerOf(await askExport(world))
    await first.next()
    const second = await askExport(world)
    const third = await askExport(world)
    expect([third.status, third.headers?.['retry-after'], parse(third).error]).toMatchObject([
      503,
      '30',
      expect.stringContaining(`${exportLimits.openPerKey} exports`),
    ])
    await first.return?.()
    expect((await askExport(world)).status).toBe(200)
    await readAll(second)
    expect((await askExport(world)).status).toBe(200)
  })

  test('a client that goes before the answer is read makes way, and one that had gone', async () => {
    const world = await aWorld()
    await world.visit(aVisitOf(2_000))
    for (let n = 0; n < 3; n++) {
      const abort = new AbortController()
      expect((await askExport(world, {}, abort.signal)).status).toBe(200)
      abort.abort()
    }
    await askExport(world, {}, AbortSignal.abort())
    expect((await askExport(world)).status).toBe(200)
  })

  test('a client that goes in the middle ends it', async () => {
    const world = await aWorld()
    await world.visit(aVisitOf(2_000))
    const abort = new AbortController()
    const reader = readerOf(await askExport(world, {}, abort.signal))
    await reader.next()
    await reader.next()
    abort.abort()
    await reader.return?.()
    expect((await reader.next()).done).toBe(true)
    for (let n = 0; n < exportLimits.openPerKey; n++) expect((await askExport(world)).status).toBe(200)
  })

  test('fails where it cannot go on, and never looks whole', async () => {
    const world = await aWorld()
    await world.visit(aVisitOf(2_000), aVisitOf(10, '2026-03-15T08:00:00Z'))
    const reply = await askExport(world)
    const reader = readerOf(reply)
    await reader.next()
    world.ports.clock.now = () => {
      throw new Error('the clock is broken')
    }
    const rest = async () => {
      while (!(await reader.next()).done);
    }
    await expect(rest()).rejects.toThrow('the clock is broken')
  })
})

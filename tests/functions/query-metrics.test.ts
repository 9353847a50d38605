import { describe, expect, test } from 'vitest'
import { createHandler } from '#functions/query-metrics/handler.ts'
import { createGenerations } from '#shared/engines/sqlite/generations.ts'
import { encodeRows, ledgerDay } from '#shared/rollup/block.ts'
import { reachedMark } from '#shared/rollup/reached.ts'
import type { LedgerSums } from '#shared/visit/event.ts'
import { aWorld, parse, start, type World } from '../query/service.ts'

describe('POST /api/v2/query', () => {
  test('answers from the rows of the memtables, with how far it reaches', async () => {
    const { ask, visit } = await aWorld()
    await visit(
      { at: '2026-03-15T08:00:00Z', who: 'a', hits: [{}, { after: 60, path: '/docs' }] },
      { at: '2026-03-15T09:00:00Z', who: 'b' },
    )
    const answer = await ask({ metrics: ['visitors', 'visits', 'pageviews', 'bounce_rate'] })
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      results: [{ dimensions: [], metrics: [2, 2, 3, 50] }],
      meta: { as_of: '2026-03-15T12:00:00.000Z', lag_ms: 0, exact: true, sampled: 1, imports_included: false },
      query: { site_id: 'example.com', date_range: ['2026-03-15T00:00:00+01:00', '2026-03-15T23:59:59+01:00'] },
    })
    expect(answer.meta).not.toHaveProperty('incomplete_since')
  })

  test('says from when on rows are kept where it was asked about days before', async () => {
    const { ask, visit, ports } = await aWorld()
    await visit({ at: '2026-03-15T08:00:00Z', who: 'a' })
    ports.retention.dropped = async () => 20260301
    const asked = (from: string, rest = {}) => ask({ date_range: [from, '2026-03-15'], ...rest })
    expect((await asked('2026-03-01')).meta).toMatchObject({ complete_from: '2026-03-01T23:00:00.000Z' })
    expect((await asked('2026-03-02')).meta).not.toHaveProperty('complete_from')
    expect((await asked('2026-03-10', { include: { compare: ['2026-02-01', '2026-02-05'] } })).meta).toHaveProperty('complete_from')
    expect((await ask({ date_range: 'all' })).meta).not.toHaveProperty('complete_from')
  })

  test('a visit of several batches and days is one', async () => {
    const { ask, visit } = await aWorld()
    await visit({ at: '2026-03-14T22:50:00Z', who: 'n', hits: [{}, { after: 1200, path: '/b' }] })
    await visit({ at: '2026-03-13T10:00:00Z', who: 'x' })
    expect((await ask({ metrics: ['visits', 'pageviews'], date_range: ['2026-03-01', '2026-03-15'] })).results[0].metrics).toEqual([2, 3])
    expect((await ask({ metrics: ['visits', 'pageviews'], date_range: 'all', dimensions: ['time:day'] })).results).toEqual([
      { dimensions: ['2026-03-13'], metrics: [1, 1] },
      { dimensions: ['2026-03-14'], metrics: [1, 1] },
      { dimensions: ['2026-03-15'], metrics: [1, 1] },
    ])
  })

  test('the site is compared as hits compare it', async () => {
    const { ask, visit } = await aWorld()
    await visit({ at: '2026-03-15T08:00:00Z' })
    expect(await ask({ site_id: 'WWW.Example.com:443' })).toMatchObject({
      status: 200,
      query: { site_id: 'example.com' },
      results: [{ metrics: [1] }],
    })
  })

  test('says what is pending, and what is lost', async () => {
    const { ask, visit, hits, turn, memtables, ports } = await aWorld()
    expect((await ask({})).meta).toMatchObject({ as_of: '2026-03-15T12:00:00.000Z', lag_ms: 0 })
    hits.times.push(start)
    await turn(4_000)
    const none = await ask({})
    expect(none.meta).toMatchObject({ as_of: '2026-03-15T12:00:00.000Z', lag_ms: 4_000, incomplete_since: '2026-03-15T12:00:00.000Z' })
    await visit({ at: '2026-03-15T08:00:00Z' })
    expect((await ask({})).meta).toMatchObject({ as_of: '2026-03-15T12:00:04.000Z', lag_ms: 0 })
    hits.times.push(start + 3_500)
    expect((await ask({})).meta).toMatchObject({ as_of: '2026-03-15T12:00:03.500Z', lag_ms: 500 })
    hits.times.length = 0
    expect((await ask({})).meta).toMatchObject({
      as_of: '2026-03-15T12:00:04.000Z',
      lag_ms: 0,
      incomplete_since: '2026-03-15T12:00:04.000Z',
    })
    expect(ports.memtables).toBe(memtables)
  })

  test('a smaller number than before, of state that is folded again, says that rows are missing', async () => {
    const { ask, visit, memtables } = await aWorld()
    await visit({ at: '2026-03-15T08:00:00Z' })
    await visit({ at: '2026-03-15T09:00:00Z' })
    const whole = await ask({})
    expect(whole.meta).not.toHaveProperty('incomplete_since')
    const was = await memtables.fence(0)
    await memtables.init(0, { ...was!, gen: 2, next: 0, src: -1, logTime: 0 }, was)
    const less = await ask({})
    expect(less.results[0].metrics[0]).toBeLessThan(whole.results[0].metrics[0])
    expect(less.meta).toMatchObject({ as_of: '2026-03-15T12:00:00.000Z', incomplete_since: '2026-03-15T12:00:00.000Z' })
    await memtables.init(0, was!, (await memtables.fence(0))!)
    expect((await ask({})).meta).not.toHaveProperty('incomplete_since')
  })

  test('a process that has just begun knows how far the state has been', async () => {
    const { ask, visit, memtables, progress } = await aWorld()
    await visit({ at: '2026-03-15T08:00:00Z' })
    await visit({ at: '2026-03-15T09:00:00Z' })
    const was = (await memtables.fence(0))!
    await progress.advance(reachedMark, 0, was)
    await memtables.init(0, { ...was, gen: 2, next: 0, src: -1, logTime: 0 }, was)
    expect((await ask({})).meta).toMatchObject({ incomplete_since: '2026-03-15T12:00:00.000Z' })
    await memtables.init(0, was, (await memtables.fence(0))!)
    expect((await ask({})).meta).not.toHaveProperty('incomplete_since')
  })

  test('who asks at the same time shares what is read, and is told what was counted before', async () => {
    const { ask, visit, ports } = await aWorld()
    await visit({ at: '2026-03-15T08:00:00Z' })
    const { fence } = ports.memtables
    let fences = 0
    ports.memtables.fence = async (partition) => {
      fences++
      return await fence(partition)
    }
    const visitors = ({ results }: Awaited<ReturnType<typeof ask>>): number => results[0].metrics[0]
    const many = () => Promise.all(Array.from({ length: 10 }, () => ask({})))
    expect((await many()).map(visitors)).toEqual(Array(10).fill(1))
    expect(fences).toBeLessThan(5)
    // Each is asked when a visit was counted, and while those before it are being answered.
    const asked: Promise<number>[] = []
    for (let n = 2; n <= 8; n++) {
      await visit({ at: '2026-03-15T08:00:00Z' })
      asked.push(ask({}).then(visitors))
    }
    for (const [i, found] of (await Promise.all(asked)).entries()) expect(found).toBeGreaterThanOrEqual(i + 2)
  })

  test('a commit between two reads is in neither of them', async () => {
    const { ask, visit, ports } = await aWorld()
    await visit({ at: '2026-03-14T08:00:00Z' }, { at: '2026-03-15T08:00:00Z' })
    const { read } = ports.memtables
    let late = false
    ports.memtables.read = async (...args) => {
      const blocks = await read(...args)
      if (!late) {
        late = true
        await visit({ at: '2026-03-14T09:00:00Z' }, { at: '2026-03-15T09:00:00Z' })
      }
      return blocks
    }
    const query = { metrics: ['visits'], date_range: ['2026-03-14', '2026-03-15'] }
    expect((await ask(query)).results[0].metrics).toEqual([2])
    expect((await ask(query)).results[0].metrics).toEqual([4])
  })

  test('state that goes back while it is read is an outage, not a smaller number', async () => {
    const { ask, visit, ports } = await aWorld()
    await visit({ at: '2026-03-15T08:00:00Z' })
    const { read } = ports.memtables
    ports.memtables.read = async (...args) => ({
      ...(await read(...args)),
      fence: { gen: 2, topic: 'events', next: 0, src: -1, logTime: 0 },
    })
    expect(await ask({})).toMatchObject({ status: 503, code: 'store-unavailable' })
  })

  test('a day of several pages is read to its end, and each page is held against the first fence', async () => {
    const { ask, visit, ports } = await aWorld()
    for (const hour of ['08', '09', '10']) await visit({ at: `2026-03-15T${hour}:00:00Z` })
    const { read } = ports.memtables
    let pages = 0
    let reset = false
    ports.memtables.read = async (partition, site, from, to, page) => {
      const found = await read(partition, site, from, to, { ...page, characters: 1 })
      if (from === 0) return found // the page of no day, which only tells the fence
      if (++pages === 1) await visit({ at: '2026-03-15T11:00:00Z' })
      return reset && pages > 1 ? { ...found, fence: { ...found.fence!, next: 0 } } : found
    }
    expect((await ask({ metrics: ['visits'] })).results[0].metrics).toEqual([3])
    expect(pages).toBe(5)
    pages = 1
    expect((await ask({ metrics: ['visits'] })).results[0].metrics).toEqual([4])
    pages = 0
    reset = true
    expect(await ask({ metrics: ['visits'] })).toMatchObject({ status: 503, code: 'store-unavailable' })
  })

  test('a question that needs more memory than there is is refused, the next one is answered', async () => {
    const { visit, ports, read } = await aWorld()
    await visit(...Array.from({ length: 50 }, (_, i) => ({ at: '2026-03-15T08:00:00Z', who: `v${i}`, hits: [{ path: `/${i}` }] })))
    const handle = createHandler(ports, { heapBytes: 80_000 })
    const ask = async (fields: object) => {
      const body = JSON.stringify({ site_id: 'example.com', metrics: ['visitors'], date_range: 'day', ...fields })
      const headers = { authorization: `Bearer ${read}` }
      return await handle({ method: 'POST', path: '/api/v2/query', query: '', headers, body: Buffer.from(body), address: '::1' })
    }
    for (let i = 0; i < 3; i++) {
      const reply = await ask({ dimensions: ['event:page'] })
      expect(reply.status).toBe(400)
      expect(parse(reply).error).toContain('it needs more than')
      expect((await ask({ date_range: ['2026-03-15T08:30:00Z', '2026-03-15T09:00:00Z'] })).status).toBe(200)
    }
  })

  test('a goal that is set holds at once for what is there, and so does a segment', async () => {
    const { ask, visit, sites, site, turn } = await aWorld()
    await visit({ at: '2026-03-15T09:00:00Z', hits: [{ path: '/docs/a' }] }, { at: '2026-03-15T09:00:00Z' })
    const byGoal = { metrics: ['visitors', 'conversion_rate'], dimensions: ['event:goal'] }
    const segment = { filters: [['is', 'segment', ['Readers']]] }
    expect((await ask(byGoal)).results).toEqual([])
    expect(await ask(segment)).toMatchObject({ status: 400, error: expect.stringContaining('the site has no segments') })
    const goals = [{ name: 'Docs', page: '/docs/*' }]
    const segments = [{ name: 'Readers', filters: [['is', 'event:goal', ['Docs']]] }]
    await sites.put({ ...site, version: 2, goals, segments })
    await turn(1_000)
    expect((await ask(byGoal)).results).toEqual([{ dimensions: ['Docs'], metrics: [1, 50] }])
    expect((await ask(segment)).results).toEqual([{ dimensions: [], metrics: [1] }])
    await sites.put({ ...site, version: 3, goals: [{ name: 'Home', page: '/' }] })
    await turn(1_000)
    expect((await ask(byGoal)).results).toEqual([{ dimensions: ['Home'], metrics: [1, 50] }])
  })

  test('what is wrong is said', async () => {
    const { ask, send, read } = await aWorld()
    expect(await ask({ metrics: ['vistors'] })).toMatchObject({
      status: 400,
      code: 'bad-query',
      error: expect.stringContaining('metrics[0]: there is no metric "vistors". Near: visitors'),
    })
    expect(await ask({ metrics: ['conversion_rate'] })).toMatchObject({ status: 400, code: 'bad-query' })
    expect(await ask({ site_id: 7 })).toMatchObject({
      status: 400,
      error: expect.stringContaining('site_id: expected the domain of a site'),
    })
    const broken = await send('/api/v2/query', { method: 'POST', key: read, body: '{"site_id":' })
    expect(parse(broken)).toMatchObject({ code: 'bad-query', error: expect.stringContaining('The body is not JSON') })
    expect((await send('/api/v2/query', { method: 'POST', key: read, body: ' '.repeat(64_001) })).status).toBe(413)
    expect((await send('/api/v2/query', { key: read })).status).toBe(405)
  })

  test('a question that takes too long is given up', async () => {
    const { ask, visit, ports } = await aWorld()
    await visit({ at: '2026-03-15T08:00:00Z' })
    const { now } = ports.clock
    let t = start
    ports.clock.now = () => (t += 15_000)
    expect(await ask({})).toMatchObject({ status: 503, code: 'timeout' })
    ports.clock.now = now
    expect((await ask({})).status).toBe(200)
  })

  test('others have their turn while a question is worked on', async () => {
    const { ask, visit, ports } = await aWorld()
    for (let i = 0; i < 20; i++) await visit({ at: '2026-03-15T08:00:00Z' })
    const real = performance.now()
    ports.clock.now = () => start + Math.floor((performance.now() - real) * 100) // a slice is over after 0.1 ms
    let turns = 0
    const spin = setInterval(() => turns++, 0)
    const count = setImmediate(function again() {
      turns++
      if (turns < 100) setImmediate(again)
    })
    await ask({})
    clearInterval(spin)
    clearImmediate(count)
    expect(turns).toBeGreaterThan(1)
  })
})

describe('who may ask', () => {
  test('a key sees its own site, and nothing tells whether another exists', async () => {
    const { ask, aKey, send } = await aWorld()
    const bodies = new Set<string>()
    for (const [key, site_id] of [
      [undefined, 'example.com'],
      [`ff_read_${'x'.repeat(43)}`, 'example.com'],
      [await aKey('read', 'other.example'), 'example.com'],
      [await aKey('read', 'other.example'), 'nowhere.example'],
      [await aKey('write', 'other.example'), 'example.com'],
      [await aKey('read', 'gone.example'), 'gone.example'],
    ]) {
      const reply = await send('/api/v2/query', {
        method: 'POST',
        ...(key ? { key } : {}),
        body: { site_id, metrics: ['visitors'], date_range: '7d' },
      })
      expect(reply.status).toBe(401)
      bodies.add(String(reply.body))
    }
    expect(bodies.size).toBe(1)
    expect((await ask({}, await aKey('write', 'example.com'))).status).toBe(403)
    expect((await ask({}, await aKey('own', 'example.com'))).status).toBe(200)
  })

  test('who sees all sites is told that one does not exist', async () => {
    const { ask, aKey } = await aWorld()
    const all = await aKey('read')
    expect((await ask({}, all)).status).toBe(200)
    for (const site_id of ['nowhere.example', '', 'not a site/'])
      expect(await ask({ site_id }, all)).toMatchObject({ status: 404, code: 'unknown-site' })
  })

  test('whoever has no key is not even told what is wrong with the query', async () => {
    const { send } = await aWorld()
    expect((await send('/api/v2/query', { method: 'POST', body: '{' })).status).toBe(401)
  })
})

test('paths that are none', async () => {
  const { send } = await aWorld()
  for (const path of ['/', '/api/v2', '/api/v2/querying', '/api/live', '/__proto__']) expect((await send(path)).status).toBe(404)
})

describe('GET /api/ledger', () => {
  const hour = Date.parse('2026-03-15T10:00:00Z')
  const ledger = async (world: World, site: string, n: Partial<LedgerSums>) => {
    const sums = { hour, received: 0, counted: 0, repeated: 0, dead: 0, lost: 0, ...n }
    const off = (await world.memtables.fence(0))?.next ?? 0
    await world.commit([{ site, day: ledgerDay(20260315), from: off, to: off + 1, rows: 1, body: encodeRows([{ off, n: sums }]) }])
  }

  test('adds up, and says what is pending', async () => {
    const world = await aWorld()
    await ledger(world, 'example.com', { received: 5, counted: 3, flagged: { agent: 1 }, repeated: 1 })
    await ledger(world, 'example.com', { received: 2, refused: { malformed: 2 } })
    world.hits.times.push(start, start)
    await world.turn(2_000)
    const reply = await world.send('/api/ledger', { key: world.read, query: 'site=example.com' })
    expect(reply.status).toBe(200)
    expect(parse(reply)).toEqual({
      hours: [
        {
          from: '2026-03-15T10:00:00.000Z',
          received: 7,
          counted: 3,
          flagged: { agent: 1 },
          refused: { malformed: 2 },
          repeated: 1,
          dead: 0,
          lost: 0,
        },
      ],
      pending: { records: 2, age_ms: 2_000 },
      balanced: true,
    })
    expect(
      parse(await world.send('/api/ledger', { key: world.read, query: 'site=example.com&from=2026-03-14&to=2026-03-14' })).hours,
    ).toEqual([])
  })

  test('an hour that does not add up is said', async () => {
    const world = await aWorld()
    await ledger(world, 'example.com', { received: 5, counted: 4 })
    expect(parse(await world.send('/api/ledger', { key: world.read, query: 'site=example.com' })).balanced).toBe(false)
  })

  test('refusals of unknown sites are for who sees all sites', async () => {
    const world = await aWorld()
    await ledger(world, '', { received: 9, refused: { 'unknown-site': 9 } })
    expect((await world.send('/api/ledger', { key: world.read, query: 'site=' })).status).toBe(401)
    const all = await world.aKey('own')
    expect(parse(await world.send('/api/ledger', { key: all, query: 'site=' })).hours).toHaveLength(1)
    expect((await world.send('/api/ledger', { key: all, query: 'site=nowhere.example' })).status).toBe(404)
  })

  test("what is nobody's is in every partition: records that could not be read lie where they came", async () => {
    const world = await aWorld()
    await ledger(world, '', { received: 1, refused: { 'unknown-site': 1 } })
    const read: World['memtables']['read'] = (partition, ...rest) => world.memtables.read(partition === 2 ? 0 : partition, ...rest)
    const fence: World['memtables']['fence'] = (partition) => world.memtables.fence(partition === 2 ? 0 : partition)
    // Partition 2 has what partition 0 has, partition 1 nothing.
    const handle = createHandler({ ...world.ports, generations: createGenerations(3), memtables: { ...world.memtables, read, fence } })
    const headers = { authorization: `Bearer ${await world.aKey('own')}` }
    const reply = await handle({ method: 'GET', path: '/api/ledger', query: 'site=', headers, body: Buffer.alloc(0), address: '' })
    expect(parse(reply).hours).toMatchObject([{ received: 2, refused: { 'unknown-site': 2 } }])
  })

  test('a wrong range is said', async () => {
    const world = await aWorld()
    expect(parse(await world.send('/api/ledger', { key: world.read }))).toMatchObject({
      code: 'bad-request',
      error: expect.stringContaining('site:'),
    })
    expect(parse(await world.send('/api/ledger', { key: world.read, query: 'site=example.com&from=x' }))).toMatchObject({
      code: 'bad-request',
      error: expect.stringContaining('from:'),
    })
  })
})

describe('pages of other origins', () => {
  const listed = 'https://app.example.net'
  const open = async () => {
    const world = await aWorld()
    await world.sites.put({ ...(await world.sites.find('example.com'))!, version: 9, origins: [listed] })
    return world
  }
  const headersOf = async (world: World, origin: string, authorized = true) => {
    const { headers } = await world.send('/api/v2/query', {
      method: 'POST',
      body: { site_id: 'example.com', metrics: ['visitors'], date_range: 'day' },
      headers: { origin, ...(authorized ? { authorization: `Bearer ${world.read}` } : { cookie: 'ff_session=x' }) },
    })
    return headers
  }

  test('a listed origin with a key may read the answer, no other', async () => {
    const world = await open()
    expect(await headersOf(world, listed)).toMatchObject({ 'access-control-allow-origin': listed, vary: 'Origin' })
    expect(await headersOf(world, 'https://evil.example')).not.toHaveProperty('access-control-allow-origin')
    expect(await headersOf(world, listed, false)).not.toHaveProperty('access-control-allow-origin')
  })

  test('what is wrong may be read as well, once the site is known', async () => {
    const world = await open()
    const send = (body: object, key = world.read) =>
      world.send('/api/v2/query', { method: 'POST', body, headers: { origin: listed, authorization: `Bearer ${key}` } })
    const refused = await send({ site_id: 'example.com', metrics: ['vistors'], date_range: 'day' })
    expect(refused).toMatchObject({ status: 400, headers: { 'access-control-allow-origin': listed, vary: 'Origin' } })
    const late = { headers: { origin: listed, authorization: `Bearer ${world.read}` }, query: 'site=example.com&from=x' }
    expect((await world.send('/api/ledger', late)).headers).toMatchObject({ 'access-control-allow-origin': listed })
    for (const [body, key] of [
      [{ site_id: 'other.example' }, world.read],
      [{ site_id: 'example.com' }, `ff_read_${'x'.repeat(43)}`],
      [{}, world.read],
    ] as const)
      expect((await send(body, key)).headers).not.toHaveProperty('access-control-allow-origin')
  })

  test('a preflight lets a listed origin through, without credentials, and tells others nothing', async () => {
    const world = await open()
    const preflight = async (origin: string) => (await world.send('/api/v2/query', { method: 'OPTIONS', headers: { origin } })).headers
    expect(await preflight(listed)).toMatchObject({ 'access-control-allow-origin': listed, 'access-control-allow-methods': 'GET, POST' })
    expect(await preflight(listed)).not.toHaveProperty('access-control-allow-credentials')
    expect(await preflight('https://evil.example')).toEqual({ vary: 'Origin' })
  })
})

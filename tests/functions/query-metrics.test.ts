import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createHandler, type Ports } from '#functions/query-metrics/handler.ts'
import { liveLimits } from '#functions/query-metrics/live.ts'
import type { Clock } from '#shared/clock.ts'
import { createBus } from '#shared/engines/sqlite/bus.ts'
import { openDatabase } from '#shared/engines/sqlite/database.ts'
import { formats } from '#shared/engines/sqlite/folder.ts'
import { createMemtables } from '#shared/engines/sqlite/memtables.ts'
import { createSites } from '#shared/engines/sqlite/sites.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Reply, Request } from '#shared/handler.ts'
import type { LogReader } from '#shared/ports/log.ts'
import type { Memtables, RollupFence, Seen } from '#shared/ports/memtables.ts'
import { encodeRows, ledgerDay } from '#shared/rollup/block.ts'
import type { Block } from '#shared/segment/row.ts'
import { hashOf, newKey, type Role } from '#shared/site/access.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import type { LedgerSums } from '#shared/visit/event.ts'
import { type AVisit, aSite, blocksOf } from '../query/world.ts'

const start = Date.parse('2026-03-15T12:00:00Z')

/** A clock that is turned by hand and runs what is due on the way. */
const aClock = () => {
  let now = start
  let count = 0
  const timers = new Map<number, { at: number; run: () => void }>()
  const clock: Clock = {
    now: () => now,
    random: (bytes) => createHash('sha512').update(`${count++}`).digest().subarray(0, bytes),
    after: (ms, run) => {
      const id = count++
      timers.set(id, { at: now + ms, run })
      return () => timers.delete(id)
    },
  }
  const settle = () => new Promise<void>((resolve) => setImmediate(resolve))
  const turn = async (ms: number): Promise<void> => {
    const end = now + ms
    while (true) {
      const due = [...timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0]
      if (!due) break
      timers.delete(due[0])
      now = due[1].at
      due[1].run()
      await settle()
    }
    now = end
    await settle()
  }
  return { clock, turn, settle, pending: () => timers.size }
}

/** A hits log of which only ends and append times matter. */
const aLog = () => {
  const state = { earliest: 0, times: [] as number[] }
  const log: LogReader = {
    ends: async () => ({ id: 'hits', earliest: state.earliest, end: state.times.length }),
    read: async (_topic, _partition, offset) => state.times.slice(offset, offset + 1).map((time) => ({ offset, time, body: '' })),
    offsetAt: async () => 0,
  }
  return { log, state }
}

const aWorld = async () => {
  const { clock, turn, settle, pending } = aClock()
  const { log, state: hits } = aLog()
  const { sites, secrets } = createSites(openDatabase(formats.site, { path: ':memory:' }))
  const memtables = createMemtables(openDatabase(formats.state, { path: ':memory:' }))
  const bus = createBus()
  const subscribed = new Set<object>()
  const counted: Ports['bus'] = {
    publish: bus.publish,
    subscribe: (subject, take) => {
      const stop = bus.subscribe(subject, take)
      const mark = {}
      subscribed.add(mark)
      return () => {
        subscribed.delete(mark)
        stop()
      }
    },
  }
  const site = aSite({ created: start })
  await sites.put(site)
  await sites.put(aSite({ site: 'other.example' }))
  const ports: Ports = { memtables, hits: log, sites: createKnownSites(sites, clock), secrets, bus: counted, clock }

  const aKey = async (role: Role, of = ''): Promise<string> => {
    const key = newKey(role, clock)
    await secrets.put({ hash: hashOf(key), kind: 'key', role, site: of, label: '', created: start, until: 0 })
    return key
  }
  let fence: RollupFence = { gen: 1, topic: 'events', next: 0, src: -1, logTime: 0 }
  const commit = async (blocks: Block[], seen: Seen[] = [], table: Memtables = memtables): Promise<void> => {
    await table.init(0, fence)
    const next = blocks.reduce((end, block) => Math.max(end, block.to), fence.next + 1)
    const now = { ...fence, next, src: fence.src + 1, logTime: clock.now() }
    expect(await table.commit(0, fence, now, { blocks, minutes: [], seen })).toBe('done')
    fence = now
    while (hits.times.length <= fence.src) hits.times.push(clock.now())
  }
  /** Everything that visits leave, in one batch. */
  const visit = (...visits: AVisit[]): Promise<void> => {
    const blocks = [...blocksOf(site, visits).values()].map((list): Block => {
      const rows = list.flatMap((block) => JSON.parse(block.body).map((row: { off: number }) => ({ ...row, off: row.off + fence.next })))
      return { ...list[0]!, from: fence.next, to: fence.next + 1_000, rows: rows.length, body: encodeRows(rows) }
    })
    return commit(blocks)
  }
  const handle = createHandler(ports)
  const send = async (
    path: string,
    { key, body, method = 'GET', query = '', ...rest }: Partial<Omit<Request, 'body'>> & { key?: string; body?: unknown } = {},
  ) => {
    const headers = key === undefined ? {} : { authorization: `Bearer ${key}` }
    const bytes = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body ?? ''))
    // The runtime answers what is thrown.
    return await handle({ method, path, query, headers, body: bytes, address: '::1', ...rest }).catch((error): Reply => replyOf(error))
  }
  const read = await aKey('read', 'example.com')
  const ask = async (query: Record<string, unknown>, key = read) => {
    const reply = await send('/api/v2/query', {
      method: 'POST',
      key,
      body: { site_id: 'example.com', metrics: ['visitors'], date_range: 'day', ...query },
    })
    return { status: reply.status, headers: reply.headers, ...JSON.parse(String(reply.body)) }
  }
  return {
    clock,
    turn,
    settle,
    pending,
    hits,
    ports,
    memtables,
    sites,
    secrets,
    bus,
    subscribed,
    site,
    aKey,
    commit,
    visit,
    send,
    ask,
    read,
  }
}

const parse = (reply: Reply) => JSON.parse(String(reply.body))

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

  test('what is wrong is said, what comes later too', async () => {
    const { ask, send, read } = await aWorld()
    expect(await ask({ metrics: ['vistors'] })).toMatchObject({
      status: 400,
      code: 'bad-query',
      error: expect.stringContaining('metrics[0]: there is no metric "vistors". Near: visitors'),
    })
    expect(await ask({ metrics: ['conversion_rate'] })).toMatchObject({ status: 400, code: 'not-yet' })
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

test('paths of later versions, and paths that are none', async () => {
  const { send } = await aWorld()
  for (const path of ['/api/v2/funnel', '/api/v2/paths', '/api/v2/retention', '/api/v2/export']) {
    expect(parse(await send(path, { method: 'POST' }))).toMatchObject({ code: 'not-yet' })
  }
  for (const path of ['/', '/api/v2', '/api/v2/querying', '/api/live', '/__proto__']) expect((await send(path)).status).toBe(404)
})

describe('GET /api/ledger', () => {
  const hour = Date.parse('2026-03-15T10:00:00Z')
  const ledger = async (world: Awaited<ReturnType<typeof aWorld>>, site: string, n: Partial<LedgerSums>) => {
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

describe('GET /api/live/{site}', () => {
  /** Reads a stream in the background; `events` is what came so far. */
  const open = async (world: Awaited<ReturnType<typeof aWorld>>, signal?: AbortSignal) => {
    const reply = await world.send('/api/live/example.com', { key: world.read, signal })
    const events: string[] = []
    const reading = (async () => {
      for await (const text of reply.body as AsyncIterable<string>) events.push(text)
    })()
    await world.settle()
    const data = (name: string) =>
      events.filter((text) => text.startsWith(`event: ${name}\n`)).map((text) => JSON.parse(text.slice(text.indexOf('data: ') + 6)))
    return { reply, events, reading, data }
  }
  const end = { time: start, name: 'pageview', page: '/', country: 'DE', source: 'google' }

  test('begins with how to come back, who is here and how far the data reaches', async () => {
    const world = await aWorld()
    await world.commit(
      [],
      [
        { site: 'example.com', vis: 'a', t: start - 1_000 },
        { site: 'example.com', vis: 'b', t: start - 400_000 },
      ],
    )
    const { reply, events } = await open(world)
    expect(reply).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-store', 'x-accel-buffering': 'no' },
    })
    expect(events).toEqual([
      'retry: 1000\n\n',
      'event: current\ndata: {"visitors":1}\n\n',
      'event: freshness\ndata: {"as_of":"2026-03-15T12:00:00.000Z","lag_ms":0}\n\n',
    ])
  })

  test('passes hits on, five fields of each and twenty a second', async () => {
    const world = await aWorld()
    const { data } = await open(world)
    world.bus.publish('live.example.com', JSON.stringify({ ...end, id: 'secret', city: 'Berlin', vis: 'a' }))
    world.bus.publish('live.example.com', 'no JSON')
    world.bus.publish('live.other.example', JSON.stringify(end))
    await world.settle()
    expect(data('hit')).toEqual([end])
    for (let i = 0; i < 30; i++) world.bus.publish('live.example.com', JSON.stringify(end))
    await world.settle()
    expect(data('hit')).toHaveLength(19) // two of this second's twenty are spent
    await world.turn(1_000)
    world.bus.publish('live.example.com', JSON.stringify(end))
    await world.settle()
    expect(data('hit')).toHaveLength(20)
  })

  test('tells freshness once a second while data changes, and not when nothing does', async () => {
    const world = await aWorld()
    await world.commit([])
    const { data } = await open(world)
    await world.turn(4_000)
    expect(data('freshness')).toHaveLength(1)
    for (let i = 0; i < 30; i++) {
      world.bus.publish('fresh.example.com', '')
      await world.turn(100)
    }
    expect(data('freshness').length).toBeGreaterThanOrEqual(4)
    expect(data('freshness').length).toBeLessThanOrEqual(5)
    const before = data('freshness').length
    await world.turn(1_000)
    await world.turn(20_000)
    expect(data('freshness').length - before).toBeLessThanOrEqual(1)
  })

  test('a commit of which no message came is seen all the same', async () => {
    const world = await aWorld()
    await world.commit([])
    const { data } = await open(world)
    await world.commit([], [{ site: 'example.com', vis: 'a', t: start }])
    await world.turn(liveLimits.lookMs + 1_000)
    expect(data('freshness')).toHaveLength(2)
    expect(data('current')).toEqual([{ visitors: 0 }, { visitors: 1 }])
    await world.turn(300_000 - 20_000)
    expect(data('current')).toEqual([{ visitors: 0 }, { visitors: 1 }])
  })

  test('visitors who have left are taken off', async () => {
    const world = await aWorld()
    await world.commit([], [{ site: 'example.com', vis: 'a', t: start - 290_000 }])
    const { data } = await open(world)
    await world.turn(20_000)
    expect(data('current')).toEqual([{ visitors: 1 }, { visitors: 0 }])
  })

  test('while it is behind the lag is told', async () => {
    const world = await aWorld()
    await world.commit([])
    world.hits.times.push(start)
    const { data } = await open(world)
    await world.turn(3_000)
    expect(data('freshness').map(({ lag_ms }) => lag_ms)).toEqual([0, 1_000, 2_000, 3_000])
  })

  test('a heartbeat keeps it open, five minutes end it, nothing is left behind', async () => {
    const world = await aWorld()
    const { events, reading } = await open(world)
    await world.turn(61_000)
    expect(events.filter((text) => text.startsWith(':'))).toHaveLength(4)
    expect([world.subscribed.size, world.pending()]).toEqual([2, 1])
    await world.turn(240_000)
    await reading
    expect([world.subscribed.size, world.pending()]).toEqual([0, 0])
  })

  test('ends with the connection, nothing is left behind', async () => {
    const world = await aWorld()
    const gone = new AbortController()
    const { reading } = await open(world, gone.signal)
    gone.abort()
    await reading
    expect([world.subscribed.size, world.pending()]).toEqual([0, 0])
    const { reading: never, events } = await open(world, gone.signal)
    await never
    expect(events).toEqual([])
    expect([world.subscribed.size, world.pending()]).toEqual([0, 0])
  })

  test('a reader who stops reading leaves nothing behind', async () => {
    const world = await aWorld()
    const reply = await world.send('/api/live/example.com', { key: world.read })
    for await (const _text of reply.body as AsyncIterable<string>) break
    expect([world.subscribed.size, world.pending()]).toEqual([0, 0])
  })

  test('a slow reader has a bounded queue', async () => {
    const world = await aWorld()
    const reply = await world.send('/api/live/example.com', { key: world.read })
    const iterator = (reply.body as AsyncIterable<string>)[Symbol.asyncIterator]()
    await iterator.next()
    for (let i = 0; i < 100; i++) {
      for (let j = 0; j < 20; j++) world.bus.publish('live.example.com', JSON.stringify(end))
      await world.turn(1_000)
    }
    let waiting = 0
    void world.turn(300_000)
    for (let next = await iterator.next(); !next.done; next = await iterator.next()) waiting++
    expect(waiting).toBeLessThanOrEqual(liveLimits.queue + 30) // heartbeats and the first three
  })

  test('an outage is a 503 at the beginning and the end of a stream later', async () => {
    const world = await aWorld()
    const { live } = world.ports.memtables
    const { reading } = await open(world)
    world.ports.memtables.live = () => Promise.reject(new FootfallError('store-unavailable'))
    await world.turn(liveLimits.lookMs)
    await reading
    expect((await world.send('/api/live/example.com', { key: world.read })).status).toBe(503)
    world.ports.memtables.live = live
    expect((await world.send('/api/live/example.com', { key: world.read })).status).toBe(200)
  })

  test('is only for who may read the site', async () => {
    const world = await aWorld()
    expect((await world.send('/api/live/example.com')).status).toBe(401)
    expect((await world.send('/api/live/other.example', { key: world.read })).status).toBe(401)
    expect((await world.send('/api/live/%E0%A4%A', { key: world.read })).status).toBe(401)
  })
})

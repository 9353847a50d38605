import { describe, expect, test } from 'vitest'
import { createHandler } from '#functions/query-metrics/handler.ts'
import { aWorld, parse, start, type World } from '../query/service.ts'

/** Explorations over HTTP: who may ask, what comes back, and what a broken request is told. What is counted: tests/query/explore-*. */

const steps = [{ filters: [['is', 'event:page', ['/']]] }, { filters: [['is', 'event:page', ['/docs']]] }]
const requests: [path: string, body: Record<string, unknown>][] = [
  ['/api/v2/funnel', { steps }],
  ['/api/v2/paths', { direction: 'next', steps: 2, by: 'page' }],
  ['/api/v2/retention', { period: 'day' }],
  ['/api/v2/why', { compare: 'previous_period', metric: 'visits', dimension: 'event:page' }],
]

const asker =
  ({ send, read }: World) =>
  async (path: string, fields: Record<string, unknown>, key: string | undefined = read) => {
    const body = { site_id: 'example.com', date_range: 'day', ...fields }
    const reply = await send(path, { method: 'POST', body, ...(key === '' ? {} : { key }) })
    return { status: reply.status, headers: reply.headers, ...parse(reply) }
  }

describe.each(requests)('POST %s', (path, body) => {
  test('answers with how far it reaches', async () => {
    const world = await aWorld()
    const ask = asker(world)
    await world.visit({ at: '2026-03-15T08:00:00Z', who: 'a', hits: [{}, { after: 60, path: '/docs' }] })
    world.hits.times.push(start)
    await world.turn(2_000)
    const answer = await ask(path, body)
    expect(answer).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      meta: { as_of: '2026-03-15T12:00:00.000Z', lag_ms: 2_000, exact: true, sampled: 1, imports_included: false },
      query: { site_id: 'example.com', date_range: ['2026-03-15T00:00:00+01:00', '2026-03-15T23:59:59+01:00'], ...body },
    })
    const { meta: _meta, query: _query, status: _status, headers: _headers, ...numbers } = answer
    expect(JSON.stringify(numbers)).toContain('1')
    // Its echo asks the same again.
    const again = await ask(path, answer.query)
    expect(again).toMatchObject({ status: 200, ...numbers })
  })

  test('is for who may see the site', async () => {
    const world = await aWorld()
    const ask = asker(world)
    expect((await ask(path, body, '')).status).toBe(401)
    expect((await ask(path, { ...body, site_id: 'other.example' })).status).toBe((await world.ask({ site_id: 'other.example' })).status)
    expect(await ask(path, { ...body, site_id: 'nowhere.example' }, await world.aKey('read'))).toMatchObject({
      status: 404,
      code: 'unknown-site',
    })
    expect((await world.send(path, { key: world.read })).status).toBe(405)
  })

  test('says what is wrong', async () => {
    const world = await aWorld()
    const ask = asker(world)
    expect(await ask(path, { ...body, filter: [] })).toMatchObject({
      status: 400,
      code: 'bad-query',
      error: expect.stringContaining('query: there is no field "filter". Near: filters'),
    })
    expect(await ask(path, { ...body, date_range: 'week' })).toMatchObject({
      status: 400,
      error: expect.stringContaining('date_range: expected'),
    })
    expect(await ask(path, { ...body, filters: [['is', 'event:page', []]] })).toMatchObject({
      status: 400,
      error: expect.stringContaining('filters[0][2]: expected'),
    })
    expect(await ask(path, { ...body, site_id: 7 })).toMatchObject({ status: 400, error: expect.stringContaining('site_id: expected') })
    expect((await world.send(path, { method: 'POST', key: world.read, body: ' '.repeat(64_001) })).status).toBe(413)
  })

  test('is refused when it needs more memory than there is, and gives back what it held', async () => {
    const { visit, ports, read } = await aWorld()
    await visit(...Array.from({ length: 60 }, (_, i) => ({ at: '2026-03-15T08:00:00Z', who: `v${i}`, hits: [{}, { path: `/${i}` }] })))
    const askIn = async (heapBytes: number, times: number) => {
      const handle = createHandler(ports, { heapBytes })
      const bytes = Buffer.from(JSON.stringify({ site_id: 'example.com', date_range: 'day', ...body }))
      const request = { method: 'POST', path, query: '', headers: { authorization: `Bearer ${read}` }, body: bytes, address: '::1' }
      const statuses: number[] = []
      for (let i = 0; i < times; i++) statuses.push((await handle(request)).status)
      return statuses
    }
    expect(await askIn(40_000, 2)).toEqual([400, 400])
    expect(new Set(await askIn(400_000, 60))).toEqual(new Set([200]))
  })

  test('waits for its turn', async () => {
    const world = await aWorld()
    const ask = asker(world)
    const { read } = world.ports.memtables
    let open: (() => void) | undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    let reading = 0
    world.ports.memtables.days = async () => {
      reading++
      await gate
      return undefined
    }
    const asked = Array.from({ length: 3 }, () => ask(path, body))
    for (let i = 0; i < 20; i++) await world.settle()
    const before = reading
    open!()
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect(reading).toBe((before / 2) * 3)
    expect(world.ports.memtables.read).toBe(read)
  })
})

test('a question that takes too long is given up', async () => {
  const world = await aWorld()
  const ask = asker(world)
  await world.visit({ at: '2026-03-15T08:00:00Z', who: 'a' })
  const { read } = world.ports.memtables
  world.ports.memtables.read = async (...args) => {
    await world.turn(25_000)
    return await read(...args)
  }
  await world.turn(0)
  for (const [path, body] of requests) expect(await ask(path, body)).toMatchObject({ code: 'timeout' })
})

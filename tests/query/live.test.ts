import { describe, expect, test } from 'vitest'
import { liveLimits } from '#functions/query-metrics/live.ts'
import { FootfallError } from '#shared/errors.ts'
import { reachedMark } from '#shared/rollup/reached.ts'
import { aWorld, start, type World } from './service.ts'

describe('GET /api/live/{site}', () => {
  /** Reads a stream in the background; `events` is what came so far. */
  const open = async (world: World, signal?: AbortSignal) => {
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

  test('says that rows are missing while the state is behind what it was', async () => {
    const world = await aWorld()
    await world.commit([])
    await world.progress.advance(reachedMark, 0, { next: 9, src: 5 })
    world.hits.times.push(start)
    const { data } = await open(world)
    expect(data('freshness')).toEqual([{ as_of: '2026-03-15T12:00:00.000Z', lag_ms: 0, incomplete_since: '2026-03-15T12:00:00.000Z' }])
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

  test('a key has so many streams, others theirs', async () => {
    const world = await aWorld()
    const gone = new AbortController()
    const readings = []
    for (let i = 0; i < liveLimits.streamsPerKey; i++) readings.push((await open(world, gone.signal)).reading)
    const more = () => world.send('/api/live/example.com', { key: world.read })
    expect(await more()).toMatchObject({ status: 503, headers: { 'retry-after': '30' } })
    expect((await world.send('/api/live/example.com', { key: await world.aKey('read') })).status).toBe(200)
    gone.abort()
    await Promise.all(readings)
    expect((await more()).status).toBe(200)
  })

  test('is only for who may read the site', async () => {
    const world = await aWorld()
    expect((await world.send('/api/live/example.com')).status).toBe(401)
    expect((await world.send('/api/live/other.example', { key: world.read })).status).toBe(401)
    expect((await world.send('/api/live/%E0%A4%A', { key: world.read })).status).toBe(401)
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { day, hour, minute, noon, today } from '../fixtures/hit.ts'
import { aReplayWorld, type ReplayWorld } from './replaying.ts'

/** Days made anew under changed rules: ordered, made, looked at, switched to, undone, dropped; and what comes late. */
let world: ReplayWorld
beforeEach(async () => {
  world = await aReplayWorld()
})
afterEach(() => {
  expect(world.told).toEqual([])
  world.close()
})

const range = { from: '2026-06-10', to: '2026-06-10' }
/** A visit whose source an older version did not know. */
const unknownSource = { us: 'chatgpt.com', src: 'chatgpt.com', chan: 'Unassigned', med: undefined }
const closedDay = async () => {
  await world.later(hour)
  await world.later(14 * hour)
}

describe('the life of an order', () => {
  test('made beside what stands, looked at, switched to, undone, dropped', async () => {
    await world.put(unknownSource)
    await world.put({ id: '0-z-0', days: [[today, 'bbbbbbbbbbbb']] })
    await closedDay()
    const asked = await world.order({ ...range, rules: ['channels'] })
    expect(asked).toMatchObject({
      status: 201,
      body: { ...range, site: 'example.com', rules: ['channels'], state: 'waiting', done: { days: 0, of: 1 } },
    })
    const { id } = asked.body
    const was = await world.numbers('visit:channel')
    expect(was).toEqual({ Unassigned: [1, 1, 1], Direct: [1, 1, 1] })
    expect((await world.ask({}, id)).body).toMatchObject({ code: 'bad-query', error: expect.stringContaining('not ready yet') })
    await world.later(minute)
    await world.later(minute)
    expect(await world.list()).toMatchObject([{ id, state: 'ready', done: { days: 1, of: 1 } }])
    const made = { 'AI Assistant': [1, 1, 1], Direct: [1, 1, 1] }
    expect(await world.numbers('visit:channel')).toEqual(was)
    expect(await world.numbers('visit:channel', id)).toEqual(made)
    expect(await world.want(id, 'undone')).toMatchObject({ status: 409, body: { code: 'conflict' } })
    expect(await world.want(id, 'switched')).toMatchObject({ status: 200, body: { state: 'switching' } })
    await world.later(minute)
    expect(await world.list()).toMatchObject([{ id, state: 'switched' }])
    expect(await world.numbers('visit:channel')).toEqual(made)
    expect((await world.ask({})).body.meta).not.toHaveProperty('replaying')
    expect(await world.want(id, 'dropped')).toMatchObject({ status: 409, body: { hint: expect.stringContaining('Undo it first') } })
    await world.want(id, 'undone')
    await world.later(minute)
    expect(await world.list()).toMatchObject([{ id, state: 'undone' }])
    expect(await world.numbers('visit:channel')).toEqual(was)
    expect(await world.numbers('visit:channel', id)).toEqual(made)
    await world.want(id, 'dropped')
    await world.later(minute)
    expect((await world.ask({}, id)).body).toMatchObject({ code: 'bad-query', error: expect.stringContaining('dropped') })
    await world.later(11 * day)
    expect((await world.stores.segments.list(0, 'example.com', today, today)).map(({ level, ver }) => [level, ver])).toEqual([[1, 0]])
    expect(await world.stores.segments.list(0, 'example.com', today, today, 1)).toEqual([])
  })
})

const ready = async (body: object = {}): Promise<string> => {
  const { id } = (await world.order({ ...range, rules: ['channels'], ...body })).body
  await world.later(minute)
  await world.later(minute)
  return id
}
const channel = (replay?: string) => world.numbers('visit:channel', replay, { metrics: ['visits'] })

describe('late rows', () => {
  test('reach what stands and what an undo goes back to', async () => {
    await world.put(unknownSource)
    await closedDay()
    const id = await ready()
    await world.want(id, 'switched')
    await world.later(minute)
    await world.put({ ...unknownSource, id: '0-late-0', days: [[today, 'cccccccccccc']] })
    // Until the day is closed again they stand as they came.
    expect(await channel()).toEqual({ 'AI Assistant': [1], Unassigned: [1] })
    await world.later(hour)
    expect(await channel()).toEqual({ 'AI Assistant': [1], Unassigned: [1] })
    await world.later(7 * hour)
    await world.later(minute)
    expect(await channel()).toEqual({ 'AI Assistant': [2] })
    // What the first segments had is dropped in its time; both versions have all.
    await world.later(11 * day)
    await world.later(minute)
    expect(await channel()).toEqual({ 'AI Assistant': [2] })
    await world.want(id, 'undone')
    await world.later(minute)
    expect(await channel()).toEqual({ Unassigned: [2] })
    expect(await channel(id)).toEqual({ 'AI Assistant': [2] })
  })

  test('a hit that comes late to a visit that was made anew is in it once, under the rules', async () => {
    await world.put({ ...unknownSource, id: '0-0-0' })
    await closedDay()
    const id = await ready()
    await world.want(id, 'switched')
    await world.later(minute)
    await world.put({ ...unknownSource, id: '0-0-0', pv: 2, ev: 2, last: noon + minute }, [{ t: noon + minute, path: '/late' }])
    for (const ms of [0, hour, 7 * hour, minute, 12 * day]) {
      await world.later(ms)
      expect(await world.numbers('event:page', undefined, { metrics: ['visits', 'pageviews'] })).toEqual({ '/': [1, 1], '/late': [1, 1] })
    }
    expect(await channel()).toEqual({ 'AI Assistant': [1] })
  })

  test('of a day without rows that was replayed', async () => {
    await closedDay()
    const id = await ready()
    await world.want(id, 'switched')
    await world.later(minute)
    await world.put(unknownSource)
    expect(await channel()).toEqual({ Unassigned: [1] })
    await world.later(hour)
    await world.later(minute)
    expect(await channel()).toEqual({ 'AI Assistant': [1] })
    await world.want(id, 'undone')
    await world.later(12 * day)
    expect(await channel()).toEqual({ Unassigned: [1] })
  })

  test('of a visit over midnight change both days, though one is closed later', async () => {
    const days: [number, string][] = [
      [today, 'aaaaaaaaaaaa'],
      [20260611, 'aaaaaaaaaaaa'],
    ]
    const [before, after] = [noon + 12 * hour - minute, noon + 12 * hour + minute]
    const visit = { id: '0-0-0', days, start: before }
    await world.put({ ...visit, pv: 2, ev: 2 }, [
      { t: before, day: today },
      { t: after, day: 20260611 },
    ])
    await world.setSite({ exclude: { paths: ['/admin'], countries: [], addresses: [] } })
    await world.later(2 * day)
    await world.later(minute)
    const id = await ready({ to: '2026-06-11', rules: ['exclusions'] })
    await world.put({ ...visit, pv: 3, ev: 3 }, [{ t: after, day: 20260611, path: '/admin' }])
    await world.later(hour)
    await world.later(7 * hour)
    for (let i = 0; i < 4; i++) await world.later(minute)
    const numbers = (replay?: string) => world.numbers('time:day', replay, { metrics: ['visits', 'pageviews'] })
    expect(await numbers()).toEqual({ '2026-06-10': [1, 1], '2026-06-11': [1, 2] })
    expect(await numbers(id)).toEqual({ '2026-06-10': [1, 1], '2026-06-11': [1, 1] })
  })
})

describe('a switch', () => {
  const threeDays = async () => {
    for (let i = 0; i < 3; i++)
      await world.put(
        {
          ...unknownSource,
          start: noon - i * day,
          last: noon - i * day,
          days: [[today - i, 'aaaaaaaaaaaa']],
        },
        [{ t: noon - i * day, day: today - i }],
      )
    await closedDay()
    const id = await ready({ from: '2026-06-08' })
    expect(await world.list()).toMatchObject([{ state: 'ready', done: { days: 3, of: 3 } }])
    return id
  }
  const byDay = () => world.numbers('time:day', undefined, { metrics: ['visits'], filters: [['is', 'visit:channel', ['AI Assistant']]] })

  test('that is cut off goes on where it was, the oldest day first, and says which days are in transit', async () => {
    const id = await threeDays()
    const { flip } = world.stores.versions
    let flips = 0
    const failing = {
      versions: {
        ...world.stores.versions,
        flip: async (...args: Parameters<typeof flip>) => {
          if (++flips === 2) throw new Error('cut off')
          await flip(...args)
        },
      },
    }
    world.restart(failing)
    await world.want(id, 'switched')
    await world.later(minute)
    expect(world.told.splice(0)).toHaveLength(1)
    expect(await byDay()).toEqual({ '2026-06-08': [1] })
    expect((await world.ask({})).body.meta).toMatchObject({ replaying: { from: '2026-06-08', to: '2026-06-10' } })
    expect(await world.list()).toMatchObject([{ state: 'switching' }])
    expect(await world.want(id, 'undone')).toMatchObject({
      status: 409,
      body: { hint: expect.stringContaining('Wait until it is switched') },
    })
    expect(await world.ask({}, id)).toMatchObject({ status: 200 })
    world.restart()
    await world.later(minute)
    expect(await byDay()).toEqual({ '2026-06-08': [1], '2026-06-09': [1], '2026-06-10': [1] })
    expect((await world.ask({})).body.meta).not.toHaveProperty('replaying')
  })

  test('in the middle of a question is in it of no day, or of all', async () => {
    const id = await threeDays()
    const { list } = world.stores.segments
    let lists = 0
    world.stores.segments.list = async (...args) => {
      if (++lists === 2)
        for (const one of [today - 2, today - 1, today]) await world.stores.versions.flip(0, { site: 'example.com', day: one }, 1)
      return await list(...args)
    }
    expect(await byDay()).toEqual({})
    expect(await byDay()).toEqual({ '2026-06-08': [1], '2026-06-09': [1], '2026-06-10': [1] })
    expect(id).toBeTruthy()
  })

  test('a failing segment leaves what stands, is told with the order, and is tried again', async () => {
    await world.put(unknownSource)
    await closedDay()
    const { put } = world.stores.segments
    world.restart({
      segments: {
        ...world.stores.segments,
        put: async (partition, entry, ...rest) => {
          if (entry.ver > 0) throw new Error('the disk is slow')
          await put(partition, entry, ...rest)
        },
      },
    })
    await ready()
    expect(world.told.splice(0).length).toBeGreaterThan(0)
    expect(await world.list()).toMatchObject([
      { state: 'working', done: { days: 0, of: 1 }, error: expect.stringContaining('the disk is slow') },
    ])
    expect(await channel()).toEqual({ Unassigned: [1] })
    world.restart()
    await world.later(minute)
    await world.later(minute)
    const [replay] = await world.list()
    expect(replay).toMatchObject({ state: 'ready' })
    expect(replay).not.toHaveProperty('error')
  })
})

describe('orders that stand on each other', () => {
  test('are made under the rules of both, and undone one after the other', async () => {
    await world.put({ ...unknownSource, goal: 1 }, [{}, { path: '/admin', t: noon + minute }])
    await closedDay()
    const first = await ready()
    await world.want(first, 'switched')
    await world.later(minute)
    await world.setSite({ exclude: { paths: ['/admin'], countries: [], addresses: [] } })
    const second = await ready({ rules: ['exclusions'] })
    const numbers = (replay?: string) => world.numbers('visit:channel', replay, { metrics: ['visits', 'pageviews'] })
    expect([await numbers(), await numbers(second)]).toEqual([{ 'AI Assistant': [1, 2] }, { 'AI Assistant': [1, 1] }])
    expect(await world.want(first, 'undone')).toMatchObject({ status: 409, body: { error: expect.stringContaining(second) } })
    await world.want(second, 'switched')
    await world.later(minute)
    expect(await numbers()).toEqual({ 'AI Assistant': [1, 1] })
    await world.want(second, 'undone')
    await world.later(minute)
    expect(await numbers()).toEqual({ 'AI Assistant': [1, 2] })
    await world.want(second, 'dropped')
    await world.want(first, 'undone')
    await world.later(minute)
    expect(await numbers()).toEqual({ Unassigned: [1, 2] })
  })
})

describe('another session timeout', () => {
  /** Pageviews of a visit, so many minutes after noon. */
  const visit = (hits: [number, ...number[]], more: object = {}) => {
    const [start, last] = [noon + hits[0] * minute, noon + hits.at(-1)! * minute]
    const pages = { entry: `/${hits[0]}`, entryT: start, exit: `/${hits.at(-1)}`, exitT: last }
    return world.put(
      { start, ...pages, ...more },
      hits.map((after) => ({ t: noon + after * minute, path: `/${after}` })),
    )
  }
  const numbers = (replay?: string) =>
    world.numbers('visit:entry_page', replay, { metrics: ['visits', 'pageviews', 'visit_duration', 'bounce_rate'] })

  test('cuts and joins the visits of a day, also with what comes late, and is undone', async () => {
    await visit([0, 20])
    await visit([60], { us: 'news', src: 'news', med: undefined, chan: 'Unassigned' })
    await visit([90, 100], { days: [[today, 'bbbbbbbbbbbb']] })
    const was = { '/0': [1, 2, 1200, 0], '/60': [1, 1, 0, 100], '/90': [1, 2, 600, 0] }
    await closedDay()
    expect(await numbers()).toEqual(was)

    await world.setSite({ sessionTimeoutMs: 45 * minute })
    const longer = await ready({ rules: ['session_timeout'] })
    const joined = { '/0': [1, 3, 3600, 0], '/90': [1, 2, 600, 0] }
    expect([await numbers(), await numbers(longer)]).toEqual([was, joined])
    expect(await world.numbers('visit:channel', longer, { metrics: ['visits'] })).toEqual({ Direct: [2] })
    await world.want(longer, 'switched')
    await world.later(minute)
    expect(await numbers()).toEqual(joined)

    await world.setSite({ sessionTimeoutMs: 15 * minute })
    const shorter = await ready({ rules: ['session_timeout', 'channels'] })
    const cut = { '/0': [1, 1, 0, 100], '/20': [1, 1, 0, 100], '/60': [1, 1, 0, 100], '/90': [1, 2, 600, 0] }
    expect(await numbers(shorter)).toEqual(cut)
    await world.want(shorter, 'switched')
    await world.later(minute)
    await visit([110], { days: [[today, 'bbbbbbbbbbbb']] })
    await world.later(hour)
    await world.later(7 * hour)
    await world.later(minute)
    expect(await numbers()).toEqual({ ...cut, '/90': [1, 3, 1200, 0] })
    await world.want(shorter, 'undone')
    await world.later(minute)
    expect(await numbers()).toEqual({ ...joined, '/90': [1, 3, 1200, 0] })
  })

  test('is a rule that is asked for by its name', async () => {
    await closedDay()
    const asked = await world.order(range)
    expect(asked).toMatchObject({ status: 201, body: { rules: ['channels', 'exclusions', 'goals'] } })
    await world.want(asked.body.id, 'dropped')
    expect(await world.order({ ...range, rules: ['session_timeout', 'channels'] })).toMatchObject({
      status: 201,
      body: { rules: ['channels', 'session_timeout'] },
    })
  })
})

describe('what cannot be ordered', () => {
  test.each([
    [{ from: '2026-06-31' }, 400, '`from` is "2026-06-31"', 'YYYY-MM-DD'],
    [{ to: 'yesterday' }, 400, '`to` is "yesterday"', 'YYYY-MM-DD'],
    [{ from: '2026-06-11' }, 400, 'after 2026-06-10', 'earlier day'],
    [{ rules: ['sources'] }, 400, '"sources"', '"channels", "exclusions", "goals", "session_timeout"'],
    [{ rules: [] }, 400, '`rules` is []', '"channels"'],
    [{ from: '2025-05-01' }, 400, 'These are 406 days', 'at most 400 days'],
    [{ to: '2026-06-11' }, 400, '2026-06-11 is not over', 'before 2026-06-11'],
    [{ more: 1 }, 400, '"more"', 'site, from, to, rules'],
    [{ site: 'gone.example' }, 404, 'not registered', 'site add'],
  ])('%j', async (body, status, error, hint) => {
    await world.later(15 * hour)
    const asked = await world.order({ ...range, rules: ['channels'], ...body })
    expect(asked).toMatchObject({ status, body: { error: expect.stringContaining(error), hint: expect.stringContaining(hint) } })
    expect(await world.list()).toEqual([])
  })

  test('another one while one is not settled', async () => {
    await closedDay()
    const id = await ready()
    expect(await world.order({ ...range, rules: ['goals'] })).toMatchObject({
      status: 409,
      body: { code: 'conflict', error: expect.stringContaining(`${id} of this site is ready`), hint: expect.stringContaining('drop') },
    })
    await world.want(id, 'dropped')
    expect(await world.order({ ...range, rules: ['goals'] })).toMatchObject({ status: 201 })
    expect(await world.want(id, 'switched')).toMatchObject({ status: 409, body: { hint: expect.stringContaining('order it again') } })
    expect(await world.want(id, 'dropped')).toMatchObject({ status: 200 }) // the same once more
    expect(await world.want('0123', 'switched')).toMatchObject({ status: 404 })
  })

  test('a day that is not closed is waited for, and said to be', async () => {
    await world.put(unknownSource)
    await world.later(13 * hour) // an hour after its end
    const { id } = (await world.order({ ...range, rules: ['channels'] })).body
    await world.later(minute)
    expect(await world.list()).toMatchObject([
      { id, state: 'waiting', waits_for: expect.stringMatching(/^2026-06-10 is not closed yet: .*\.$/) },
    ])
    await world.later(2 * hour)
    await world.later(minute)
    await world.later(minute)
    const [replay] = await world.list()
    expect([replay.state, 'waits_for' in replay]).toEqual(['ready', false])
  })

  test('a preview of what is not there', async () => {
    expect((await world.ask({}, 'none')).body).toMatchObject({ code: 'bad-query', error: expect.stringContaining('no such replay') })
    expect((await world.ask({ include: { replay: 5 } })).body).toMatchObject({
      code: 'bad-query',
      error: expect.stringContaining('expected the id'),
    })
  })
})

import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHandler } from '#functions/rollup-window/handler.ts'
import type { Clock } from '#shared/clock.ts'
import type { SegmentEntry } from '#shared/ports/segments.ts'
import type { LifeLimits } from '#shared/rollup/life.ts'
import { reachedMark } from '#shared/rollup/reached.ts'
import { openSegment } from '#shared/segment/read.ts'
import { encodeBatch } from '#shared/trigger/envelope.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { anEvent, aSiteConfig, aTouch, day, hour, minute, noon, today } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** The life of a day: what a tick does, by the time of the log. */
const aFence = (ev: number) => ({ gen: 1, topic: 'hits', next: 0, ev, logTime: 0, mode: '' as const })
let clock: VirtualClock
let stores: Stores
beforeEach(async () => {
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(':memory:', 'all', clock)
  await stores.sites.put(aSiteConfig({ zones: [{ tz: 'UTC', from: 0 }] }))
  await stores.sessions.init(0, aFence(1_000))
})
afterEach(() => stores.close())

const told: string[] = []
beforeEach(() => {
  told.length = 0
})
const tell = (error: unknown) => told.push(`${(error as Error).message}: ${((error as Error).cause as Error | undefined)?.message}`)
const aStage = (limits: Partial<LifeLimits> = { holdMs: 0 }, itsClock: Clock = clock, hasTicks = true) => {
  const handle = createHandler({ ...stores, clock: itsClock }, limits, tell)
  const ask = async (): Promise<void> => {
    const fence = await stores.memtables.fence(0)
    const records = await stores.log.read('events', 0, fence?.next ?? 0, { records: 1_000, bytes: 1e9, waitMs: 0 })
    const facts = { topic: 'events' as const, partition: 0, logTime: clock.now(), caughtUp: true, retry: false, mode: '' as const }
    for (const some of fence ? [records, ...(hasTicks ? [[]] : [])] : [[]])
      await handle(encodeBatch('rollup-window', { ...facts, logId: '', logEnd: (await stores.log.ends('events', 0)).end, records: some }))
  }
  return ask
}
let offset = 0
beforeEach(() => {
  offset = 0
})
const put = async (n = 1, t = noon, lt = clock.now()) => {
  const events = Array.from({ length: n }, () => {
    const at = offset++
    return anEvent({
      at,
      lt,
      n: { hour: t - (t % hour), received: 1, counted: 1 },
      x: [aTouch({ s: { id: `0-${at.toString(36)}-0` }, h: [{ t }] })],
    })
  })
  await stores.log.append(
    'events',
    0,
    events.map((event) => JSON.stringify(event)),
  )
}
const segments = async (of = today) =>
  (await stores.segments.list(0, 'example.com', of, of)).map(({ from, to, level, rows, hits }) => [from, to, level, rows, hits])
const intervals = async (of = today) =>
  (await stores.memtables.read(0, 'example.com', of, of)).intervals.map(({ from, to, rows }) => [from, to, rows])
const later = async (ms: number, ask: () => Promise<void>) => {
  clock.advance(ms)
  await ask()
}

describe('seal and flush', () => {
  test('a memtable goes when it is old enough, its ledger with it; then nothing is hot', async () => {
    const ask = aStage()
    await ask()
    await put(3)
    await ask()
    await later(59 * minute, ask)
    expect(await segments()).toEqual([])
    await later(minute, ask)
    expect(await segments()).toEqual([[0, 3, 0, 3, 3]])
    expect(await segments(-today)).toEqual([[0, 3, 0, 1, 0]])
    expect([await intervals(), await intervals(-today)]).toEqual([[], []])
    expect(await stores.progress.get('rollup-window', 0)).toEqual({ next: 3, src: 2 })
  })

  test('how far the state has come is kept on ticks, and every ten seconds while events are taken', async () => {
    const take = aStage({}, clock, false)
    const reached = () => stores.progress.get(reachedMark, 0)
    await take()
    expect(await reached()).toBeUndefined()
    await put(3)
    await take()
    expect(await reached()).toEqual({ next: 3, src: 2 })
    await put(1)
    await later(9_999, take)
    expect(await reached()).toEqual({ next: 3, src: 2 })
    await put(1)
    await later(1, take)
    expect(await reached()).toEqual({ next: 5, src: 4 })
    await put(1)
    await take()
    expect(await reached()).toEqual({ next: 5, src: 4 })
    const tick = aStage()
    await tick()
    expect(await reached()).toEqual({ next: 6, src: 5 })
  })

  test('a full one goes after the commit that filled it, and stays hot until no question stands on it', async () => {
    const ask = aStage({ flushRows: 2 })
    await ask()
    await put(2)
    await ask()
    expect(await segments()).toEqual([[0, 2, 0, 2, 2]])
    await put(1)
    await ask()
    expect(await intervals()).toEqual([
      [0, 2, 2],
      [2, 3, 1],
    ])
    await later(30_000, ask)
    expect(await intervals()).toEqual([[2, 3, 1]])
  })

  test('an event with a row that no segment can hold keeps nobody from being flushed', async () => {
    const ask = aStage({ flushRows: 2, holdMs: 0 })
    await ask()
    await put(1)
    await stores.log.append('events', 0, [JSON.stringify(anEvent({ at: offset++, src: 1, x: [aTouch({ s: { user: 'me' } })] }))])
    await put(1)
    await ask()
    expect(await segments()).toEqual([[0, 3, 0, 2, 2]])
  })

  test('who finds a step done goes on with the next', async () => {
    const ask = aStage({ flushRows: 1, holdMs: 1_000 })
    const { put: putSegment } = stores.segments
    stores.segments.put = () => Promise.reject(new Error('cut off'))
    await ask()
    await put(2)
    await aStage({ flushRows: 1 })()
    expect(told).toContain('the rows of "example.com", day 20260610, from event 0 on, could not be flushed; it is tried again: cut off')
    expect([await segments(), await intervals()]).toEqual([[], [[0, 2, 2]]])
    stores.segments.put = putSegment
    await later(2_000, ask)
    await later(2_000, ask)
    expect([await segments(), await intervals()]).toEqual([[[0, 2, 0, 2, 2]], []])
  })
})

describe('what fails', () => {
  const failing = (of: (entry: SegmentEntry) => boolean) => {
    const { put: putSegment } = stores.segments
    stores.segments.put = async (partition, entry, ...rest) => {
      if (of(entry)) throw new TypeError('cut off')
      await putSegment(partition, entry, ...rest)
    }
    return () => {
      stores.segments.put = putSegment
    }
  }

  test('to be flushed neither hinders others nor the answer to a commit, and is tried again at the next tick', async () => {
    const ask = aStage({ flushRows: 1, holdMs: 0, lookMs: 0 })
    const mend = failing(({ day }) => day === today)
    await ask()
    await put(2)
    await ask()
    expect(await stores.memtables.fence(0)).toMatchObject({ next: 2 })
    expect([await segments(), await segments(-today)]).toEqual([[], [[0, 2, 0, 1, 0]]])
    expect(told).toHaveLength(2) // after the commit, and at the tick
    await put(1)
    await ask()
    expect([await segments(), await intervals()]).toEqual([
      [],
      [
        [0, 2, 2],
        [2, 3, 1],
      ],
    ])
    mend()
    await ask()
    expect(await segments()).toEqual([
      [0, 2, 0, 2, 2],
      [2, 3, 0, 1, 1],
    ])
  })

  test('to be closed does not hinder other days', async () => {
    const ask = aStage()
    await ask()
    await put(2)
    await ask()
    await later(hour, ask)
    const mend = failing(({ day, level }) => day === today && level === 1)
    await later(14 * hour, ask)
    expect((await segments()).map(([, , level]) => level)).toEqual([0])
    expect(await segments(-today)).toContainEqual([0, 2, 1, 1, 0])
    expect(new Set(told)).toEqual(new Set(['the rows of "example.com", day 20260610 could not be closed; it is tried again: cut off']))
    mend()
    await later(10_000, ask)
    expect(await segments()).toContainEqual([0, 2, 1, 2, 2])
  })
})

describe('close', () => {
  const closedDay = async (ask: () => Promise<void>) => {
    await ask()
    await put(2)
    await ask()
    await later(hour, ask)
    await put(2)
    await ask()
    await later(hour, ask)
  }

  test('two hours after its end a day is one segment; what it was made of stays ten days', async () => {
    const ask = aStage()
    await closedDay(ask)
    await later(10 * hour + 119 * minute, ask)
    expect(await segments()).toHaveLength(2)
    await later(minute, ask)
    expect(await segments()).toEqual([
      [0, 4, 1, 4, 4],
      [0, 2, 0, 2, 2],
      [2, 4, 0, 2, 2],
    ])
    expect((await segments(-today))[0]).toEqual([0, 4, 1, 1, 0])
    expect(await stores.seals.bases(0, [{ site: 'example.com', day: today }])).toEqual([undefined])
    await later(10 * day, ask)
    expect(await segments()).toHaveLength(3)
    await later(minute, ask)
    expect(await segments()).toEqual([[0, 4, 1, 4, 4]])
  })

  test.each([
    ['has cells, by the rules of its site', 4, { bounce: 'engaged', zone: 'UTC', from: noon - 12 * hour, to: noon + 12 * hour }],
    ['has none where it has few rows', 5, undefined],
  ])('a closed day %s', async (_name, cellRows, expected) => {
    const ask = aStage({ holdMs: 0, cellRows })
    await closedDay(ask)
    await later(12 * hour, ask)
    const [closed] = (await stores.segments.list(0, 'example.com', today, today)).filter(({ level }) => level === 1)
    const { cells } = openSegment((await stores.segments.head(0, closed!))!)
    if (expected) expect(cells).toMatchObject(expected)
    else expect(cells).toBeUndefined()
  })

  test('a large day is closed over many ticks, with turns for others and events taken meanwhile', async () => {
    const ask = aStage()
    await closedDay(ask)
    clock.advance(13 * hour)
    let passed = 0
    const running = { ...clock, now: () => clock.now() + passed++ } // each look at the clock takes a millisecond
    const slow = aStage({ flushRows: 1, closeBoxMs: 30, sliceMs: 1 }, running)
    let turns = 0
    const count = () => {
      turns++
      if (turns < 10_000) setImmediate(count)
    }
    setImmediate(count)
    await slow()
    expect((await segments()).map(([, , level]) => level)).toEqual([0, 0])
    expect(turns).toBeGreaterThan(10)
    await put(1)
    await slow()
    expect(await stores.memtables.fence(0)).toMatchObject({ next: 5 })
    for (let ticks = 0; ticks < 20 && (await segments()).every(([, , level]) => level === 0); ticks++) await slow()
    expect((await segments()).sort()).toEqual([
      [0, 2, 0, 2, 2],
      [0, 4, 1, 4, 4],
      [2, 4, 0, 2, 2],
      [4, 5, 0, 1, 1],
    ])
    turns = 10_000
  })

  test('a day that is closed while its last copy is held leaves no base behind', async () => {
    const ask = aStage({ holdMs: 30_000 })
    await ask()
    clock.advance(2 * day)
    await put(1) // an import
    await ask()
    await later(hour, ask)
    expect([(await segments())[0], await intervals()]).toEqual([[0, 1, 1, 1, 1], [[0, 1, 1]]])
    await later(minute, ask)
    expect(await stores.seals.bases(0, [{ site: 'example.com', day: today }])).toEqual([undefined])
  })

  test('segments that another drops while they are read are no failure', async () => {
    const ask = aStage()
    await closedDay(ask)
    const { head, read } = stores.segments
    stores.segments.read = async (_partition, _entry, names) => {
      stores.segments.read = read
      stores.segments.head = async () => {
        stores.segments.head = head
        return undefined
      }
      return names.map(() => undefined)
    }
    await later(13 * hour, ask)
    await later(10_000, ask)
    expect([told, await segments()]).toEqual([[], expect.arrayContaining([[0, 4, 1, 4, 4]])])
  })

  test('late hits begin where the segments end, and the day is closed again when none came for six hours', async () => {
    const ask = aStage()
    await closedDay(ask)
    await later(13 * hour, ask)
    await put(1)
    await ask()
    expect(await intervals()).toEqual([[4, 5, 1]])
    await later(hour, ask)
    await later(5 * hour + 59 * minute, ask)
    expect((await segments()).filter(([, , level]) => level === 1)).toEqual([[0, 4, 1, 4, 4]])
    await later(minute, ask)
    expect((await segments()).filter(([, , level]) => level === 1)).toEqual([
      [0, 5, 1, 5, 5],
      [0, 4, 1, 4, 4],
    ])
  })
})

describe('a clock that goes back', () => {
  test('does not keep hot what was sealed before', async () => {
    let ahead = 10 * day
    const ask = aStage({ flushRows: 1, holdMs: 30_000 }, { ...clock, now: () => clock.now() + ahead })
    await ask()
    await put(1)
    await ask()
    expect(await intervals()).toEqual([[0, 1, 1]])
    ahead = 0
    await later(10_000, ask)
    expect(await intervals()).toEqual([])
  })

  test('takes no time from the log: a day that is over stays over', async () => {
    const ask = aStage()
    await ask()
    await put(1)
    await ask()
    await put(1, noon, clock.now() + 2 * day)
    await ask()
    expect(await segments()).toContainEqual([0, 2, 1, 2, 2])
  })

  test('does not let a time that was wrong make rows old', async () => {
    const ask = aStage()
    await ask()
    await put(1)
    await ask()
    await later(hour, ask)
    await later(15 * hour, ask)
    await stores.log.append('events', 0, [JSON.stringify(anEvent({ at: offset++, src: 1, lt: clock.now() + 4_000 * day, x: [] }))])
    await ask()
    await later(hour, ask)
    expect(await segments()).toEqual([
      [0, 1, 1, 1, 1],
      [0, 1, 0, 1, 1],
    ])
  })
})

describe('what is kept', () => {
  const oneDay = async (ask: () => Promise<void>) => {
    await ask()
    await put(1)
    await ask()
    await later(hour, ask)
    await later(15 * hour, ask)
    expect(await segments()).toContainEqual([0, 1, 1, 1, 1])
  }

  test('a closed day goes 25 months later, when a site says nothing; its ledger stays', async () => {
    const ask = aStage()
    await oneDay(ask)
    await later(Date.UTC(2028, 6, 10, 12) - clock.now(), ask)
    expect(await segments()).toEqual([[0, 1, 1, 1, 1]])
    await later(day, ask)
    await later(hour, ask)
    expect([await segments(), await segments(-today)]).toEqual([[], [[0, 1, 1, 1, 0]]])
    expect(await stores.retention.dropped(0, 'example.com')).toBe(today)
  })

  test('as the site says: for months, or for ever', async () => {
    const ask = aStage()
    await oneDay(ask)
    await stores.sites.put(aSiteConfig({ version: 2, retentionMonths: 0 }))
    await later(4_000 * day, ask)
    expect(await segments()).toHaveLength(1)
    await stores.sites.put(aSiteConfig({ version: 3, retentionMonths: 120 }))
    await later(hour, ask)
    expect(await segments()).toEqual([])
  })

  test('rows that come for a day that went are there until they are closed, and go too', async () => {
    const ask = aStage()
    await stores.sites.put(aSiteConfig({ version: 2, retentionMonths: 1 }))
    await oneDay(ask)
    await later(60 * day, ask)
    await later(hour, ask)
    expect(await segments()).toEqual([])
    await put(1) // an import
    await ask()
    expect(await intervals()).toEqual([[0, 2, 1]])
    await later(hour, ask)
    await later(hour, ask)
    expect(await stores.seals.bases(0, [{ site: 'example.com', day: today }])).toEqual([undefined])
    expect([await segments(), await intervals()]).toEqual([[], []])
  })

  test('a day that is not closed two days after its rows were flushed is told, once an hour', async () => {
    const ask = aStage({ holdMs: 0, closeAfterMs: 100 * day })
    await ask()
    await put(1)
    await ask()
    await later(hour, ask)
    await later(48 * hour, ask)
    expect(told).toEqual([])
    await later(hour, ask)
    const line = /^the rows of "example.com", day 20260610 were flushed 2026-06-10T13:00:00.000Z and are not closed yet \(2 days\)/
    expect(told).toHaveLength(2)
    expect(told[1]).toMatch(line)
    await later(10_000, ask)
    expect(told).toHaveLength(2)
  })

  test('late rows that never end do not keep a day from being closed again once a day', async () => {
    const ask = aStage()
    await ask()
    await put(1)
    await ask()
    for (let hours = 0; hours < 45; hours++) {
      await later(hour, ask)
      await put(1)
      await ask()
    }
    expect((await segments()).filter(([, , level]) => level === 1)).toHaveLength(2)
  })
})

describe('a segment that is gone, though later ones are there,', () => {
  const withHole = async (ask: () => Promise<void>) => {
    await ask()
    for (let i = 0; i < 3; i++) {
      await put(1)
      await ask()
      await later(hour, ask)
    }
    stores.files.state.exec('DELETE FROM segment WHERE day > 0 AND "from" = 1')
  }
  const gone = 'The rows of "example.com", day 20260610: no segment has events 1 to 1.'

  test('stops the partition at the next row of the day: nothing is counted over the hole', async () => {
    const ask = aStage()
    await withHole(ask)
    stores.files.state.exec('DELETE FROM memtable') // as after a close or a restore
    await put(1)
    await expect(ask()).rejects.toMatchObject({ code: 'damaged-segment', detail: gone })
    expect([await stores.memtables.fence(0), await intervals()]).toMatchObject([{ next: 3 }, []])
  })

  test('is told when the day is to be closed', async () => {
    const ask = aStage()
    await withHole(ask)
    await later(14 * hour, ask)
    await later(10_000, ask)
    expect(new Set(told.map((line) => line.includes(gone)))).toEqual(new Set([true]))
    expect((await segments()).map(([from, to, level]) => [from, to, level])).toContainEqual([0, 1, 1])
  })
})

describe('with the state lost', () => {
  test('or set back to before what the log still has, it begins at the mark of progress', async () => {
    const ask = aStage()
    await ask()
    await put(1)
    await ask()
    const { db, tables } = { db: stores.files.state, tables: ['rollup_fence', 'block', 'memtable', 'sealed'] }
    for (const table of tables) db.exec(`CREATE TEMP TABLE old_${table} AS SELECT * FROM ${table}`)
    await put(1)
    await ask()
    await later(hour, ask)
    clock.advance(25 * hour)
    await put(1)
    await ask()
    expect(await stores.log.ends('events', 0)).toMatchObject({ earliest: 2 })
    for (const table of tables) db.exec(`DELETE FROM ${table}; INSERT INTO ${table} SELECT * FROM old_${table}`)
    await ask()
    expect(await stores.memtables.fence(0)).toMatchObject({ next: 2, src: 1 })
    expect(await intervals()).toEqual([])
    await ask()
    expect(await stores.memtables.fence(0)).toMatchObject({ next: 3, src: 2 })
    expect(await intervals()).toEqual([[2, 3, 1]])
  })

  test('it begins at the mark of progress, and takes no row again that is cold', async () => {
    const ask = aStage()
    await ask()
    await put(2)
    await ask()
    await later(hour, ask)
    await put(2)
    await ask()
    await stores.seals.seal(0, { site: 'example.com', day: today }, clock.now(), 1e9)
    await later(minute, ask) // flushed; its ledger, with events from 2 on, is still hot
    expect(await stores.progress.get('rollup-window', 0)).toEqual({ next: 2, src: 1 })
    stores.files.state.exec('DELETE FROM rollup_fence; DELETE FROM block; DELETE FROM memtable; DELETE FROM sealed')
    await ask()
    expect(await stores.memtables.fence(0)).toMatchObject({ next: 2, src: 1 })
    await put(1)
    await ask()
    await ask()
    expect(await stores.memtables.fence(0)).toMatchObject({ next: 5, src: 4 })
    expect(await segments()).toEqual([
      [0, 2, 0, 2, 2],
      [2, 4, 0, 2, 2],
    ])
    expect([await intervals(), await intervals(-today)]).toEqual([[[4, 5, 1]], [[2, 5, 2]]])
  })
})

test('events that enrich has not taken for good stay, however old', async () => {
  await stores.sessions.init(0, aFence(1), aFence(1_000))
  const ask = aStage()
  await ask()
  await put(2)
  await ask()
  await later(hour, ask)
  clock.advance(25 * hour)
  await put(1)
  await ask()
  expect(await stores.log.ends('events', 0)).toMatchObject({ earliest: 1, end: 3 })
})

test('a long history of events goes a part at every tick', async () => {
  const ask = aStage({ holdMs: 0, trimEvents: 2 })
  await ask()
  for (let i = 0; i < 5; i++) await put(1)
  await ask()
  await later(hour, ask)
  clock.advance(26 * hour)
  await put(1)
  const left: number[] = []
  for (let i = 0; i < 3; i++) {
    await ask()
    left.push((await stores.log.ends('events', 0)).earliest)
  }
  expect(left).toEqual([2, 5, 5])
})

test('events go when they are cold and enrich depends on them no more', async () => {
  const ask = aStage()
  await ask()
  await put(2)
  await ask()
  await later(hour, ask)
  expect(await stores.log.ends('events', 0)).toMatchObject({ earliest: 0, end: 2 })
  clock.advance(25 * hour)
  await put(1)
  await ask()
  expect(await stores.log.ends('events', 0)).toMatchObject({ earliest: 2, end: 3 })
})

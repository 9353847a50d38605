import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ReplayOrder, Replays, Versions } from '#shared/ports/replays.ts'
import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'

/** What every engine of replays must do: orders, and versions of days. */
export type ReplaysUnderTest = { replays: Replays; versions: Versions; segments: Segments; close(): Promise<void> | void }

const site = 'a.example'
const [one, two] = [20261025, 20261026]
const order = (fields: Partial<ReplayOrder> = {}): ReplayOrder => ({
  id: 'first',
  site,
  ver: 1,
  from: one,
  to: two,
  rules: ['channels'],
  config: 3,
  wanted: 'made',
  at: 5,
  ...fields,
})
const closed = (day: number, to: number, fields: Partial<SegmentEntry> = {}): SegmentEntry => ({
  site,
  day,
  from: 0,
  to,
  level: 1,
  ver: 0,
  name: `to ${to}`,
  rows: 1,
  hits: 1,
  bytes: 1,
  at: to,
  ...fields,
})

export const replaysContract = (name: string, open: () => Promise<ReplaysUnderTest>): void => {
  describe(`replays: ${name}`, () => {
    let under: ReplaysUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())
    const put = (entry: SegmentEntry) => under.segments.put(0, entry, Buffer.from('head'), [])
    const begun = (ver = 1) => under.versions.begin(0, site, ver, [one, two])
    const days = async (ver = 1) => (await under.versions.days(0, site, ver)).map(({ day, made, due }) => [day, made, due])
    const active = async () => [...(await under.versions.active(0, site)).days]
    const vers = async (ver: number, day = one) =>
      (await under.segments.list(0, site, day, day, ver)).map((entry) => [entry.level, entry.ver, entry.to])

    test('an order is found as it was put; a number is given once', async () => {
      expect(await under.replays.put(order())).toBe('done')
      expect(await under.replays.put(order({ id: 'other' }))).toBe('stale')
      expect(await under.replays.find(site, 'first')).toEqual(order())
      expect(await under.replays.find('b.example', 'first')).toBeUndefined()
      await under.replays.put(order({ id: 'second', ver: 2 }))
      await under.replays.put(order({ id: 'first', site: 'b.example' }))
      expect((await under.replays.list(site)).map(({ id }) => id)).toEqual(['second', 'first'])
      expect((await under.replays.all()).map((each) => [each.site, each.ver])).toEqual([
        [site, 1],
        [site, 2],
        ['b.example', 1],
      ])
    })

    test('what is wanted changes only from what it was', async () => {
      await under.replays.put(order())
      expect(await under.replays.want(site, 'first', 'undone', 'dropped')).toBe('stale')
      expect(await under.replays.want(site, 'first', 'made', 'switched')).toBe('done')
      expect(await under.replays.find(site, 'first')).toEqual(order({ wanted: 'switched' }))
      expect(await under.replays.want(site, 'none', 'made', 'switched')).toBe('stale')
    })

    test('a day of a version is due from what is closed, until it is made, and again when more is closed', async () => {
      await put(closed(one, 10))
      await begun()
      expect(await days()).toEqual([
        [one, 0, 10],
        [two, 0, 0],
      ])
      expect(await under.versions.due(0, 9)).toEqual([{ site, day: one, ver: 1, due: 10 }])
      await put(closed(one, 10, { ver: 1 }))
      expect(await under.versions.due(0, 9)).toEqual([])
      await put(closed(one, 20))
      await put(closed(two, 7))
      await begun() // again: changes nothing
      expect(await days()).toEqual([
        [one, 10, 20],
        [two, 0, 7],
      ])
      expect(await under.versions.due(0, 1)).toHaveLength(1)
      expect(await under.versions.due(1, 9)).toEqual([])
    })

    test('a list has the closed segments of one version, and the flushed ones', async () => {
      await put(closed(one, 10))
      await begun()
      await put(closed(one, 10, { ver: 1 })) // the same content under the same name
      await put(closed(one, 15, { level: 0, from: 10, name: 'late' }))
      expect(await vers(0)).toEqual([
        [1, 0, 10],
        [0, 0, 15],
      ])
      expect(await vers(1)).toEqual([
        [1, 1, 10],
        [0, 0, 15],
      ])
      expect(await vers(2)).toEqual([[0, 0, 15]])
    })

    test('a segment of a version that the day is not in is not kept', async () => {
      await put(closed(one, 10, { ver: 1 }))
      expect(await vers(1)).toEqual([])
    })

    test('readers are led to a version, and back; not to one that a day is not in', async () => {
      expect(await active()).toEqual([])
      await begun()
      await under.versions.flip(0, { site, day: one }, 1)
      await under.versions.flip(0, { site, day: two }, 4)
      expect(await active()).toEqual([[one, 1]])
      await under.versions.flip(0, { site, day: one }, 0)
      expect(await active()).toEqual([[one, 0]])
      expect([...(await under.versions.active(1, site)).days]).toEqual([])
    })

    test('a version that is behind keeps what it may still need; what is dropped goes in its time', async () => {
      await put(closed(one, 10, { level: 0 }))
      await put(closed(one, 10, { name: 'closed' }))
      await begun()
      expect(await under.segments.dropSuperseded(0, 1_000, 9)).toBe(0)
      await put(closed(one, 10, { ver: 1 }))
      expect(await under.segments.dropSuperseded(0, 1_000, 9)).toBe(1)
      await under.versions.flip(0, { site, day: one }, 1)
      await under.versions.drop(0, site, 1, 500)
      expect([await days(), await active(), await vers(1)]).toEqual([[], [], [[1, 1, 10]]])
      expect(await under.segments.dropSuperseded(0, 1_000, 9)).toBe(1)
      expect([await vers(0), await vers(1)]).toEqual([[[1, 0, 10]], []])
      await put(closed(one, 10, { ver: 1 })) // what was being made meanwhile
      expect(await vers(1)).toEqual([])
    })

    test('a job is known as it was put last, and tells what days are in transit', async () => {
      expect(await under.versions.job(0, 'first')).toBeUndefined()
      const job = { state: 'working' as const, done: 1, of: 2, waitsFor: 'the end of the day.' }
      await under.versions.putJob(0, order(), job)
      expect(await under.versions.job(0, 'first')).toEqual(job)
      expect((await under.versions.active(0, site)).transit).toBeUndefined()
      for (const state of ['switching', 'undoing'] as const) {
        await under.versions.putJob(0, order(), { state, done: 2, of: 2 })
        expect((await under.versions.active(0, site)).transit).toEqual({ from: one, to: two })
      }
      await under.versions.putJob(0, order(), { state: 'undone', done: 2, of: 2 })
      expect((await under.versions.active(0, site)).transit).toBeUndefined()
      expect(await under.versions.job(0, 'first')).toEqual({ state: 'undone', done: 2, of: 2 })
    })
  })
}

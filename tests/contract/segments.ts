import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Progress, SegmentEntry, Segments } from '#shared/ports/segments.ts'

/** What every engine of cold rows must do. */
export type SegmentsUnderTest = { segments: Segments; progress: Progress; close(): Promise<void> | void }

const [site, day] = ['a.example', 20261025]
const entry = (from: number, to: number, fields: Partial<SegmentEntry> = {}): SegmentEntry => ({
  site,
  day,
  from,
  to,
  level: 0,
  ver: 0,
  name: `${from}-${to}`,
  rows: 3,
  hits: 5,
  bytes: 700,
  at: to * 1_000,
  ...fields,
})
const closed = (to: number, at: number, name = `closed-${to}`) => entry(0, to, { level: 1, at, name })

export const segmentsContract = (name: string, open: () => Promise<SegmentsUnderTest>): void => {
  describe(`segments: ${name}`, () => {
    let under: SegmentsUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    const put = (one: SegmentEntry, head = `head of ${one.name}`) =>
      under.segments.put(0, one, Buffer.from(head), [
        { column: 's.off', group: 0, data: Buffer.from([1, 2, 3]) },
        { column: 's.off', group: 1, data: Buffer.from([4]) },
        { column: 'h.t', group: 0, data: Buffer.alloc(200_000, 7) },
      ])
    const list = async (from = day, to = day) => await under.segments.list(0, site, from, to)

    test('at first there is nothing', async () => {
      expect(await list(-99999999, 99999999)).toEqual([])
      expect(await under.segments.head(0, entry(0, 5))).toBeUndefined()
      expect(await under.segments.read(0, entry(0, 5), [{ column: 's.off', group: 0 }])).toEqual([undefined])
      expect(await under.segments.days(0, site)).toBeUndefined()
      expect(await under.segments.open(0)).toEqual([])
      expect(await under.segments.dropSuperseded(0, 1e15, 10)).toBe(0)
    })

    test('what was put is listed and read back, chunk by chunk', async () => {
      await put(entry(0, 5))
      expect(await list()).toEqual([entry(0, 5)])
      expect(String(await under.segments.head(0, entry(0, 5)))).toBe('head of 0-5')
      const wanted = [
        { column: 'h.t', group: 0 },
        { column: 's.off', group: 1 },
        { column: 'no', group: 0 },
      ]
      expect(await under.segments.read(0, entry(0, 5), wanted)).toEqual([Buffer.alloc(200_000, 7), Buffer.from([4]), undefined])
    })

    test('the same again changes nothing; the same interval with other content lies beside it', async () => {
      await put(entry(0, 5))
      await put(entry(0, 5, { at: 9_999_999 }), 'another head')
      await put(entry(0, 5, { name: 'other' }))
      expect(await list()).toEqual([entry(0, 5), entry(0, 5, { name: 'other' })])
      expect(String(await under.segments.head(0, entry(0, 5)))).toBe('head of 0-5')
    })

    test('of one interval the closed day stands before what it has superseded', async () => {
      await put(entry(0, 5))
      await put(closed(5, 20_000))
      expect((await list()).map(({ level }) => level)).toEqual([1, 0])
    })

    test('partitions, sites and days are apart; a ledger is no day of the site', async () => {
      await put(entry(0, 5))
      await put(entry(0, 5, { day: 20261027 }))
      await put(entry(0, 5, { day: -20261020 }))
      await put(entry(0, 5, { site: '__proto__' }))
      expect(await under.segments.list(1, site, day, day)).toEqual([])
      expect((await under.segments.list(0, '__proto__', day, day)).map((one) => one.site)).toEqual(['__proto__'])
      expect((await list(day, 20261027)).map((one) => one.day)).toEqual([day, 20261027])
      expect(await list(-20261020, -20261020)).toHaveLength(1)
      expect(await under.segments.days(0, site)).toEqual({ first: day, last: 20261027 })
    })

    test('a day is open while flushed rows lie beyond its closed segment', async () => {
      await put(entry(0, 5))
      await put(entry(5, 9))
      expect(await under.segments.open(0)).toEqual([{ site, day, closed: false, oldest: 5_000, newest: 9_000 }])
      await put(closed(9, 20_000))
      expect(await under.segments.open(0)).toEqual([])
      await put(entry(9, 12))
      expect(await under.segments.open(0)).toEqual([{ site, day, closed: true, oldest: 12_000, newest: 12_000 }])
      expect(await under.segments.open(1)).toEqual([])
      await put(closed(9, 30_000, 'the same by another'))
      expect(await under.segments.open(0)).toEqual([{ site, day, closed: true, oldest: 12_000, newest: 12_000 }])
      await put(closed(12, 40_000))
      expect(await under.segments.open(0)).toEqual([])
    })

    test('a segment that reaches no further than a closed one does not open the day again', async () => {
      await put(closed(9, 20_000))
      await put(entry(5, 9))
      expect(await under.segments.open(0)).toEqual([])
    })

    test('superseded is what a closed segment has, in time, a few at a time; never the last that has it', async () => {
      await put(entry(0, 5))
      await put(entry(5, 9))
      await put(closed(9, 20_000))
      await put(closed(9, 30_000, 'the same by another'))
      expect(await under.segments.dropSuperseded(0, 20_000, 10)).toBe(0)
      expect(await under.segments.dropSuperseded(1, 1e15, 10)).toBe(0)
      expect(await under.segments.dropSuperseded(0, 20_001, 1)).toBe(1)
      expect(await under.segments.dropSuperseded(0, 20_001, 10)).toBe(1)
      expect(await under.segments.dropSuperseded(0, 1e15, 10)).toBe(0)
      expect((await list()).map(({ name }) => name).sort()).toEqual(['closed-9', 'the same by another'])
      expect(await under.segments.head(0, entry(0, 5))).toBeUndefined()
      expect(await under.segments.read(0, entry(0, 5), [{ column: 's.off', group: 0 }])).toEqual([undefined])
      await put(entry(9, 12))
      await put(closed(12, 50_000))
      expect(await under.segments.dropSuperseded(0, 1e15, 10)).toBe(3)
      expect((await list()).map(({ name }) => name)).toEqual(['closed-12'])
    })

    test('while a day is open nothing of it goes: a chain may lead through what is superseded', async () => {
      await put(entry(0, 5))
      await put(entry(5, 9))
      await put(closed(9, 20_000))
      await put(entry(5, 12))
      expect(await under.segments.dropSuperseded(0, 1e15, 10)).toBe(0)
      await put(closed(12, 30_000))
      expect(await under.segments.dropSuperseded(0, 1e15, 10)).toBe(4)
    })

    test('what comes late and is had by a closed segment goes in its time too', async () => {
      await put(closed(9, 20_000))
      await put(entry(5, 9))
      expect(await under.segments.dropSuperseded(0, 9_000, 10)).toBe(0)
      expect(await under.segments.dropSuperseded(0, 1e15, 10)).toBe(1)
    })

    test('progress moves forward only, for each stage and partition', async () => {
      expect(await under.progress.get('rollup', 0)).toBeUndefined()
      await under.progress.advance('rollup', 0, { next: 5, src: 9 })
      await under.progress.advance('rollup', 0, { next: 4, src: 8 })
      expect(await under.progress.get('rollup', 0)).toEqual({ next: 5, src: 9 })
      await under.progress.advance('rollup', 0, { next: 7, src: 11 })
      expect(await under.progress.get('rollup', 0)).toEqual({ next: 7, src: 11 })
      expect(await under.progress.get('rollup', 1)).toBeUndefined()
      expect(await under.progress.get('other', 0)).toBeUndefined()
    })
  })
}

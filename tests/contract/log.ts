import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Clock } from '#shared/clock.ts'
import type { LogReader, LogTrimmer, LogWriter } from '#shared/ports/log.ts'

/** What every log engine must do. An engine's test calls it with a way to open an empty log. */
export type LogUnderTest = {
  log: LogReader & LogWriter & LogTrimmer
  clock: Clock & { advance(ms: number): void | Promise<void> }
  /** The log has a clock of its own, which `advance` cannot turn: it then lets some time pass, and append times are what they are. */
  ownTime?: true
  close(): Promise<void> | void
}

const all = { records: 1_000, bytes: 10_000_000, waitMs: 0 }

export const logContract = (name: string, open: () => Promise<LogUnderTest>): void => {
  describe(`log: ${name}`, () => {
    let under: LogUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    const bodies = async (from = 0, limits = all) => (await under.log.read('hits', 0, from, limits)).map(({ body }) => body)

    test('an empty log begins and ends at 0 and has an identity', async () => {
      const { id, earliest, end } = await under.log.ends('hits', 0)
      expect({ earliest, end }).toEqual({ earliest: 0, end: 0 })
      expect(id).not.toBe('')
      expect(await bodies()).toEqual([])
    })

    test('appends get consecutive offsets and are read back in order, byte for byte', async () => {
      const texts = ['{"a":1}', 'line\nbreak \r and tab\t', 'ü € 😀', '', '\u0001', 'x'.repeat(300_000)]
      expect(await under.log.append('hits', 0, texts)).toBe(0)
      expect(await under.log.append('hits', 0, ['last'])).toBe(texts.length)
      const records = await under.log.read('hits', 0, 0, all)
      expect(records.map(({ body }) => body)).toEqual([...texts, 'last'])
      expect(records.map(({ offset }) => offset)).toEqual([...texts.keys(), texts.length])
      expect((await under.log.ends('hits', 0)).end).toBe(texts.length + 1)
    })

    test('appends at the same time each stand together', async () => {
      const firsts = await Promise.all(Array.from({ length: 50 }, (_, i) => under.log.append('hits', 0, [`${i}a`, `${i}b`])))
      const read = await bodies()
      for (const [i, first] of firsts.entries()) expect([read[first], read[first + 1]]).toEqual([`${i}a`, `${i}b`])
      expect(new Set(firsts).size).toBe(50)
    })

    test('an append of nothing answers the end and adds nothing', async () => {
      await under.log.append('hits', 0, ['one'])
      expect(await under.log.append('hits', 0, [])).toBe(1)
      expect(await bodies()).toEqual(['one'])
    })

    test('topics and partitions are apart', async () => {
      await under.log.append('hits', 0, ['h'])
      await under.log.append('events', 0, ['e1', 'e2'])
      await under.log.append('dead', 0, ['d'])
      expect((await under.log.read('events', 0, 1, all)).map(({ body }) => body)).toEqual(['e2'])
      expect((await under.log.read('dead', 0, 0, all)).map(({ body }) => body)).toEqual(['d'])
      expect(await bodies()).toEqual(['h'])
    })

    test('a partition has the identity of its topic before and after its first record', async () => {
      const { id } = await under.log.ends('hits', 1)
      await under.log.append('hits', 1, ['a'])
      expect(id).not.toBe('')
      expect((await under.log.ends('hits', 1)).id).toBe(id)
    })

    test('limits bound a read, yet it brings one record however large', async () => {
      await under.log.append('hits', 0, ['x'.repeat(5_000), 'b', 'c', 'd'])
      expect(await bodies(0, { ...all, bytes: 10 })).toEqual(['x'.repeat(5_000)])
      expect(await bodies(1, { ...all, records: 2 })).toEqual(['b', 'c'])
      expect(await bodies(1, { ...all, bytes: 2 })).toEqual(['b', 'c'])
      expect(await bodies(4)).toEqual([])
    })

    test('many records are read whole', async () => {
      const texts = Array.from({ length: 1_000 }, (_, i) => `record ${i}`)
      await under.log.append('hits', 0, texts)
      expect(await bodies()).toEqual(texts)
      expect(await bodies(777)).toEqual(texts.slice(777))
    })

    test('append times never decrease, and a time leads to its offset', async () => {
      await under.log.append('hits', 0, ['a'])
      await under.clock.advance(1_000)
      const between = under.clock.now()
      await under.log.append('hits', 0, ['b', 'c'])
      await under.clock.advance(1_000)
      await under.log.append('hits', 0, ['d'])
      const times = (await under.log.read('hits', 0, 0, all)).map(({ time }) => time)
      expect(times).toEqual([...times].sort((x, y) => x - y))
      expect(times[2]).toBe(times[1])
      if (under.ownTime) {
        expect(times[1]).toBeGreaterThanOrEqual(between)
        expect(times[3]).toBeGreaterThan(times[1]!)
      } else expect([times[1], times[3]]).toEqual([between, under.clock.now()])
      expect(await under.log.offsetAt('hits', 0, 0)).toBe(0)
      expect(await under.log.offsetAt('hits', 0, between)).toBe(1)
      expect(await under.log.offsetAt('hits', 0, times[1]!)).toBe(1)
      expect(await under.log.offsetAt('hits', 0, times[1]! + 1)).toBe(3)
      expect(await under.log.offsetAt('hits', 0, times[3]! + 1)).toBe(4)
    })

    test('a clock that goes back does not take append times back', async () => {
      await under.log.append('hits', 0, ['a'])
      await under.clock.advance(-60_000)
      await under.log.append('hits', 0, ['b'])
      const [a, b] = await under.log.read('hits', 0, 0, all)
      expect(b!.time).toBeGreaterThanOrEqual(a!.time)
    })

    test('trimming forgets the beginning and keeps offsets', async () => {
      await under.log.append('hits', 0, ['a', 'b', 'c'])
      await under.log.trim('hits', 0, 2)
      expect(await under.log.ends('hits', 0)).toMatchObject({ earliest: 2, end: 3 })
      expect((await under.log.read('hits', 0, 0, all)).map(({ offset, body }) => ({ offset, body }))).toEqual([{ offset: 2, body: 'c' }])
      await under.log.trim('hits', 0, 1)
      await under.log.trim('hits', 0, 99)
      expect(await under.log.ends('hits', 0)).toMatchObject({ earliest: 3, end: 3 })
      expect(await under.log.append('hits', 0, ['d'])).toBe(3)
    })

    test('a waiting read comes back with the first record', async () => {
      const waiting = under.log.read('hits', 0, 0, { ...all, waitMs: 60_000 })
      await under.log.append('hits', 0, ['news'])
      expect((await waiting).map(({ body }) => body)).toEqual(['news'])
    })

    test('a waiting read comes back empty when its time is up, or when it is called off', async () => {
      const waiting = under.log.read('hits', 0, 0, { ...all, waitMs: 1_000 })
      await under.clock.advance(1_001)
      expect(await waiting).toEqual([])
      const abort = new AbortController()
      const called = under.log.read('hits', 0, 0, { ...all, waitMs: 60_000, signal: abort.signal })
      abort.abort()
      expect(await called).toEqual([])
    })
  })
}

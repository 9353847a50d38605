import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Retention } from '#shared/ports/retention.ts'
import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'

/** What every engine that lets old days go must do. */
export type RetentionUnderTest = { segments: Segments; retention: Retention; close(): Promise<void> | void }

const [site, day] = ['a.example', 20240310]

export const retentionContract = (name: string, open: () => Promise<RetentionUnderTest>): void => {
  describe(`retention: ${name}`, () => {
    let under: RetentionUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    const chunk = { column: 's.off', group: 0 }
    const put = async (fields: Partial<SegmentEntry> = {}): Promise<SegmentEntry> => {
      const entry = { site, day, from: 0, to: 5, level: 1 as const, ver: 0, name: 'n', rows: 1, hits: 1, bytes: 1, at: 1, ...fields }
      await under.segments.put(0, entry, Buffer.from('head'), [{ ...chunk, data: Buffer.from([1]) }])
      return entry
    }

    test('a closed day goes whole, and it stays known that it did', async () => {
      const flushed = await put({ level: 0 })
      const closed = await put()
      expect([await under.retention.sites(0), await under.retention.days(0, site, 20240311)]).toEqual([[site], [day]])
      expect(await under.retention.drop(0, { site, day })).toBe(true)
      expect(await under.segments.list(0, site, day, day)).toEqual([])
      for (const entry of [flushed, closed]) {
        expect(await under.segments.head(0, entry)).toBeUndefined()
        expect(await under.segments.read(0, entry, [chunk])).toEqual([undefined])
      }
      expect(await under.retention.dropped(0, site)).toBe(day)
      expect(await under.retention.drop(0, { site, day })).toBe(false)
      expect(await under.retention.sites(0)).toEqual([])
    })

    test('an open day stays', async () => {
      await put()
      await put({ level: 0, from: 5, to: 9 })
      expect(await under.retention.drop(0, { site, day })).toBe(false)
      expect(await under.segments.list(0, site, day, day)).toHaveLength(2)
      expect(await under.retention.dropped(0, site)).toBeUndefined()
    })

    test('partitions, sites and days are apart; ledgers are none of it; the newest day that went is known', async () => {
      await put()
      await put({ day: 20240311 })
      await put({ day: -day })
      await put({ site: '__proto__' })
      expect(await under.retention.days(0, site, 20240311)).toEqual([day])
      expect(await under.retention.days(0, site, 20240312)).toEqual([day, 20240311])
      expect(await under.retention.days(1, site, 20240312)).toEqual([])
      expect(await under.retention.sites(0)).toEqual(['__proto__', site])
      await under.retention.drop(0, { site, day: 20240311 })
      await under.retention.drop(0, { site, day })
      expect(await under.retention.dropped(0, site)).toBe(20240311)
      expect([await under.retention.dropped(1, site), await under.retention.dropped(0, '__proto__')]).toEqual([undefined, undefined])
      expect(await under.segments.list(0, site, -day, -day)).toHaveLength(1)
      expect(await under.segments.list(0, '__proto__', day, day)).toHaveLength(1)
    })
  })
}

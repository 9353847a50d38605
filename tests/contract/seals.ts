import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { Due, SealedCopy, Seals } from '#shared/ports/seals.ts'
import type { Block } from '#shared/segment/row.ts'

/** What every seals engine must do, beside the memtables whose state it shares. */
export type SealsUnderTest = { memtables: Memtables; seals: Seals; close(): Promise<void> | void }

const begin: RollupFence = { gen: 7, topic: 't', next: 0, src: -1, logTime: 1_000 }
const [site, day] = ['a.example', 20261025]
const where = { site, day }
const everything: Due = { rows: 1, bytes: 1, born: Number.MAX_SAFE_INTEGER }
const nothing: Due = { rows: 1e9, bytes: 1e9, born: 0 }
const all = 1e9

export const sealsContract = (name: string, open: () => Promise<SealsUnderTest>): void => {
  describe(`seals: ${name}`, () => {
    let under: SealsUnderTest
    let fence: RollupFence
    beforeEach(async () => {
      under = await open()
      fence = await under.memtables.init(0, begin)
    })
    afterEach(() => under.close())

    /** Commits blocks of the events `[next, to)`, each with as many rows as are said. */
    const put = async (to: number, rows: number[], other: Partial<Block> = {}, bases = [{ ...where, base: 0 }]) => {
      const was = fence
      fence = { ...was, next: to, src: to * 10, logTime: was.logTime + 1_000 }
      const blocks = rows.map((n, i) => ({ ...where, from: was.next + i, to: was.next + i + 1, rows: n, body: 'x'.repeat(100), ...other }))
      const change = {
        blocks,
        bases: [...bases, ...blocks.map(({ site: s, day: d }) => ({ site: s, day: d, base: 0 }))],
        minutes: [],
        seen: [],
      }
      expect(await under.memtables.commit(0, was, fence, change)).toBe('done')
    }
    const look = (due = everything) => under.seals.look(0, due, 100)
    const page = () => under.memtables.read(0, site, day, day)

    test('at first nothing waits', async () => {
      expect(await look()).toEqual({ sealed: [], due: [], oldest: undefined })
      expect(await under.seals.low(0)).toEqual({ next: 0, src: -1 })
      expect(await under.seals.look(1, everything, 100)).toEqual({ sealed: [], due: [], oldest: undefined })
      expect(await under.seals.low(1)).toBeUndefined()
      expect(await under.seals.bases(0, [where])).toEqual([undefined])
      expect(await under.seals.seal(0, where, 5, all)).toBeUndefined()
    })

    test.each<[string, Due, boolean]>([
      ['rows', { ...nothing, rows: 3 }, true],
      ['too few rows', { ...nothing, rows: 4 }, false],
      ['bytes', { ...nothing, bytes: 200 }, true],
      ['too few bytes', { ...nothing, bytes: 201 }, false],
      ['age', { ...nothing, born: 2_000 }, true],
      ['too young', { ...nothing, born: 1_999 }, false],
    ])('due by %s', async (_what, due, expected) => {
      await put(2, [1, 2])
      expect((await look(due)).due).toEqual(expected ? [{ ...where, base: 0, rows: 3, bytes: 200, born: 2_000 }] : [])
    })

    test('a seal takes all rows up to the fence, and what comes then begins there', async () => {
      await put(2, [1, 2])
      const copy = await under.seals.seal(0, where, 5, all)
      expect(copy).toEqual({ ...where, from: 0, to: 2, rows: 3, at: 5 })
      expect(await under.seals.seal(0, where, 6, all)).toBeUndefined()
      expect(await under.seals.bases(0, [where, { site: 'b.example', day }])).toEqual([2, undefined])
      await put(3, [4])
      expect((await page()).intervals).toEqual([
        { day, from: 0, to: 2, rows: 3 },
        { day, from: 2, to: 3, rows: 4 },
      ])
      expect((await page()).blocks).toHaveLength(3)
      expect((await under.seals.readSealed(0, copy!))!.map(({ from, rows }) => [from, rows])).toEqual([
        [0, 1],
        [1, 2],
      ])
      expect(await look()).toMatchObject({ sealed: [copy], due: [{ base: 2, rows: 4, born: 3_000 }] })
    })

    test('the oldest memtable is known, due or not, and none once all are sealed', async () => {
      await put(2, [1])
      await put(3, [1], { site: 'b.example' })
      expect((await look(nothing)).oldest).toBe(2_000)
      await under.seals.seal(0, where, 5, all)
      expect((await look(nothing)).oldest).toBe(3_000)
      await under.seals.seal(0, { site: 'b.example', day }, 5, all)
      expect((await look(nothing)).oldest).toBeUndefined()
    })

    test('what a memtable has is counted as it lies on disk: bytes, whatever the script', async () => {
      await put(2, [1, 2], { body: 'é'.repeat(100) })
      expect((await look()).due).toMatchObject([{ bytes: 400 }])
      await under.seals.seal(0, where, 5, 150)
      expect((await look()).due).toMatchObject([{ rows: 2, bytes: 200 }])
    })

    test('a large memtable is sealed in pieces that lie end to end', async () => {
      await put(10, [1, 2, 3, 4])
      expect(await under.seals.seal(0, where, 5, 150)).toMatchObject({ from: 0, to: 2, rows: 3 })
      expect((await page()).intervals.map(({ from, to, rows }) => [from, to, rows])).toEqual([
        [0, 2, 3],
        [2, 10, 7],
      ])
      expect(await under.seals.seal(0, where, 5, 150)).toMatchObject({ from: 2, to: 10, rows: 7 })
      expect(await under.seals.seal(0, where, 5, 150)).toBeUndefined()
    })

    test('the low mark is the fence before the oldest rows that are hot', async () => {
      await put(2, [1])
      await put(4, [1], { site: 'b.example' })
      await put(5, [])
      expect(await under.seals.low(0)).toEqual({ next: 0, src: -1 })
      const copy = await under.seals.seal(0, where, 5, all)
      expect(await under.seals.low(0)).toEqual({ next: 0, src: -1 })
      await under.seals.dropSealed(0, copy!)
      expect(await under.seals.low(0)).toEqual({ next: 2, src: 20 })
      const other = await under.seals.seal(0, { site: 'b.example', day }, 5, all)
      await under.seals.dropSealed(0, other!)
      expect(await under.seals.low(0)).toEqual({ next: 5, src: 50 })
      await put(6, [1])
      expect(await under.seals.low(0)).toEqual({ next: 5, src: 50 })
    })

    test('what is dropped is gone, what came after it stays', async () => {
      await put(2, [1, 2])
      const copy = (await under.seals.seal(0, where, 5, all)) as SealedCopy
      await put(3, [4])
      await under.seals.dropSealed(0, { ...copy, to: 3 })
      expect((await page()).blocks).toHaveLength(3)
      await under.seals.dropSealed(0, copy)
      await under.seals.dropSealed(0, copy)
      expect((await page()).intervals).toEqual([{ day, from: 2, to: 3, rows: 4 }])
      expect((await page()).blocks.map(({ from }) => from)).toEqual([2])
      expect(await under.seals.readSealed(0, copy)).toBeUndefined()
    })

    test('a base is forgotten when nothing stands on it, and not before', async () => {
      await put(2, [1])
      const known = async () => (await under.seals.bases(0, [where]))[0]
      await under.seals.forgetBase(0, where, 99)
      expect(await known()).toBe(0)
      const copy = (await under.seals.seal(0, where, 5, all)) as SealedCopy
      await under.seals.forgetBase(0, where, 99)
      expect(await known()).toBe(2)
      await under.seals.dropSealed(0, copy)
      await under.seals.forgetBase(0, where, 1)
      expect(await known()).toBe(2)
      await under.seals.forgetBase(0, where, 2)
      expect(await known()).toBeUndefined()
      const was = fence
      const change = { blocks: [{ ...where, from: 2, to: 3, rows: 1, body: '[]' }], bases: [], minutes: [], seen: [] }
      expect(await under.memtables.commit(0, was, { ...was, next: 3 }, change)).toBe('stale')
    })
  })
}

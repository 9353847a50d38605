import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { BlockCursor, Memtables, RollupChange, RollupFence } from '#shared/ports/memtables.ts'
import type { Block } from '#shared/segment/row.ts'

/** What every memtables engine must do. */
export type MemtablesUnderTest = { memtables: Memtables; close(): Promise<void> | void }

const fence: RollupFence = { gen: 7, topic: 't', next: 0, src: -1, logTime: 0 }
const nothing: RollupChange = { blocks: [], bases: [], minutes: [], seen: [] }
const basesOf = (blocks: readonly Block[], base = 0) => blocks.map(({ site, day }) => ({ site, day, base }))
const block = (day: number, from: number, to: number, site = 'a.example'): Block => ({
  site,
  day,
  from,
  to,
  rows: 1,
  body: `["${site} ${day} ${from} ü"]`,
})

export const memtablesContract = (name: string, open: () => Promise<MemtablesUnderTest>): void => {
  describe(`memtables: ${name}`, () => {
    let under: MemtablesUnderTest
    beforeEach(async () => {
      under = await open()
    })
    afterEach(() => under.close())

    /** Commits changes one after the other, each moving the fence by one. */
    const commitAll = async (changes: RollupChange[]) => {
      await under.memtables.init(0, fence)
      for (const [i, change] of changes.entries())
        expect(
          await under.memtables.commit(
            0,
            { ...fence, next: i, src: i - 1 },
            { ...fence, next: i + 1, src: i },
            { ...change, bases: basesOf(change.blocks) },
          ),
        ).toBe('done')
    }

    test('nothing is there at first', async () => {
      expect(await under.memtables.fence(0)).toBeUndefined()
      expect(await under.memtables.read(0, 'a.example', -99999999, 99999999)).toEqual({ fence: undefined, intervals: [], blocks: [] })
      expect(await under.memtables.days(0, 'a.example')).toBeUndefined()
      expect(await under.memtables.live(0, 'a.example', 0)).toEqual({ visitors: 0, minutes: [] })
    })

    test('the first of two beginners writes the fence, both are told which stands', async () => {
      expect(await under.memtables.init(0, fence)).toEqual(fence)
      expect(await under.memtables.init(0, { ...fence, gen: 8 })).toEqual(fence)
    })

    test('a state that is given up is forgotten whole, and only if it is the one that stands', async () => {
      const base = { site: 'a.example', day: 20261025, base: 0 }
      const minute = { site: 'a.example', minute: 60_000, pageviews: 1, events: 1, visits: 1 }
      const seen = { site: 'a.example', vis: 'a', t: 70_000 }
      await under.memtables.init(0, fence)
      await under.memtables.init(1, fence)
      const now = { ...fence, next: 1, src: 1 }
      for (const partition of [0, 1])
        await under.memtables.commit(partition, fence, now, {
          ...{ blocks: [block(20261025, 0, 1)], bases: [base], minutes: [minute], seen: [seen] },
        })
      const other = { ...fence, gen: 8, next: 5 }
      expect(await under.memtables.init(0, other, fence)).toEqual(now)
      expect((await under.memtables.read(0, 'a.example', 20261025, 20261025)).blocks).toHaveLength(1)
      expect(await under.memtables.init(0, other, now)).toEqual(other)
      const nobody = { visitors: 0, minutes: [] }
      expect(await under.memtables.read(0, 'a.example', 20261025, 20261025)).toEqual({ fence: other, intervals: [], blocks: [] })
      expect(await under.memtables.live(0, 'a.example', 0)).toEqual(nobody)
      expect((await under.memtables.read(1, 'a.example', 20261025, 20261025)).blocks).toHaveLength(1)
      expect(await under.memtables.live(1, 'a.example', 0)).not.toEqual(nobody)
    })

    test('a commit moves fence and rows together, and a read gives both', async () => {
      await commitAll([{ ...nothing, blocks: [block(20261025, 0, 1), block(-20261025, 0, 1)] }])
      const { fence: now, blocks } = await under.memtables.read(0, 'a.example', 20261025, 20261025)
      expect(now).toMatchObject({ next: 1, src: 0 })
      expect(blocks).toEqual([block(20261025, 0, 1)])
    })

    test.each([
      ['generation', { gen: 8 }],
      ['next', { next: 1 }],
      ['source offset', { src: 0 }],
    ])('a commit from another %s changes nothing', async (_what, other) => {
      await under.memtables.init(0, fence)
      const change = {
        blocks: [block(20261025, 0, 1)],
        bases: [{ site: 'a.example', day: 20261025, base: 0 }],
        minutes: [{ site: 'a.example', minute: 0, pageviews: 1, events: 1, visits: 1 }],
        seen: [{ site: 'a.example', vis: 'v', t: 5 }],
      }
      expect(await under.memtables.commit(0, { ...fence, ...other }, { ...fence, next: 9 }, change)).toBe('stale')
      expect(await under.memtables.read(0, 'a.example', 0, 99999999)).toEqual({ fence, intervals: [], blocks: [] })
      expect(await under.memtables.live(0, 'a.example', 0)).toEqual({ visitors: 0, minutes: [] })
    })

    test('blocks come in offset order, of the asked days and site only', async () => {
      await commitAll([
        { ...nothing, blocks: [block(20261026, 0, 1), block(20261025, 0, 1, 'b.example')] },
        { ...nothing, blocks: [block(20261025, 1, 2), block(20261027, 1, 2)] },
        { ...nothing, blocks: [block(20261026, 2, 3), block(-20261026, 2, 3)] },
      ])
      const { blocks } = await under.memtables.read(0, 'a.example', 20261025, 20261026)
      expect(blocks).toEqual([block(20261026, 0, 1), block(20261025, 1, 2), block(20261026, 2, 3)])
      expect((await under.memtables.read(0, 'a.example', -20261031, -20261001)).blocks).toEqual([block(-20261026, 2, 3)])
      expect(await under.memtables.days(0, 'a.example')).toEqual({ first: 20261025, last: 20261027 })
    })

    describe('the base of a memtable', () => {
      const commit = (blocks: Block[], bases: RollupChange['bases']) =>
        under.memtables.commit(0, fence, { ...fence, next: 10, src: 1 }, { ...nothing, blocks, bases })
      const read = () => under.memtables.read(0, 'a.example', 20261025, 20261025)
      beforeEach(async () => void (await under.memtables.init(0, fence)))

      test('is where its interval begins; it goes to the fence', async () => {
        expect(await commit([block(20261025, 5, 6)], [{ site: 'a.example', day: 20261025, base: 4 }])).toBe('done')
        expect((await read()).intervals).toEqual([{ day: 20261025, from: 4, to: 10, rows: 1 }])
      })

      test.each<[string, RollupChange['bases']]>([
        ['no base', []],
        ['the base of another day', [{ site: 'a.example', day: 20261026, base: 0 }]],
        ['a base above its block', [{ site: 'a.example', day: 20261025, base: 6 }]],
      ])('%s: stale, and nothing is changed', async (_what, bases) => {
        expect(await commit([block(20261025, 5, 6)], bases)).toBe('stale')
        expect(await read()).toEqual({ fence, intervals: [], blocks: [] })
      })

      test('that is stored stands', async () => {
        expect(await commit([block(20261025, 5, 6)], [{ site: 'a.example', day: 20261025, base: 4 }])).toBe('done')
        const [was, now] = [
          { ...fence, next: 10, src: 1 },
          { ...fence, next: 20, src: 2 },
        ]
        const change = { ...nothing, blocks: [block(20261025, 10, 20)], bases: [{ site: 'a.example', day: 20261025, base: 9 }] }
        expect(await under.memtables.commit(0, was, now, change)).toBe('done')
        expect((await read()).intervals).toEqual([{ day: 20261025, from: 4, to: 20, rows: 2 }])
      })

      // A base that was read, then the state was set back to where the fence is the same: the rows are not cold there.
      test.each([
        ['lower than what rows were left out for: stale, and nothing is changed', 5, 'stale'],
        ['as it was when rows were left out: done', 4, 'done'],
      ])('%s', async (_what, base, wanted) => {
        expect(await commit([block(20261025, 5, 6)], [{ site: 'a.example', day: 20261025, base: 4 }])).toBe('done')
        const before = await read()
        const [was, now] = [
          { ...fence, next: 10, src: 1 },
          { ...fence, next: 20, src: 2 },
        ]
        const skipped = [
          { site: 'a.example', day: 20261024, base: 9 }, // of which nothing is stored: it is all cold
          { site: 'a.example', day: 20261025, base },
        ]
        const change = { ...nothing, skipped, blocks: [block(20261026, 10, 20)], bases: [{ site: 'a.example', day: 20261026, base: 9 }] }
        expect(await under.memtables.commit(0, was, now, change)).toBe(wanted)
        if (wanted === 'stale') expect(await read()).toEqual(before)
        else expect((await under.memtables.fence(0))?.next).toBe(20)
      })
    })

    describe('page by page', () => {
      const [from, to] = [20261025, 20261027]
      const all = [
        block(20261026, 0, 1),
        block(20261025, 1, 2),
        block(20261026, 1, 2),
        block(20261027, 1, 2),
        block(20261025, 2, 3),
        block(20261027, 3, 4),
      ]
      const other = [block(20261025, 1, 2, 'b.example'), block(20261024, 1, 2), block(20261028, 2, 3), block(-20261026, 2, 3)]

      const pages = async (characters: number, [first, last]: [number, number] = [from, to], between = async (_page: number) => {}) => {
        const found: Block[][] = []
        for (let after: BlockCursor | undefined, n = 0; n === 0 || after; n++) {
          const page = await under.memtables.read(0, 'a.example', first, last, { after, characters })
          expect(page.fence).toBeDefined()
          found.push(page.blocks)
          after = page.next
          await between(n)
        }
        return found
      }

      test.each([1, 25, 1e9])('at %d characters a page', async (characters) => {
        await commitAll([{ ...nothing, blocks: [...all, ...other] }])
        const found = await pages(characters)
        expect(found.flat()).toEqual(all)
        const length = all[0]!.body.length
        expect(found.map((blocks) => blocks.length)).toEqual(characters < length ? [1, 1, 1, 1, 1, 1] : characters < 100 ? [2, 2, 2] : [6])
        expect((await pages(characters, [20261026, 20261026])).flat()).toEqual([all[0], all[2]])
        expect(await pages(characters, [20261029, 20261030])).toEqual([[]])
        expect((await pages(characters, [-20261027, -20261025])).flat()).toEqual([other[3]])
      })

      test('blocks that come meanwhile come behind, and the fence tells of them', async () => {
        await commitAll([{ ...nothing, blocks: all }])
        const late = block(20261026, 9, 10)
        const now = { ...fence, next: 1, src: 0 }
        const found = await pages(1, [20261026, 20261026], async (n) => {
          if (n > 0) return
          const change = { ...nothing, blocks: [late, block(20261025, 9, 10)] } // their bases are known
          expect(await under.memtables.commit(0, now, { ...now, next: 10, src: 1 }, change)).toBe('done')
        })
        expect(found.flat()).toEqual([all[0], all[2], late])
        expect(await under.memtables.read(0, 'a.example', from, to, { after: { from: 1, day: 20261026 } })).toEqual({
          fence: { ...now, next: 10, src: 1 },
          intervals: [
            { day: 20261025, from: 0, to: 10, rows: 3 },
            { day: 20261026, from: 0, to: 10, rows: 3 },
            { day: 20261027, from: 0, to: 10, rows: 2 },
          ],
          blocks: [all[3], all[4], all[5], block(20261025, 9, 10), late],
        })
      })

      test('without a word about it a page has an end all the same', async () => {
        const large = Array.from({ length: 8 }, (_, i) => ({ ...block(20261025, i, i + 1), body: `["${'x'.repeat(5_000_000)}"]` }))
        await commitAll([{ ...nothing, blocks: large }])
        const page = await under.memtables.read(0, 'a.example', 20261025, 20261025)
        expect(page.next).toEqual({ from: page.blocks.at(-1)!.from, day: 20261025 })
        expect(page.blocks.length).toBeLessThan(8)
      })
    })

    test('live sums add up, visitors count once, old ones are trimmed', async () => {
      const minute = (at: number) => ({ site: 'a.example', minute: at, pageviews: 1, events: 2, visits: 1 })
      await commitAll([
        {
          ...nothing,
          minutes: [minute(60_000)],
          seen: [
            { site: 'a.example', vis: 'v', t: 60_000 },
            { site: 'a.example', vis: 'w', t: 50_000 },
          ],
        },
        {
          ...nothing,
          minutes: [minute(60_000), minute(120_000)],
          seen: [
            { site: 'a.example', vis: 'v', t: 10 },
            { site: 'b.example', vis: 'v', t: 120_000 },
          ],
        },
      ])
      expect(await under.memtables.live(0, 'a.example', 0)).toEqual({
        visitors: 2,
        minutes: [
          { minute: 60_000, pageviews: 2, events: 4, visits: 2 },
          { minute: 120_000, pageviews: 1, events: 2, visits: 1 },
        ],
      })
      expect((await under.memtables.live(0, 'a.example', 55_000)).visitors).toBe(1)
      await under.memtables.trimLive(0, 60_000)
      expect(await under.memtables.live(0, 'a.example', 0)).toMatchObject({ visitors: 1 })
      await under.memtables.trimLive(0, 120_000)
      expect((await under.memtables.live(0, 'a.example', 0)).minutes.map(({ minute: at }) => at)).toEqual([120_000])
    })

    test('partitions and odd names are apart', async () => {
      await commitAll([{ ...nothing, blocks: [block(20261025, 0, 1, '__proto__')] }])
      expect((await under.memtables.read(0, '__proto__', 0, 99999999)).blocks).toHaveLength(1)
      expect((await under.memtables.read(1, '__proto__', 0, 99999999)).blocks).toHaveLength(0)
    })
  })
}

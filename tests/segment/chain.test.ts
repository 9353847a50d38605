import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { chainOf, reachOf, readableChain, strandedIn } from '#shared/segment/chain.ts'
import type { Interval } from '#shared/segment/encode.ts'

const span = (from: number, to: number): Interval => ({ from, to })
const spans = fc.array(
  fc.tuple(fc.nat(12), fc.integer({ min: 1, max: 6 })).map(([from, length]) => span(from, from + length)),
  { maxLength: 14 },
)

/** Every chain from 0 there is, by trying all. */
const allChains = (list: readonly Interval[], from = 0): Interval[][] => [
  [],
  ...list.filter((one) => one.from === from).flatMap((one) => allChains(list, one.to).map((rest) => [one, ...rest])),
]

describe('a chain', () => {
  test.each<[string, Interval[], Interval[]]>([
    ['of nothing', [], []],
    ['does not begin beyond 0', [span(1, 2)], []],
    ['ends before a gap', [span(0, 2), span(3, 5)], [span(0, 2)]],
    ['takes the closed day', [span(0, 2), span(2, 5), span(0, 5)], [span(0, 5)]],
    ['does not strand itself on the longest first step', [span(0, 29), span(0, 20), span(20, 45)], [span(0, 20), span(20, 45)]],
  ])('%s', (_what, list, chain) => expect(chainOf(list)).toEqual(chain))

  test('reaches furthest, by fewest, laid end to end; the order given does not matter', () => {
    fc.assert(
      fc.property(spans, (list) => {
        const chain = chainOf(list)
        const ends = [0, ...chain.map(({ to }) => to)]
        expect(chain.map(({ from }) => from)).toEqual(ends.slice(0, -1))
        const reach = Math.max(...allChains(list).map((one) => one.at(-1)?.to ?? 0))
        expect(reachOf(list)).toBe(reach)
        const fewest = Math.min(...allChains(list).flatMap((one) => ((one.at(-1)?.to ?? 0) === reach ? [one.length] : [])))
        expect(chain).toHaveLength(fewest)
        expect(chainOf([...list].reverse())).toHaveLength(fewest)
        expect(reachOf([...list].reverse())).toBe(reach)
      }),
      { numRuns: 300 },
    )
  })
})

test.each<[string, Interval[], Interval | undefined]>([
  ['behind a gap', [span(0, 2), span(6, 8), span(4, 6)], span(4, 6)],
  ['that begin before the end of the chain', [span(0, 4), span(2, 9)], span(2, 9)],
  ['of which more is to come', [span(0, 2), span(4, 10)], undefined],
  ['none, where the chain has it all', [span(0, 4), span(2, 4), span(4, 9)], undefined],
])('intervals that no chain leads to: %s', (_what, list, found) => expect(strandedIn(list, 9)).toEqual(found))

describe('what a reading up to an offset takes', () => {
  const chain = (cold: Interval[], hot: Interval[], before: number) => readableChain(cold, hot, before)
  const [a, b, closed] = [span(0, 4), span(4, 9), span(0, 9)]

  test('of the same interval the cold one, of the rest what is hot', () => {
    expect(chain([a], [a, span(4, 7)], 7)).toEqual([{ cold: a }, { hot: span(4, 7) }])
  })

  test('a segment that reaches beyond is left, as long as the rows below are had', () => {
    expect(chain([a, b, closed], [b], 6)).toEqual([{ cold: a }, { hot: b }])
    expect(chain([a, b, closed], [], 9)).toEqual([{ cold: closed }])
    expect(chain([a, b, closed], [], 4)).toEqual([{ cold: a }])
  })

  test('rows that no chain has: no reading', () => {
    expect(chain([a, b], [], 6)).toBeUndefined()
    expect(chain([closed], [b], 9)).toEqual([{ cold: closed }])
    expect(chain([closed], [span(4, 12)], 12)).toBeUndefined()
    expect(chain([], [span(4, 12)], 12)).toBeUndefined()
  })

  test('what begins at the end or behind it is nothing to it', () => {
    expect(chain([a, b], [span(9, 12)], 4)).toEqual([{ cold: a }])
    expect(chain([], [], 4)).toEqual([])
  })

  test('all rows below the end, each once, or none', () => {
    fc.assert(
      fc.property(spans, spans, fc.integer({ min: 0, max: 18 }), (cold, hot, before) => {
        const found = chain(cold, hot, before)
        const known = [...cold, ...hot].filter(({ from }) => from < before).map(({ to }) => Math.min(to, before))
        if (!found) return
        const taken = found.map((part) => ('cold' in part ? part.cold : span(part.hot.from, Math.min(part.hot.to, before))))
        expect(taken.map(({ from }) => from)).toEqual([0, ...taken.map(({ to }) => to)].slice(0, -1))
        expect(taken.at(-1)?.to ?? 0).toBe(Math.max(0, ...known))
      }),
      { numRuns: 500 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changeShards, partitionOf, partitionsOf, shardNumbers, shardOf, shardsOf } from '#shared/site/shards.ts'

const hour = 3_600_000
const now = Date.UTC(2026, 9, 25)
const of = (partitions: number, number = 0) => ({ number, partitions })

describe('the partition of a shard', () => {
  test('is that of before, for ever: hits are found again by it', () => {
    expect(['example.com', 'example.org', 'localhost', ''].map((site) => partitionOf(site, 0, of(16)))).toEqual([2, 11, 15, 8])
    expect([0, 1, 2, 3].map((shard) => partitionOf('example.com', shard, of(64)))).toEqual([2, 53, 8, 30])
  })

  test('is one of those there are, and the only one where there is one', () => {
    fc.assert(
      fc.property(fc.string(), fc.nat(255), fc.integer({ min: 1, max: 512 }), (site, shard, count) => {
        const partition = partitionOf(site, shard, of(count))
        return Number.isInteger(partition) && partition >= 0 && partition < count
      }),
    )
    expect(partitionOf('example.com', 7, of(1))).toBe(0)
  })

  test('spreads sites evenly: none of 64 partitions has a third more than its share of 100,000', () => {
    const sites = new Array<number>(64).fill(0)
    for (let i = 0; i < 100_000; i++) sites[partitionOf(`site-${i}.example`, 0, of(64))]!++
    expect(Math.max(...sites)).toBeLessThan((100_000 / 64) * 1.33)
    expect(Math.min(...sites)).toBeGreaterThan((100_000 / 64) * 0.67)
  })
})

describe('the shards of a site', () => {
  test('change a day ahead; a change that somebody may know of already stays', () => {
    const four = changeShards([], 4, now)
    expect(four).toEqual([{ bits: 2, from: now + 24 * hour }])
    expect(shardsOf({ shards: four })).toBe(4)
    expect(changeShards(four, 8, now + hour)).toEqual([...four, { bits: 3, from: now + 25 * hour }])
    expect(changeShards(four, 4, now + hour)).toEqual(four)
    const later = changeShards(four, 1, now + 48 * hour)
    expect(later).toEqual([...four, { bits: 0, from: now + 72 * hour }])
    expect(shardsOf({ shards: later })).toBe(1)
  })

  test('hold a hit by its own time and its visitor', () => {
    const shards = [
      { bits: 2, from: 1_000 },
      { bits: 1, from: 2_000 },
    ]
    expect([0, 999, 1_000, 1_999, 2_000, 9e15].map((t) => shardOf({ shards }, t, 0xff))).toEqual([0, 0, 3, 3, 1, 1])
    expect(shardOf({}, 5, 0xff)).toBe(0)
  })

  test('never hold a hit in a partition that is not read for the site', () => {
    const span = fc.record({ bits: fc.constantFrom(...shardNumbers.map(Math.log2)), from: fc.nat(1_000) })
    fc.assert(
      fc.property(
        fc.array(span, { maxLength: 4 }).map((spans) => spans.sort((a, b) => a.from - b.from)),
        fc.nat(1_200),
        fc.nat(255),
        fc.constantFrom(1, 3, 16, 64),
        (shards, t, route, count) =>
          partitionsOf('a.example', { shards }, [of(count)]).includes(partitionOf('a.example', shardOf({ shards }, t, route), of(count))),
      ),
    )
  })

  test('are in the partitions of every generation, the newest first, and no two generations share one', () => {
    const config = { shards: [{ bits: 1, from: 5 }] }
    const generations = [of(16), of(64, 1)]
    const [old, now] = generations.map((generation) => partitionsOf('a.example', config, [generation]))
    expect(partitionsOf('a.example', config, generations)).toEqual([...now!, ...old!])
    expect(now!.every((part) => part >= 4_096 && part < 4_096 + 64)).toBe(true)
  })

  test('are one in one partition without a word about them', () => {
    expect(partitionsOf('a.example', {}, [of(64)])).toEqual([partitionOf('a.example', 0, of(64))])
    expect(partitionsOf('a.example', { shards: [{ bits: 8, from: 5 }] }, [of(1)])).toEqual([0])
    expect(partitionsOf('a.example', { shards: [{ bits: 2, from: 5 }] }, [of(64)])[0]).toBe(partitionOf('a.example', 0, of(64)))
  })
})

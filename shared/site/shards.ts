import type { Generation } from '../ports/generations.ts'
import type { ShardSpan, SiteConfig } from './config.ts'
import { partOf } from './generations.ts'

/**
 * How sites are spread over the partitions of the log (data.md §4.1). The key is (site, shard): a site's visitors are all in one
 * partition, or, once it is sharded, each in one of a few. So what is counted of visitors adds over partitions.
 */

/** How many shards a site may have: a visitor's route is one of 256. */
export const shardNumbers: readonly number[] = [1, 2, 4, 8, 16, 32, 64, 128, 256]

const dayMs = 86_400_000

/** How many shards a site has, or will have by tomorrow. */
export const shardsOf = ({ shards }: Pick<SiteConfig, 'shards'>): number => 1 << (shards?.at(-1)?.bits ?? 0)

/**
 * The spans with another number of shards from a day later on. A change before that is never taken back: a collect-hit that has not
 * reached the store since would still go by it.
 */
export const changeShards = (spans: readonly ShardSpan[], shards: number, now: number): ShardSpan[] =>
  shardsOf({ shards: [...spans] }) === shards ? [...spans] : [...spans, { bits: Math.log2(shards), from: now + dayMs }]

const fnvOffset = 0x811c9dc5
const fnvPrime = 0x01000193

/** FNV-1a, 32 bits, of UTF-16 units, with the finalizer of MurmurHash3: short names differ in their last letters only. */
const hash32 = (text: string): number => {
  let h = fnvOffset
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), fnvPrime)
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

type Spread = Pick<Generation, 'number' | 'partitions'>

/** The partition of a generation that holds a shard of a site. It must never change: hits are found again by it. */
export const partitionOf = (site: string, shard: number, generation: Spread): number =>
  partOf(generation, generation.partitions === 1 ? 0 : hash32(`${site} ${shard}`) % generation.partitions)

/** Bits of the shard of a hit at `t` (ms UTC): a site of k bits has 2^k shards. */
const bitsAt = (spans: readonly ShardSpan[], t: number): number => spans.findLast(({ from }) => from <= t)?.bits ?? 0

/** Whether hits of a site at `t` are sharded: only then is a route needed. */
export const isSharded = ({ shards }: Pick<SiteConfig, 'shards'>, t: number): boolean => shards !== undefined && bitsAt(shards, t) > 0

/** The shard of a hit at `t` of a visitor of this route (0 to 255). */
export const shardOf = ({ shards }: Pick<SiteConfig, 'shards'>, t: number, route: number): number =>
  shards === undefined ? 0 : route & ((1 << bitsAt(shards, t)) - 1)

/**
 * All partitions that may hold rows of a site, of all generations and whatever its shards were on a day; the first is that of its ledger
 * in the newest generation.
 */
export const partitionsOf = (site: string, { shards }: Pick<SiteConfig, 'shards'>, generations: readonly Spread[]): number[] => {
  const bits = Math.max(0, ...(shards ?? []).map((span) => span.bits))
  const numbers = Array.from({ length: 1 << bits }, (_, shard) => shard)
  const all = generations.toReversed().flatMap((generation) => numbers.map((shard) => partitionOf(site, shard, generation)))
  return [...new Set(all)]
}

import type { SiteConfig } from '#shared/site/config.ts'
import { createRandom, type Random } from './random.ts'

/** How a run's log is cut into partitions, and its sites into shards. */

/** A third of the seeds have two or three partitions. */
export const partitionsFor = (seed: number): number => {
  const random = createRandom(seed ^ 0x9a27)
  return random.chance(1 / 3) ? random.pick([2, 3]) : 1
}

const hour = 3_600_000

/** Most sites with shards: from the beginning, or in numbers that change while the run goes on, as they were told a day ahead. */
export const sharded = (random: Random, config: SiteConfig, start: number): SiteConfig => {
  if (random.chance(0.3)) return config
  const first = { bits: random.pick([0, 1, 2]), from: 0 }
  if (first.bits > 0 && random.chance(0.5)) return { ...config, shards: [first] }
  return { ...config, shards: [first, { bits: random.pick([0, 1, 2]), from: start + random.below(20 * hour) }] }
}

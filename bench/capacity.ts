import { partitionOf, shardNumbers } from '#shared/site/shards.ts'
import { createRandom } from '../scripts/traffic/random.ts'
import { print } from './figure.ts'

/**
 * What an installation needs, by simulation: a day of hits of many sites, with its peak, a burst, and a stage that is down for a while,
 * goes through the stages partition by partition, one batch at a time, at costs that `bench -- pipeline` has measured. It knows nothing
 * but these costs; docs/capacity.md has its figures in words.
 */

/** Costs, measured: CPU seconds. A batch costs `call` (Kafka, Redis, HTTP), each of its hits `hit`. */
const stages = [
  { name: 'enrich-session', call: 0.006, hit: 18e-6, most: 2_000 },
  { name: 'rollup-window', call: 0.005, hit: 13e-6, most: 2_000 },
] as const
/** A batch waits for Redis and Kafka for so long beside its CPU. */
const waitSeconds = 0.02
const lingerSeconds = 0.025

/** Bytes, measured: `bench -- pipeline`, `bench -- query`, docs/engines-redis.md. */
const bytes = { kafkaPerHit: 177, session: 275, id: 45, row: 600, segmentPerHit: 12.5, hotPerHit: 20 }
/** Of a usual site: hits of a visit, visits of a visitor on a day. */
const hitsPerVisit = 4
const heldMinutes = 45
const idHours = 24
const memtableMinutes = 15
const kafkaHours = 72

export type Plan = {
  name: string
  hitsPerDay: number
  sites: number
  partitions: number
  /** Cores that each stage may use; a batch takes one of them. */
  cores: number
  /** By how much more comes in a minute of rush. */
  burst: number
  /** Retry horizon, hours. */
  idHours?: number
}

export const plans: readonly Plan[] = [
  { name: '1M-a-day', hitsPerDay: 1e6, sites: 20, partitions: 16, cores: 1, burst: 10 },
  { name: '10M-a-day', hitsPerDay: 1e7, sites: 500, partitions: 16, cores: 1, burst: 10 },
  { name: '1M-a-second', hitsPerDay: 86.4e9, sites: 200_000, partitions: 512, cores: 100, burst: 2, idHours: 2 },
]

/** Hits a second at a second of the day over the mean: 0.3 at night, 1.9 in the evening. */
const curve = (second: number): number =>
  1 - 0.75 * Math.cos(((second - 3 * 3_600) / 86_400) * 2 * Math.PI) + 0.15 * Math.sin((second / 43_200) * 2 * Math.PI)

/** A site is given so many shards that none has more hits a day (data.md §4.1). */
const mostOfShard = 4_000_000

/** Share of the hits that each partition has: sites by Zipf's law, the largest in shards, on partitions as the product has it. */
const sharesOf = ({ hitsPerDay, sites, partitions }: Plan): number[] => {
  const shares = new Array<number>(partitions).fill(0)
  let sum = 0
  for (let rank = 1; rank <= sites; rank++) sum += 1 / rank
  for (let rank = 1; rank <= sites; rank++) {
    const share = 1 / rank / sum
    const of = shardNumbers.find((count) => (share * hitsPerDay) / count <= mostOfShard) ?? shardNumbers.at(-1)!
    for (let shard = 0; shard < of; shard++) shares[partitionOf(`site-${rank}.example`, shard, { number: 0, partitions })]! += share / of
  }
  return shares
}

type StageState = { backlog: Float64Array; busyUntil: Float64Array }

/** Poisson for small means, else its normal approximation. */
const arrivals = (mean: number, next: () => number): number => {
  if (mean > 50) return Math.max(0, Math.round(mean + Math.sqrt(mean) * (next() + next() + next() + next() + next() + next() - 3) * 1.41))
  let count = 0
  for (let p = Math.exp(-mean), s = p, u = next(); u > s && count < 500; ) {
    count++
    p *= mean / count
    s += p
  }
  return count
}

/** One simulated hour around the peak, at tenths of a second: a burst of a minute, later 10 minutes without enrich. */
export const simulate = (plan: Plan, seed: number) => {
  const random = createRandom(seed)
  const next = () => random.whole(1_000_000) / 1_000_000
  const shares = sharesOf(plan)
  const mean = plan.hitsPerDay / 86_400
  const step = 0.1
  const state: StageState[] = stages.map(() => ({
    backlog: new Float64Array(plan.partitions),
    busyUntil: new Float64Array(plan.partitions),
  }))
  const burst = { from: 600, to: 660, times: plan.burst }
  const outage = { from: 1_500, to: 2_100 }
  let cpu = [0, 0]
  let taken = 0
  const lag = { usual: 0, burst: 0, outage: 0 }
  let recovered = Number.NaN
  for (let at = 0; at < 5_400; at += step) {
    const rate = mean * curve(19 * 3_600 + at) * (at >= burst.from && at < burst.to ? burst.times : 1)
    for (let p = 0; p < plan.partitions; p++) state[0]!.backlog[p]! += arrivals(rate * step * shares[p]!, next)
    const room = stages.map(() => plan.cores * step)
    for (const [s, stage] of stages.entries()) {
      if (s === 0 && at >= outage.from && at < outage.to) continue
      const { backlog, busyUntil } = state[s]!
      for (let i = 0; i < plan.partitions; i++) {
        // Who comes first takes turns: a partition is nobody's favourite.
        const p = (i + Math.floor(at / step)) % plan.partitions
        let clock = Math.max(busyUntil[p]!, at)
        while (clock < at + step && backlog[p]! > 0 && room[s]! > 0) {
          const hits = Math.min(stage.most, backlog[p]!)
          const cost = stage.call + stage.hit * hits
          room[s]! -= cost
          cpu[s]! += cost
          backlog[p]! -= hits
          if (s === 0) state[1]!.backlog[p]! += hits
          else taken += hits
          clock += cost + waitSeconds + (hits < 1_000 ? lingerSeconds : 0)
        }
        busyUntil[p] = Math.max(busyUntil[p]!, clock)
      }
    }
    const worst = Math.max(...shares.map((share, p) => (state[0]!.backlog[p]! + state[1]!.backlog[p]!) / Math.max(1e-9, rate * share)))
    const kind = at < burst.from ? 'usual' : at < outage.from ? 'burst' : 'outage'
    if (at > 60) lag[kind] = Math.max(lag[kind], worst)
    if (at >= outage.to && Number.isNaN(recovered) && worst < 5) recovered = at - outage.to
  }
  cpu = cpu.map((one) => one / taken)
  return { largestShare: Math.max(...shares), lag, recovered, cpuPerHit: cpu }
}

/** Memory and disk of a plan, bytes; `perDay` grows each day. */
export const sizesOf = ({ hitsPerDay, idHours: hours = idHours }: Plan) => {
  const perSecond = hitsPerDay / 86_400
  const peak = perSecond * 1.9
  return {
    redis:
      (peak / hitsPerVisit) * heldMinutes * 60 * bytes.session +
      hitsPerDay * (hours / 24) * bytes.id +
      peak * memtableMinutes * 60 * bytes.row,
    kafka: perSecond * kafkaHours * 3_600 * bytes.kafkaPerHit,
    cassandraPerDay: hitsPerDay * bytes.segmentPerHit,
    cassandraHot: hitsPerDay * 10 * bytes.hotPerHit,
  }
}

export const benchCapacity = async (): Promise<void> => {
  for (const plan of plans) {
    const { largestShare, lag, recovered, cpuPerHit } = simulate(plan, 1)
    const sizes = sizesOf(plan)
    const figure = (name: string, value: number, unit: string) => print({ name: `capacity-${plan.name}-${name}`, value, unit })
    figure('largest-partition', largestShare * plan.partitions, 'of the mean')
    figure('lag-usual', lag.usual, 's')
    figure('lag-after-burst', lag.burst, 's')
    figure('recovered-after-outage', recovered, 's')
    for (const [i, { name }] of stages.entries()) figure(`${name}-cpu`, cpuPerHit[i]! * 1e6, 'µs/hit')
    figure('redis', sizes.redis / 1e9, 'GB')
    figure('kafka', sizes.kafka / 1e9, 'GB')
    figure('cassandra-per-day', sizes.cassandraPerDay / 1e9, 'GB')
    figure('cassandra-hot', sizes.cassandraHot / 1e9, 'GB')
  }
}

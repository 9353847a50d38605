import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { type Clock, hasPassed, sleep } from '../clock.ts'
import type { Reply } from '../handler.ts'
import type { Meter } from '../ports/meter.ts'
import type { Usage } from '../ports/usage.ts'
import type { EngineName } from '../wire.ts'
import { type FunctionName, routeClassOf } from './routes.ts'

/**
 * What a function's process tells Prometheus at GET /metrics. Labels are closed lists: no site, no visitor, no path as it was sent. It is for
 * whoever runs Footfall, and reached from inside alone; what is counted for reports stands in the ledger.
 */
export type FunctionMetrics = {
  meter: Meter
  /** A request was answered. */
  answered(path: string, status: number, ms: number): void
  /** A request was refused before anybody looked at it, or to be sent again later. */
  refused(status: number): void
  /** A server could not be reached, or could not do it. */
  outage(engine: EngineName): void
  /** The page that Prometheus reads. */
  page(): Promise<Reply>
}

export type MetricSources = {
  clock: Clock
  /** Requests that are being answered. */
  inFlight: () => number
  /** Whether the function says that it is ready. */
  isReady: () => Promise<boolean>
  /** Of a function that has hot state. */
  usage?: Usage | undefined
}

export const metricLimits = {
  /** Servers are asked at most so often, whoever scrapes. */
  askEveryMs: 15_000,
  /** A scrape waits so long for their answer: it must not be lost because one is away. */
  patienceMs: 1_000,
  /** What another replica has looked at since then may have changed. */
  freshMs: 120_000,
} as const

const secondsBuckets = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120]

/** What is asked at scrapes, sparingly; `undefined` when it fails, or has not been answered in time. */
const createSample = <T>(clock: Clock, ask: () => Promise<T>): (() => Promise<T | undefined>) => {
  let askedAt = Number.NEGATIVE_INFINITY
  let answer: Promise<T | undefined> = Promise.resolve(undefined)
  return () => {
    if (hasPassed(clock, askedAt, metricLimits.askEveryMs)) {
      askedAt = clock.now()
      // That it failed is what the metric says.
      answer = ask().catch(() => undefined)
    }
    return Promise.race([answer, sleep(clock, metricLimits.patienceMs).then(() => undefined)])
  }
}

type In = { registers: Registry[] }

const redisMetrics = ({ registers }: In, clock: Clock, usage: Usage): void => {
  const sample = createSample(clock, () => usage.memory())
  new Gauge({
    name: 'footfall_redis_up',
    help: '1 where Redis answers this process within a second, else 0.',
    registers,
    async collect() {
      this.set((await sample()) ? 1 : 0)
    },
  })
  const bytes = (name: string, help: string, of: 'usedBytes' | 'limitBytes') =>
    new Gauge({
      name,
      help,
      labelNames: ['node'],
      registers,
      async collect() {
        this.reset()
        for (const one of (await sample()) ?? []) this.set({ node: one.node }, one[of])
      },
    })
  bytes('footfall_redis_memory_used_bytes', 'Memory that a server of Redis has taken.', 'usedBytes')
  bytes(
    'footfall_redis_memory_limit_bytes',
    'Memory that it may take: maxmemory, or all of the machine where that is not set.',
    'limitBytes',
  )
}

/** How old the oldest rows are that wait, as this process saw it at last. Partitions that it has not seen for a while are somebody else's. */
const createUnflushed = ({ registers }: In, clock: Clock): Meter['unflushed'] => {
  const seen = new Map<number, { ageMs: number; at: number }>()
  new Gauge({
    name: 'footfall_unflushed_age_seconds',
    help: 'Age of the oldest rows that lie in no segment yet, over the partitions that this process has looked at in the last two minutes.',
    registers,
    collect() {
      for (const [partition, { at }] of seen) if (hasPassed(clock, at, metricLimits.freshMs)) seen.delete(partition)
      if (seen.size === 0) this.remove()
      else this.set(Math.max(...Array.from(seen.values(), ({ ageMs }) => ageMs)) / 1_000)
    },
  })
  return (partition, ageMs) => void seen.set(partition, { ageMs, at: clock.now() })
}

/** What each function says of its own work: only it has these metrics. */
const meterOf = (name: FunctionName, { registers }: In, clock: Clock): Meter => {
  const nothing = () => undefined
  const meter: Meter = { hits: nothing, enriched: nothing, dead: nothing, flushed: nothing, unflushed: nothing }
  if (name === 'collect-hit') {
    const help = 'Hits that came in, by what became of them: accepted, or the reason why not. Lines of imports stand in the ledger.'
    const hits = new Counter({ name: 'footfall_hits_total', help, labelNames: ['outcome'], registers })
    hits.inc({ outcome: 'accepted' }, 0)
    meter.hits = (outcome, n) => hits.inc({ outcome }, n)
  }
  if (name === 'enrich-session') {
    const help = 'Hits that were taken from the log, by what became of them, as the ledger has it.'
    const hits = new Counter({ name: 'footfall_enriched_hits_total', help, labelNames: ['outcome'], registers })
    const outcomes = ['counted', 'repeated', 'dead', 'lost'] as const
    for (const outcome of outcomes) hits.inc({ outcome }, 0)
    const visits = new Counter({ name: 'footfall_visits_total', help: 'Visits that hits have opened.', registers })
    meter.enriched = (sums, opened) => {
      for (const outcome of outcomes) hits.inc({ outcome }, sums[outcome])
      visits.inc(opened)
    }
  }
  if (name === 'rollup-window') {
    const flushed = new Counter({ name: 'footfall_flushed_rows_total', help: 'Rows that were put into segments.', registers })
    meter.flushed = (rows) => flushed.inc(rows)
    meter.unflushed = createUnflushed({ registers }, clock)
  }
  if (name === 'enrich-session' || name === 'rollup-window') {
    const help = 'Records that the function could not use: they are kept, and cost nothing else.'
    const dead = new Counter({ name: 'footfall_dead_records_total', help, registers })
    meter.dead = (records) => dead.inc(records)
  }
  return meter
}

const servers = ['kafka', 'redis', 'cassandra', 'nats'] as const satisfies readonly EngineName[]

/** The metrics of one function's process. */
export const createMetrics = (name: FunctionName, { clock, inFlight, isReady, usage }: MetricSources): FunctionMetrics => {
  const registry = new Registry()
  registry.setDefaultLabels({ function: name })
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'footfall_' })

  const requests = new Counter({
    name: 'footfall_http_requests_total',
    help: 'Requests that were answered, by route and class of status. Probes and scrapes do not count.',
    labelNames: ['route', 'status'],
    registers,
  })
  const seconds = new Histogram({
    name: 'footfall_http_request_duration_seconds',
    help: 'Time from a whole request to its answer; of a stream, to its beginning.',
    labelNames: ['route'],
    buckets: secondsBuckets,
    registers,
  })
  const refused = new Counter({
    name: 'footfall_http_refused_total',
    help: 'Requests that were refused for what the process can take: 413 too large, 429 too many, 503 later.',
    labelNames: ['status'],
    registers,
  })
  for (const status of ['413', '429', '503']) refused.inc({ status }, 0)
  new Gauge({
    name: 'footfall_http_requests_in_flight',
    help: 'Requests that are being answered.',
    registers,
    collect() {
      this.set(inFlight())
    },
  })
  const errors = new Counter({
    name: 'footfall_store_errors_total',
    help: 'Calls for which a server could not be reached, or could not do it; of nats, troubles of the connection.',
    labelNames: ['store'],
    registers,
  })
  for (const store of servers) errors.inc({ store }, 0)
  const ready = createSample(clock, isReady)
  new Gauge({
    name: 'footfall_ready',
    help: '1 where the function says that it is ready, else 0.',
    registers,
    async collect() {
      this.set((await ready()) ? 1 : 0)
    },
  })
  if (usage) redisMetrics({ registers }, clock, usage)

  return {
    meter: meterOf(name, { registers }, clock),
    answered(path, status, ms) {
      const route = routeClassOf(path)
      requests.inc({ route, status: `${Math.floor(status / 100)}xx` }, 1)
      seconds.observe({ route }, Math.max(0, ms) / 1_000)
    },
    refused: (status) => refused.inc({ status: String(status) }, 1),
    outage: (store) => errors.inc({ store }, 1),
    async page() {
      return { status: 200, headers: { 'content-type': registry.contentType, 'cache-control': 'no-store' }, body: await registry.metrics() }
    },
  }
}

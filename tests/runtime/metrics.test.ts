import { describe, expect, test, vi } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import type { Handler, Request } from '#shared/handler.ts'
import type { MemoryUsage } from '#shared/ports/usage.ts'
import { createMeasure } from '#shared/runtime/measured.ts'
import { createMetrics, type MetricSources, metricLimits } from '#shared/runtime/metrics.ts'
import { createReady, reachedOnce } from '#shared/runtime/ready.ts'
import { type FunctionName, functionNames } from '#shared/runtime/routes.ts'
import { noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

const at = (path: string) => ({ method: 'GET', path, query: '', headers: {}, body: Buffer.alloc(0), address: '' }) satisfies Request

/** The lines of a page, without comments and the label that all have, as name and value. */
const read = (body: unknown): Map<string, number> =>
  new Map(
    String(body)
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map((line) => {
        const [name, value] = line.split(/ (?=\S+$)/)
        return [name!.replace(/,?function="[^"]+"/, '').replace('{}', ''), Number(value)]
      }),
  )

const begin = (name: FunctionName, sources: Partial<MetricSources> = {}) => {
  const clock = createVirtualClock(noon, createRandom(1))
  const metrics = createMetrics(name, { clock, inFlight: () => 0, isReady: async () => true, ...sources })
  return { clock, metrics, page: async () => read((await metrics.page()).body) }
}

describe('the metrics of a function', () => {
  test('each has a help text, a name of ours, a unit, and no label but those of closed lists', async () => {
    for (const name of functionNames) {
      const { metrics } = begin(name, { usage: { memory: async () => [{ node: 'a:1', usedBytes: 1, limitBytes: 2 }] } })
      const { body } = await metrics.page()
      const types = [...String(body).matchAll(/^# TYPE (\S+) (\S+)$/gm)]
      for (const [, metric, type] of types) {
        expect(String(body)).toMatch(new RegExp(`^# HELP ${metric} \\S`, 'm'))
        expect(metric).toMatch(/^footfall_/)
        // The library's own have names of its own.
        if (!/^footfall_(nodejs|process)_/.test(metric!)) expect([metric, type === 'counter']).toEqual([metric, metric!.endsWith('_total')])
      }
      const own = String(body)
        .split('\n')
        .filter((line) => !/^(#|footfall_(nodejs|process)_)/.test(line))
        .join('\n')
      const labels = new Set([...own.matchAll(/[{,](\w+)="/g)].map(([, label]) => label))
      expect([...labels].filter((label) => !['function', 'route', 'status', 'le', 'outcome', 'store', 'node'].includes(label!))).toEqual([])
      expect(own).toContain(`footfall_ready{function="${name}"} 1`)
      expect(String(body)).toContain('footfall_process_cpu_seconds_total')
      expect(String(body)).toContain('footfall_nodejs_eventloop_lag_seconds')
    }
  })

  test('a path is counted under its route, whatever was sent', async () => {
    const { metrics, page } = begin('query-metrics')
    for (const path of ['/api/live/a.example', '/api/live/b.example', '/api/sites/secret', '/someone@b.example', '/'])
      metrics.answered(path, 200, 30)
    metrics.answered('/api/v2/query', 503, 6_000)
    const seen = await page()
    expect(seen.get('footfall_http_requests_total{route="/api/live",status="2xx"}')).toBe(2)
    expect(seen.get('footfall_http_requests_total{route="other",status="2xx"}')).toBe(1)
    expect(seen.get('footfall_http_requests_total{route="/api/v2",status="5xx"}')).toBe(1)
    expect(seen.get('footfall_http_request_duration_seconds_bucket{le="5",route="/api/v2"}')).toBe(0)
    expect(seen.get('footfall_http_request_duration_seconds_bucket{le="10",route="/api/v2"}')).toBe(1)
    expect([...seen.keys()].filter((name) => /example|secret/.test(name))).toEqual([])
  })

  test('a function says what it does, and only that', async () => {
    const sums = { hour: 0, received: 7, counted: 3, repeated: 2, dead: 1, lost: 1 }
    const collect = begin('collect-hit')
    collect.metrics.meter.hits('accepted', 3)
    collect.metrics.meter.hits('rate', 2)
    collect.metrics.meter.flushed(5)
    const hits = await collect.page()
    expect([hits.get('footfall_hits_total{outcome="accepted"}'), hits.get('footfall_hits_total{outcome="rate"}')]).toEqual([3, 2])
    expect([...hits.keys()].filter((name) => name.includes('flushed'))).toEqual([])
    const enrich = begin('enrich-session')
    enrich.metrics.meter.enriched(sums, 2)
    enrich.metrics.meter.dead(1)
    const enriched = await enrich.page()
    expect(enriched.get('footfall_enriched_hits_total{outcome="repeated"}')).toBe(2)
    expect([enriched.get('footfall_visits_total'), enriched.get('footfall_dead_records_total')]).toEqual([2, 1])
  })

  test('rows that wait are as old as the oldest of what was looked at lately, and unknown where nothing was', async () => {
    const { clock, metrics, page } = begin('rollup-window')
    const age = async () => (await page()).get('footfall_unflushed_age_seconds')
    expect(await age()).toBeUndefined()
    metrics.meter.unflushed(0, 5_000)
    metrics.meter.unflushed(1, 90_000)
    expect(await age()).toBe(90)
    metrics.meter.unflushed(1, 0)
    expect(await age()).toBe(5)
    clock.advance(metricLimits.freshMs)
    expect(await age()).toBeUndefined()
  })

  test('Redis is asked at scrapes, at most every 15 s; what it does not answer is 0, and holds up no scrape', async () => {
    let asked = 0
    let answer = (): Promise<MemoryUsage[]> => Promise.resolve([{ node: 'r:6379', usedBytes: 10, limitBytes: 40 }])
    const usage = {
      memory() {
        asked++
        return answer()
      },
    }
    const { clock, page } = begin('rollup-window', { usage })
    expect(asked).toBe(0)
    const seen = await page()
    expect(seen.get('footfall_redis_up')).toBe(1)
    expect(seen.get('footfall_redis_memory_used_bytes{node="r:6379"}')).toBe(10)
    expect(seen.get('footfall_redis_memory_limit_bytes{node="r:6379"}')).toBe(40)
    await page()
    expect(asked).toBe(1)
    clock.advance(metricLimits.askEveryMs)
    answer = () => Promise.reject(new FootfallError('store-unavailable'))
    const away = await page()
    expect([asked, away.get('footfall_redis_up')]).toEqual([2, 0])
    expect([...away.keys()].filter((name) => name.startsWith('footfall_redis_memory'))).toEqual([])
    clock.advance(metricLimits.askEveryMs)
    answer = () => new Promise(() => undefined)
    const silent = page()
    await vi.waitUntil(() => clock.untilNext() !== undefined)
    clock.advance(metricLimits.patienceMs)
    expect((await silent).get('footfall_redis_up')).toBe(0)
  })

  test('servers that could not be reached are counted, each under its name', async () => {
    const { metrics, page } = begin('enrich-session')
    metrics.outage('kafka')
    const seen = await page()
    expect([seen.get('footfall_store_errors_total{store="kafka"}'), seen.get('footfall_store_errors_total{store="redis"}')]).toEqual([1, 0])
  })
})

describe('requests at once', () => {
  test('those beyond the most are told to come again, and are counted as refused', async () => {
    const { clock, metrics, page } = begin('query-metrics')
    const { inFlight, measured } = createMeasure(clock, 2)
    const ends: (() => void)[] = []
    const slow: Handler = () => new Promise((resolve) => ends.push(() => resolve({ status: 200 })))
    const handle = measured(slow, metrics)
    const running = [handle(at('/api/v2/query')), handle(at('/api/v2/query'))]
    await expect(handle(at('/api/v2/query'))).rejects.toMatchObject({ code: 'overloaded', status: 503, retryAfterS: 1 })
    expect(inFlight()).toBe(2)
    for (const end of ends) end()
    await Promise.all(running)
    expect(inFlight()).toBe(0)
    await measured(() => Promise.reject(new Error('a bug')), metrics)(at('/api/v2/query')).catch(() => undefined)
    await measured(() => Promise.reject(new FootfallError('rate')), metrics)(at('/api/v2/query')).catch(() => undefined)
    const seen = await page()
    const of = (status: string) => seen.get(`footfall_http_requests_total{route="/api/v2",status="${status}"}`)
    expect([of('2xx'), of('4xx'), of('5xx')]).toEqual([2, 1, 2])
    expect(seen.get('footfall_http_refused_total{status="503"}')).toBe(1)
    expect(seen.get('footfall_http_refused_total{status="429"}')).toBe(1)
    expect(inFlight()).toBe(0)
  })
})

describe('ready', () => {
  test('once all servers have answered, and from then on, until it is to end', async () => {
    let isAway = true
    let isEnding = false
    let asked = 0
    const ready = createReady(
      () => isEnding,
      reachedOnce([
        async () => undefined,
        async () => {
          asked++
          if (isAway) throw new FootfallError('store-unavailable', { detail: 'Cassandra does not answer.' })
        },
      ]),
    )
    await expect(Promise.all([ready(), ready()])).rejects.toMatchObject({ status: 503, code: 'store-unavailable' })
    expect(asked).toBe(1)
    isAway = false
    expect((await ready()).status).toBe(200)
    isAway = true
    expect([(await ready()).status, asked]).toEqual([200, 2])
    isEnding = true
    expect((await ready()).status).toBe(503)
  })
})

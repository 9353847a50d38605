import { readFileSync } from 'node:fs'
import { openClickhouse } from './clickhouse.ts'
import { median, print } from './figure.ts'
import { type Footfall, residentMb, startFootfall } from './processes.ts'
import { queryDays, storeDay } from './query-days.ts'

/**
 * Questions over 30 closed days, over HTTP, against ClickHouse on one thread with the same rows in the same run. `BENCH_HITS` = million
 * hits in all (30). What both count must be the same.
 */
const days = 30
const millions = Number(process.env['BENCH_HITS'] ?? 30)
/** Stored hits of a visit in the world of the generator. */
const hitsPerVisit = 5.4
const rounds = 5
const concurrent = 16
const site = 'localhost'

type Question = { query: Record<string, unknown>; sql: string; figure: string }

const people = "bot = '' AND name != 'engagement'"
const ask = (fields: Record<string, unknown>) => ({ site_id: site, date_range: '30d', pagination: { limit: 10 }, ...fields })

const questions: Record<string, Question> = {
  totals: {
    query: ask({ metrics: ['visitors', 'visits', 'pageviews', 'events'] }),
    sql: `SELECT uniqExact(vis), uniqExact(visit), countIf(name = 'pageview'), count() FROM bench.hits WHERE ${people}`,
    figure: 'query-totals-vs-clickhouse',
  },
  days: {
    query: ask({ metrics: ['visitors', 'pageviews'], dimensions: ['time:day'], pagination: { limit: 100 } }),
    sql: `SELECT toString(day), uniqExact(vis), countIf(name = 'pageview') FROM bench.hits WHERE ${people} GROUP BY day ORDER BY day`,
    figure: 'query-days-vs-clickhouse',
  },
  pages: {
    query: ask({ metrics: ['visitors', 'pageviews'], dimensions: ['event:page'] }),
    sql: `SELECT if(page = '', '(not set)', page), uniqExact(vis) AS n, countIf(name = 'pageview') FROM bench.hits WHERE ${people} GROUP BY page ORDER BY n DESC, page LIMIT 10`,
    figure: 'query-pages-vs-clickhouse',
  },
  filter: {
    query: ask({
      metrics: ['visitors', 'pageviews'],
      dimensions: ['event:page'],
      filters: [
        ['is', 'visit:country', ['DE']],
        ['is', 'visit:source', ['Google']],
      ],
    }),
    sql: `SELECT if(page = '', '(not set)', page), uniqExact(vis) AS n, countIf(name = 'pageview') FROM bench.hits WHERE ${people} AND country = 'DE' AND source = 'Google' GROUP BY page ORDER BY n DESC, page LIMIT 10`,
    figure: 'query-filter-vs-clickhouse',
  },
}

/** What the page asks of a site when it is opened. */
const dashboard = [
  ask({
    metrics: ['visitors', 'visits', 'pageviews', 'views_per_visit', 'bounce_rate', 'visit_duration'],
    include: { compare: 'previous_period' },
  }),
  ask({ metrics: ['visitors'], dimensions: ['time:day'], pagination: { limit: 100 } }),
  ...['visit:channel', 'event:page', 'visit:country', 'visit:browser', 'event:name'].map((dimension) =>
    ask({ metrics: ['visitors'], dimensions: [dimension] }),
  ),
]

const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const begin = performance.now()
  await work()
  return (performance.now() - begin) / 1000
}

/** Bytes that a process has read from files so far. */
const bytesRead = (pid: number): number => Number(/rchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1])

/** The same question in other words: one that was asked before would be found, not counted. */
const anew = (query: Record<string, unknown>, round: number) => ({
  ...query,
  filters: [...((query['filters'] as unknown[] | undefined) ?? []), ['is_not', 'visit:city', [`no city ${round}`]]],
})

const post = (footfall: Footfall, query: unknown) => footfall.ask('POST', '/api/v2/query', query)

const same = (name: string, ours: { results: { dimensions: unknown[]; metrics: unknown[] }[] }, theirs: unknown[][]): void => {
  const own = ours.results.map(({ dimensions, metrics }) => [...dimensions, ...metrics].map(String))
  const other = theirs.map((row) => row.map(String))
  if (JSON.stringify(own) !== JSON.stringify(other))
    throw new Error(`${name}: we count\n${JSON.stringify(own)}\nClickHouse counts\n${JSON.stringify(other)}`)
}

export const benchQuery = async (): Promise<void> => {
  const folder = await startFootfall()
  await folder.ask('POST', '/api/hit', { site, url: `http://${site}/`, name: 'pageview', visitor: 'benchmark-1' })
  await folder.pause()
  const clickhouse = openClickhouse()
  try {
    let [bytes, hits, counted] = [0, 0, 0]
    for (const day of queryDays((millions * 1_000_000) / days / hitsPerVisit, days)) {
      bytes += await storeDay(folder.data, site, day)
      for (const { h } of day.rows) {
        hits += h.length
        for (const { n } of h) if (n !== 'engagement') counted++
      }
      await clickhouse.insert(day.rows)
    }
    clickhouse.ready()
    print({ name: 'query-hits', value: hits / 1_000_000, unit: 'million' })
    print({ name: 'bytes-per-hit', value: bytes / hits, unit: 'B', against: 'ClickHouse', ratio: bytes / clickhouse.bytes() })
    print({ name: 'bytes-per-counted-hit', value: bytes / counted, unit: 'B' })
    const footfall = await folder.resume()
    for (const [name, { query, sql, figure }] of Object.entries(questions)) {
      const before = bytesRead(footfall.pid)
      const cold = await seconds(() => post(footfall, query))
      print({ name: `query-${name}-cold`, value: cold * 1000, unit: 'ms' })
      print({ name: `query-${name}-read`, value: (bytesRead(footfall.pid) - before) / 1_000_000, unit: 'MB' })
      const ours: number[] = []
      const theirs: number[] = []
      for (let round = 0; round < rounds; round++) {
        let answer: Parameters<typeof same>[1] = { results: [] }
        const asked = anew(query, round)
        ours.push(
          await seconds(async () => {
            answer = await post(footfall, asked)
          }),
        )
        let rows: unknown[][] = []
        theirs.push(
          await seconds(async () => {
            rows = clickhouse.ask(sql)
          }),
        )
        same(name, answer, rows)
      }
      print({
        name: figure,
        value: median(ours) * 1000,
        unit: 'ms',
        against: `${(median(theirs) * 1000).toFixed(0)} ms`,
        ratio: median(ours) / median(theirs),
      })
      print({ name: `query-${name}-again`, value: (await seconds(() => post(footfall, query))) * 1000, unit: 'ms' })
    }
    await Promise.all(dashboard.map((query) => post(footfall, query)))
    const page: number[] = []
    for (let round = 0; round < rounds; round++)
      page.push(await seconds(() => Promise.all(dashboard.map((query) => post(footfall, query)))))
    print({ name: `query-dashboard-${millions}m`, value: median(page) * 1000, unit: 'ms' })
    const each: number[] = []
    await Promise.all(
      Array.from({ length: concurrent }, async (_, n) => {
        for (let round = 0; round < rounds; round++)
          each.push(await seconds(() => post(footfall, dashboard[(n + round) % dashboard.length])))
      }),
    )
    each.sort((a, b) => a - b)
    print({ name: `query-${concurrent}-at-once-p50`, value: each[each.length >> 1]! * 1000, unit: 'ms' })
    print({ name: `query-${concurrent}-at-once-p99`, value: each[Math.floor(each.length * 0.99)]! * 1000, unit: 'ms' })
    print({ name: 'query-memory', value: residentMb(footfall.pid), unit: 'MB' })
  } finally {
    clickhouse.close()
    await folder.stop()
  }
}

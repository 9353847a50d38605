import { readFileSync } from 'node:fs'
import { addDays, isoDay, utcDay } from '#shared/site/zone.ts'
import { openClickhouse } from './clickhouse.ts'
import { median, print } from './figure.ts'
import { type Footfall, load, peakMb, residentMb, startFootfall } from './processes.ts'
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
/** Hits a second that come while questions are asked. */
const ingested = 1_000
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

/**
 * Questions without a filter, which cells answer, over one day less each round: so none is found that was asked before. `since`: the
 * first day.
 */
type PlainQuestion = { query: Record<string, unknown>; sql(since: string): string; figure: string }

const plainQuestions: Record<string, PlainQuestion> = {
  cells: {
    query: { metrics: ['pageviews', 'visits'], dimensions: ['event:page'], pagination: { limit: 10 } },
    sql: (since) =>
      `SELECT if(page = '', '(not set)', page), countIf(name = 'pageview') AS n, uniqExact(visit) FROM bench.hits WHERE ${people} AND day >= '${since}' GROUP BY page ORDER BY n DESC, page LIMIT 10`,
    figure: 'query-cells-vs-clickhouse',
  },
  'cells-totals': {
    query: { metrics: ['visitors', 'visits', 'pageviews', 'events'] },
    sql: (since) =>
      `SELECT uniqExact(vis), uniqExact(visit), countIf(name = 'pageview'), count() FROM bench.hits WHERE ${people} AND day >= '${since}'`,
    figure: 'query-cells-totals-vs-clickhouse',
  },
  'cells-days': {
    query: { metrics: ['visitors', 'pageviews'], dimensions: ['time:day'], pagination: { limit: 100 } },
    sql: (since) =>
      `SELECT toString(day), uniqExact(vis), countIf(name = 'pageview') FROM bench.hits WHERE ${people} AND day >= '${since}' GROUP BY day ORDER BY day`,
    figure: 'query-cells-days-vs-clickhouse',
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

type Compared = {
  footfall: Footfall
  clickhouse: ReturnType<typeof openClickhouse>
  name: string
  figure: string
  first: Record<string, unknown>
  asked(round: number): Record<string, unknown>
  sql(round: number): string
}

/** A question of both, in turns; what both count must be the same. */
const compareRounds = async ({ footfall, clickhouse, name, figure, first, asked, sql }: Compared): Promise<void> => {
  const before = bytesRead(footfall.pid)
  const cold = await seconds(() => post(footfall, first))
  print({ name: `query-${name}-cold`, value: cold * 1000, unit: 'ms' })
  print({ name: `query-${name}-read`, value: (bytesRead(footfall.pid) - before) / 1_000_000, unit: 'MB' })
  const ours: number[] = []
  const theirs: number[] = []
  for (let round = 0; round < rounds; round++) {
    let answer: Parameters<typeof same>[1] = { results: [] }
    ours.push(
      await seconds(async () => {
        answer = await post(footfall, asked(round))
      }),
    )
    let rows: unknown[][] = []
    theirs.push(
      await seconds(async () => {
        rows = clickhouse.ask(sql(round))
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
  print({ name: `query-${name}-again`, value: (await seconds(() => post(footfall, first))) * 1000, unit: 'ms' })
}

const askPage = (footfall: Footfall): Promise<number> => seconds(() => Promise.all(dashboard.map((query) => post(footfall, query))))

const pageFigure = async (footfall: Footfall, name: string): Promise<void> => {
  const page: number[] = []
  for (let round = 0; round < rounds; round++) page.push(await askPage(footfall))
  print({ name, value: median(page) * 1000, unit: 'ms' })
}

/** What people see: all threads that the machine has room for. */
const onAllCores = async (footfall: Footfall): Promise<void> => {
  // What the page needs when it is opened first: nothing of it was asked before.
  print({ name: `query-dashboard-first-${millions}m`, value: (await askPage(footfall)) * 1000, unit: 'ms' })
  await pageFigure(footfall, `query-dashboard-${millions}m`)
  for (const [name, { query }] of Object.entries(questions)) {
    const all: number[] = []
    for (let round = 0; round < rounds; round++) all.push(await seconds(() => post(footfall, anew(query, rounds + round))))
    print({ name: `query-${name}-all-cores`, value: median(all) * 1000, unit: 'ms' })
  }
  const each: number[] = []
  await Promise.all(
    Array.from({ length: concurrent }, async (_, n) => {
      for (let round = 0; round < rounds; round++) each.push(await seconds(() => post(footfall, dashboard[(n + round) % dashboard.length])))
    }),
  )
  each.sort((a, b) => a - b)
  print({ name: `query-${concurrent}-at-once-p50`, value: each[each.length >> 1]! * 1000, unit: 'ms' })
  print({ name: `query-${concurrent}-at-once-p99`, value: each[Math.floor(each.length * 0.99)]! * 1000, unit: 'ms' })
  const ingesting = load({ port: footfall.port, path: '/api/hit', rate: ingested, seconds: 10, site })
  await pageFigure(footfall, `query-dashboard-${millions}m-ingesting`)
  const filtered: number[] = []
  for (let round = 0; round < rounds; round++)
    filtered.push(await seconds(() => post(footfall, anew(questions['filter']!.query, 2 * rounds + round))))
  print({ name: 'query-filter-ingesting', value: median(filtered) * 1000, unit: 'ms' })
  await ingesting
  print({ name: 'query-memory', value: residentMb(footfall.pid), unit: 'MB' })
}

/** What each question needs beyond an idle server on one thread, each asked of a server of its own. */
const memoryOfOneQuestion = async (folder: Footfall): Promise<void> => {
  let most = 0
  for (const [name, { query }] of Object.entries(questions)) {
    const fresh = await folder.resume({ oneCore: true })
    try {
      // An answered request: all threads have begun.
      await fresh.ask('GET', '/health')
      const needed = await peakMb(fresh.pid, () => post(fresh, anew(query, 0)))
      print({ name: `query-memory-of-one-question-${name}`, value: needed, unit: 'MB' })
      most = Math.max(most, needed)
    } finally {
      await fresh.pause()
    }
  }
  print({ name: 'query-memory-of-one-question', value: most, unit: 'MB' })
}

export const benchQuery = async (): Promise<void> => {
  const folder = await startFootfall()
  await folder.ask('POST', '/api/hit', { site, url: `http://${site}/`, name: 'pageview', visitor: 'benchmark-1' })
  await folder.pause()
  let running = folder
  const clickhouse = openClickhouse()
  try {
    let [bytes, cells, edge, hits, counted] = [0, 0, 0, 0, 0]
    for (const day of queryDays((millions * 1_000_000) / days / hitsPerVisit, days)) {
      const stored = await storeDay(folder.data, site, day)
      bytes += stored.bytes
      cells += stored.cells
      edge += stored.edge
      for (const { h } of day.rows) {
        hits += h.length
        for (const { n } of h) if (n !== 'engagement') counted++
      }
      await clickhouse.insert(day.rows)
    }
    clickhouse.ready()
    print({ name: 'query-hits', value: hits / 1_000_000, unit: 'million' })
    print({ name: 'bytes-per-hit', value: bytes / hits, unit: 'B', against: 'ClickHouse', ratio: bytes / clickhouse.bytes() })
    print({ name: 'bytes-per-hit-cells', value: cells / hits, unit: 'B' })
    print({ name: 'bytes-per-hit-edge-rows', value: edge / hits, unit: 'B' })
    print({ name: 'bytes-per-counted-hit', value: bytes / counted, unit: 'B' })
    const alone = await folder.resume({ oneCore: true })
    running = alone
    for (const [name, { query, sql, figure }] of Object.entries(plainQuestions)) {
      const from = (round: number) => isoDay(addDays(utcDay(Date.now()), round - days))
      const asked = (round: number) => ({ site_id: site, ...query, date_range: [from(round), isoDay(addDays(utcDay(Date.now()), -1))] })
      await compareRounds({
        footfall: alone,
        clickhouse,
        name,
        figure,
        first: asked(0),
        asked: (round) => asked(round + 1),
        sql: (round) => sql(from(round + 1)),
      })
    }
    for (const [name, { query, sql, figure }] of Object.entries(questions))
      await compareRounds({ footfall: alone, clickhouse, name, figure, first: query, asked: (round) => anew(query, round), sql: () => sql })
    print({ name: 'query-memory-one-thread', value: residentMb(alone.pid), unit: 'MB' })
    await alone.pause()
    await memoryOfOneQuestion(folder)
    running = await folder.resume()
    await onAllCores(running)
  } finally {
    clickhouse.close()
    await running.stop()
  }
}

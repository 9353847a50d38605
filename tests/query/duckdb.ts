import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api'

/**
 * Questions as SQL over exported rows, for DuckDB. It takes nothing of the product, neither code nor tables: what a number means is
 * told here once more, in another language, over what docs/export.md says of the columns.
 *
 * What the exported columns do not tell: whether a visit met a goal when it came (which makes it engaged: so bounces and engaged visits
 * are right where none did), and whether a page is absent or empty (so `time_on_page` and `scroll_depth` are right where none is empty).
 */

export type Asked = {
  metrics: string[]
  dimensions: string[]
  filters: unknown[]
  date_range: string | [string, string]
  order_by?: [string, 'asc' | 'desc'][]
  pagination?: { limit: number; offset: number }
  include: { bots: boolean }
}
export type Site = { tz: string; now: string; identity: 'cookie' | 'cookieless'; bounce: 'engaged' | 'single-page' }
export type AnswerRow = { dimensions: unknown[]; metrics: unknown[] }

const text = (value: unknown): string => `'${String(value).replaceAll("'", "''")}'`
const name = (value: string): string => `"${value}"`
const any = (parts: readonly string[]): string => `(${parts.join(' or ')})`
const every = (parts: readonly string[]): string => (parts.length === 0 ? 'true' : `(${parts.join(' and ')})`)

/** Columns of exported rows by the dimension that they are. */
const plain: Record<string, string> = {
  ...{ 'event:page': 'page', 'event:hostname': 'hostname', 'event:title': 'title' },
  ...{ 'visit:source': 'source', 'visit:country': 'country', 'visit:browser': 'browser', 'visit:screen': 'screen', 'visit:bot': 'bot' },
  ...{ 'visit:entry_page': 'entry_page', 'visit:exit_page': 'exit_page' },
}
const propKeys = ['plan', 'rare']
const made: Record<string, string> = {
  ...Object.fromEntries(Object.entries(plain).map(([dimension, column]) => [dimension, `coalesce(${column}, '(not set)')`])),
  ...Object.fromEntries(propKeys.map((key) => [`event:props:${key}`, `coalesce(nullif(props->>'$."${key}"', ''), '(not set)')`])),
  'event:prop_keys': `coalesce(to_json(json_keys(props))::varchar, '(not set)')`,
  'event:name': `if(name = 'engagement', 'pageview', name)`,
  'visit:new': `case new when true then 'new' when false then 'returning' else '(not set)' end`,
  'visit:hour_of_day': `strftime(start_local, '%H')`,
  'visit:day_of_week': `isodow(start_local)::varchar`,
}
export const sqlDimensions: readonly string[] = Object.keys(made)
export const sqlTimes = ['time:minute', 'time:hour', 'time:day', 'time:week', 'time:month']

/** What the clock of the site shows, cut off: where an hour is there twice it is one. */
const bucket = (time: string, local: string): string => {
  const unit = time.slice('time:'.length)
  return `strftime(date_trunc('${unit}', ${local}), '${unit === 'hour' || unit === 'minute' ? '%Y-%m-%d %H:%M:%S' : '%Y-%m-%d'}')`
}

export const openDuck = async () => {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' })
  const connection = await instance.connect()
  await connection.run("set TimeZone = 'UTC'")
  return {
    load: (file: string, tz: string) => load(connection, file, tz),
    async ask(asked: Asked, site: Site): Promise<AnswerRow[]> {
      const sql = sqlOf(asked, site)
      const found = await connection.runAndReadAll(sql).catch((error: Error) => {
        throw new Error(`${error.message}\n${sql}`)
      })
      const width = asked.dimensions.length
      return found.getRows().map((row) => ({
        dimensions: row.slice(0, width),
        metrics: asked.metrics.map((metric, i) => (metric.endsWith('_revenue') ? moneyOf(row[width + i]) : row[width + i])),
      }))
    },
    close() {
      connection.closeSync()
      instance.closeSync()
    },
  }
}

const moneyOf = (value: unknown): unknown => {
  const list = JSON.parse(String(value ?? '[]'))
  return list.length === 0 ? null : list.length === 1 ? list[0] : list
}

/**
 * Takes a file of all rows, with updates and flagged ones: `hits`, with what is known of their visits beside them. How many of them show
 * another wall time than the zone has it, where times are text.
 */
const load = async (connection: DuckDBConnection, file: string, tz: string): Promise<number> => {
  const texts = [
    ...['time', 'name', 'visitor', 'visit', 'revenue', 'currency', 'props', ...Object.values(plain)].map(
      (column) => `${column}: 'VARCHAR'`,
    ),
    ...["new: 'BOOLEAN'", "foreground_ms: 'BIGINT'", "scroll_depth: 'BIGINT'"],
  ]
  const source = file.endsWith('.parquet')
    ? `read_parquet(${text(file)})`
    : `read_json(${text(file)}, format = 'newline_delimited', columns = {${texts.join()}})`
  await connection.run(`create or replace temp table raw as
    select row_number() over () as n, epoch_ms(time::timestamptz) as t, time::timestamptz at time zone ${text(tz)} as local,
      (revenue::decimal(28, 4) * 10000)::hugeint as units, time::varchar as shown, * exclude (time, revenue) from ${source}`)
  await connection.run(`create or replace temp table visits as
    select visit, min(t) as start_t, arg_min(local, t) as start_local, max(t) - min(t) as length, arg_min(visitor, t) as first_visitor,
      bool_or(new) as is_new, bool_or(bot is not null) as is_bot, coalesce(sum(foreground_ms), 0) as fg,
      count(*) filter (name = 'pageview') as pv, count(*) filter (name <> 'engagement') as ev,
      last(n order by t, n) filter (name = 'pageview' and page is not distinct from exit_page) as exit_n
    from raw group by visit`)
  const dimensions = Object.entries(made).map(([dimension, sql]) => `${sql} as ${name(dimension)}`)
  await connection.run(`create or replace temp table hits as
    select raw.*, start_t, start_local, exit_n, is_bot, ${dimensions.join()} from raw join visits using (visit)`)
  if (file.endsWith('.parquet')) return 0
  const wrong = await connection.runAndReadAll(
    "select count(*)::double from raw where shown[:23] <> strftime(local, '%Y-%m-%dT%H:%M:%S.%g')",
  )
  return wrong.getRows()[0]![0] as number
}

/** A stretch of time: of an instant and the date that the site's clock shows at it; and whether a date is touched by it. */
type Stretch = { hit: (t: string, local: string) => string; day: (date: string) => string }

const stretchOf = (range: Asked['date_range'], { tz, now }: Site): Stretch => {
  const today = `(timestamptz ${text(now)} at time zone ${text(tz)})::date`
  const days = (day: Stretch['day']): Stretch => ({ hit: (_t, local) => day(`${local}::date`), day })
  const between = (from: string, to: string): Stretch => {
    const dateOf = (ms: string) => `(make_timestamptz((${ms}) * 1000) at time zone ${text(tz)})::date`
    return { hit: (t) => `(${t} >= ${from} and ${t} < ${to})`, day: (date) => `${date} between ${dateOf(from)} and ${dateOf(`${to} - 1`)}` }
  }
  if (typeof range !== 'string') {
    const [from, to] = range
    if (from.length === 10) return days((date) => `${date} between date ${text(from)} and date ${text(to)}`)
    return between(`epoch_ms(timestamptz ${text(from)})`, `(epoch_ms(timestamptz ${text(to)}) + ${to.includes('.') ? 1 : 1_000})`)
  }
  const rolling = { '24h': 86_400_000, '30m': 1_800_000 }[range]
  if (rolling !== undefined) {
    const end = `((epoch_ms(timestamptz ${text(now)}) // 1000 + 1) * 1000)`
    return between(`(${end} - ${rolling})`, end)
  }
  if (range === 'all') return days(() => 'true')
  if (range === 'day') return days((date) => `${date} = ${today}`)
  if (range === 'month' || range === 'year') return days((date) => `date_trunc('${range}', ${date}) = date_trunc('${range}', ${today})`)
  if (range.endsWith('mo')) {
    const month = `date_trunc('month', ${today})`
    return days((date) => `(${date} >= ${month} - interval ${Number.parseInt(range, 10)} month and ${date} < ${month})`)
  }
  return days((date) => `${date} between ${today} - ${Number.parseInt(range, 10)} and ${today} - 1`)
}

/** A filter as a condition on a hit. `base`: the hits among which somebody may have done something. */
const condition = (filter: unknown, base: string): string => {
  const [op, what, values, modifiers] = filter as [string, unknown, unknown[], { case_sensitive: boolean } | undefined]
  if (op === 'and') return every((what as unknown[]).map((one) => condition(one, base)))
  if (op === 'or') return any((what as unknown[]).map((one) => condition(one, base)))
  if (op === 'not') return `(not ${condition(what, base)})`
  if (op === 'has_done' || op === 'has_not_done')
    return `(visitor ${op === 'has_done' ? '' : 'not '}in (select visitor from ${base} where name <> 'engagement' and ${condition(what, base)}))`
  const fold = (sql: string) => (modifiers?.case_sensitive === false ? `lower(${sql})` : sql)
  const column = fold(name(what as string))
  const list = values.map((value) => fold(text(value)))
  if (op.startsWith('is')) return `(${column} ${op === 'is' ? '' : 'not '}in (${list.join()}))`
  const test = op.startsWith('contains') ? 'contains' : 'regexp_matches'
  return `(${op.endsWith('_not') ? 'not ' : ''}${any(list.map((value) => `${test}(${column}, ${value})`))})`
}

/** `a / b` in whole numbers of 1/scale, halves up; all of them are 0 or more. */
const quotient = (a: string, b: string, scale: number): string =>
  `(case when coalesce(${b}, 0) = 0 then null else (2 * coalesce(${a}, 0) * ${scale} + ${b}) // (2 * ${b}) end)::double`
const perCent = (a: string, b: string): string => `${quotient(a, b, 10_000)} / 100`

/** Decimal text of 1/10,000: as many digits as the currency usually has, more only where there are some. */
const decimal = (units: string): string => {
  const digits = `(abs(${units}) // 10000)::varchar || '.' || lpad((abs(${units}) % 10000)::varchar, 4, '0')`
  const most = `case currency when 'JPY' then '\\.?0{1,4}$' when 'KWD' then '0$' else '0{1,2}$' end`
  return `if(${units} < 0, '-', '') || regexp_replace(${digits}, ${most}, '')`
}
const moneyList = (units: string): string =>
  `to_json(list(struct_pack(value := ${decimal(units)}, currency := currency) order by currency))::varchar`
const average = `(sign(total) * ((2 * abs(total) + paid) // (2 * paid)))::hugeint`

const started = ['bounce_rate', 'engaged_visits', 'engagement_rate', 'visit_duration']
const metricSql = (metric: string, { identity }: Site): string => {
  switch (metric) {
    case 'views_per_visit':
      return `${quotient('pageviews', 'visits', 100)} / 100`
    case 'bounce_rate':
      return quotient('bounces', 'started', 100)
    case 'engaged_visits':
      return 'coalesce(engaged, 0)::double'
    case 'engagement_rate':
      return perCent('engaged', 'started')
    case 'visit_duration':
      return quotient('length', '(started * 1000)', 1)
    case 'time_on_page':
      return quotient('fg', '(pairs * 1000)', 1)
    case 'scroll_depth':
      return quotient('depth', 'depths', 1)
    case 'exit_rate':
      return perCent('exits', 'pageviews')
    case 'percentage':
      return perCent('visitors', '(select count(distinct visitor) from c)')
    case 'new_visitors':
      return identity === 'cookieless' ? 'null' : 'coalesce(news, 0)::double'
    case 'total_revenue':
    case 'average_revenue':
      return metric
    default:
      return `coalesce(${metric}, 0)::double`
  }
}

const sqlOf = ({ metrics, dimensions, filters, date_range, order_by, pagination, include }: Asked, site: Site): string => {
  const stretch = stretchOf(date_range, site)
  const groups = dimensions.map((_, i) => `g${i}`)
  const keys = ['k', ...groups].join()
  const time = dimensions.find((one) => one.startsWith('time:'))
  const valuesOf = (local: string) =>
    ['0 as k', ...dimensions.map((one, i) => `${one === time ? bucket(one, local) : name(one)} as g${i}`)].join()
  // In a row of a time bucket those are new whose first day the bucket touches; hours and minutes touch the day that they lie on.
  const [unit, bucketAt] = [time?.slice('time:'.length), `g${dimensions.indexOf(time ?? '')}`]
  const newIn =
    time === undefined
      ? 'true'
      : unit === 'hour' || unit === 'minute'
        ? `first_day = ${bucketAt}[:10]::date`
        : `${bucket(time, 'first_day')} = ${bucketAt}`
  const bounced = site.bounce === 'engaged' ? 'not engaged' : 'pv = 1 and ev = 1'
  const bots = (flagged: string) => (include.bots ? 'true' : `not ${flagged}`)
  const order = order_by ?? [...(time ? [[time, 'asc'] as const] : []), [metrics[0]!, 'desc'] as const]
  const orders = order.map(([by, direction]) =>
    dimensions.includes(by) ? `g${dimensions.indexOf(by)} ${direction}` : `m${metrics.indexOf(by)} ${direction} nulls last`,
  )
  const shown = [...groups, ...metrics.map((metric, i) => `${metricSql(metric, site)} as m${i}`)]

  /** What is counted beside hits, visits and visitors, where a metric asks for it. */
  const beside: [table: string, of: readonly string[], sql: string][] = [
    [
      'news',
      ['new_visitors'],
      `select ${keys}, count(distinct visitor) as news from c join
        (select distinct first_visitor as visitor, start_local::date as first_day from visits
          where is_new and ${bots('is_bot')} and ${stretch.day('start_local::date')}) using (visitor) where ${newIn} group by ${keys}`,
    ],
    [
      's',
      started,
      `select ${keys}, count(*) as started, count(*) filter (engaged) as engaged, count(*) filter (${bounced}) as bounces,
          sum(length) filter (not (${bounced})) as length
        from starts join (select *, fg >= 10000 or pv >= 2 as engaged from visits) using (visit) group by ${keys}`,
    ],
    ['u', ['time_on_page'], `select ${keys}, sum(foreground_ms) as fg from updates group by ${keys}`],
    [
      'd',
      ['scroll_depth'],
      `select ${keys}, sum(deepest) as depth, count(*) as depths from (select ${keys}, max(scroll_depth) as deepest from updates
        where scroll_depth is not null group by ${keys}, visit, page) group by ${keys}`,
    ],
    [
      'r',
      ['total_revenue', 'average_revenue'],
      `select ${keys}, ${moneyList('total')} as total_revenue, ${moneyList(average)} as average_revenue from
        (select ${keys}, currency, sum(units)::hugeint as total, count(*) as paid from c where units is not null group by ${keys}, currency)
        group by ${keys}`,
    ],
  ]
  const needed = beside.filter(([, of]) => of.some((metric) => metrics.includes(metric)))
  const isOfStarts = needed.some(([table]) => table === 's')
  const rows = isOfStarts ? `select ${keys} from c union select ${keys} from starts` : `select distinct ${keys} from c`
  const pairs = metrics.includes('time_on_page') ? ', count(distinct (visitor, page)) filter (page is not null) as pairs' : ''
  return `with base as materialized (select * from hits where ${stretch.hit('t', 'local')} and ${bots('is_bot')}),
  m as (select * from base where ${every(filters.map((filter) => condition(filter, 'base')))}),
  c as materialized (select *, ${valuesOf('local')} from m where name <> 'engagement'),
  updates as (select *, ${valuesOf('local')} from m where name = 'engagement' and page is not null),
  starts as (select distinct visit, ${valuesOf('start_local')} from m
    where name <> 'engagement' and ${stretch.hit('start_t', 'start_local')}),
  a as (select ${keys}, count(distinct visitor) as visitors, count(distinct visit) as visits, count(*) as events,
    count(*) filter (name = 'pageview') as pageviews, count(*) filter (n = exit_n) as exits${pairs} from c group by ${keys})
  ${needed.map(([table, , sql]) => `, ${table} as (${sql})`).join('\n  ')}
  select ${shown.join()} from (${dimensions.length === 0 ? 'select 0 as k' : rows})
  ${['a', ...needed.map(([table]) => table)].map((table) => `left join ${table} using (${keys})`).join(' ')}
  order by ${[...orders, ...groups].join()} limit ${pagination?.limit ?? 10_000} offset ${pagination?.offset ?? 0}`
}

import { isTimeDimension } from './buckets.ts'
import type { Counted } from './counting.ts'
import { goalDimension, keyAmong } from './fold.ts'
import { type Beside, type MetricValue, metricValue, type Sums } from './metrics.ts'
import type { Money } from './money.ts'
import { byCodePoint, type MetricName } from './names.ts'
import type { Direction } from './schema.ts'

/** From groups to rows of the answer: values, order, change. Rows are ordered by what they show, so an order explains itself. */

/** `key` joins groups of two periods; a tail has none. */
export type Row = { key: string; values: readonly string[]; bucket: number; tail: boolean; metrics: MetricValue[] }
type Order = readonly [string, Direction][]

/** How many visitors were asked for goals: by time bucket, and by all dimension values but the goal (`keyAmong`). */
export type AskedCounts = { all: ReadonlyMap<string, number>; within: ReadonlyMap<string, number> }

/** What rows are made of beside what was counted. */
type Finish = { metrics: readonly MetricName[]; dimensions: readonly string[]; knowsNew: boolean; asked: AskedCounts | undefined }

/** The rows of what was counted, in no order. */
export const rowsOf = ({ groups, allVisitors }: Counted, { metrics, dimensions, knowsNew, asked }: Finish): Row[] =>
  groups.map((group) => {
    const { key, values, bucket, tail } = group
    const beside = { allVisitors, knowsNew, ...askedBeside(asked, group, dimensions) }
    return { key, values, bucket, tail, metrics: metrics.map((metric) => metricValue(metric, group, beside)) }
  })

/** Who was asked for goals, beside a row or group. */
export const askedBeside = (
  asked: AskedCounts | undefined,
  group: Pick<Sums, 'values' | 'bucket' | 'tail'>,
  dimensions: readonly string[],
): Pick<Beside, 'asked'> => {
  if (!asked) return {}
  const all = asked.all.get(keyAmong(group, dimensions, askedDimensions(dimensions).all)) ?? 0
  // A tail's values are those of many groups, some of which may stand for themselves beside another goal.
  const within = group.tail ? 0 : (asked.within.get(keyAmong(group, dimensions, askedDimensions(dimensions).within)) ?? 0)
  return { asked: { all, within } }
}

/** What those who are asked for goals are grouped by. */
export const askedDimensions = (dimensions: readonly string[]): { all: string[]; within: string[] } => ({
  all: dimensions.filter(isTimeDimension),
  within: dimensions.filter((name) => name !== goalDimension),
})

/** Finds the row of another period that means the same: by values, a time bucket by its index, a tail by being one. */
export const createFinder = (rows: readonly Row[]): ((row: Row) => Row | undefined) => {
  const groups = new Map<string, Row>()
  const tails = new Map<number, Row>()
  for (const row of rows) {
    if (row.tail) tails.set(row.bucket, row)
    else groups.set(row.key, row)
  }
  return (row) => (row.tail ? tails.get(row.bucket) : groups.get(row.key))
}

/** The amounts of a value, one for each currency; none where it is no money. */
export const moneyList = (value: MetricValue): Money[] =>
  Array.isArray(value) ? value : typeof value === 'object' && value !== null ? [value] : []

/** 1/10,000 of the unit behind a decimal text. */
export const unitsOf = (text: string): bigint => {
  const [whole = '0', fraction = ''] = text.replace('-', '').split('.')
  const units = BigInt(whole + fraction.padEnd(4, '0'))
  return text.startsWith('-') ? -units : units
}

/** The currency that stands in most rows: money of one row and another is ordered in it. */
const mainCurrency = (rows: readonly Row[], index: number): string | undefined => {
  const count = new Map<string, number>()
  for (const { metrics } of rows) for (const { currency } of moneyList(metrics[index]!)) count.set(currency, (count.get(currency) ?? 0) + 1)
  return [...count].sort(([a, m], [b, n]) => n - m || byCodePoint(a, b))[0]?.[0]
}

type Compare = (a: Row, b: Row) => number

const sign = (direction: Direction): number => (direction === 'asc' ? 1 : -1)

/** Compares by a number or amount that may be missing: null is last in both directions. */
const nullLast =
  <T extends number | bigint>(read: (row: Row) => T | null, direction: Direction): Compare =>
  (a, b) => {
    const [x, y] = [read(a), read(b)]
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1
    return x === y ? 0 : (x < y ? -1 : 1) * sign(direction)
  }

const byMetric = (rows: readonly Row[], metric: MetricName, index: number, direction: Direction): Compare => {
  if (metric !== 'total_revenue' && metric !== 'average_revenue') return nullLast((row) => row.metrics[index] as number | null, direction)
  const currency = mainCurrency(rows, index)
  const amount = (row: Row) => moneyList(row.metrics[index]!).find((money) => money.currency === currency)
  return nullLast((row) => {
    const money = amount(row)
    return money ? unitsOf(money.value) : null
  }, direction)
}

const byValues: Compare = (a, b) => {
  for (const [i, value] of a.values.entries()) {
    const order = byCodePoint(value, b.values[i]!)
    if (order !== 0) return order
  }
  return 0
}

/** Rows in the order asked for; ties by dimension values, the tail behind all others of its bucket's order. */
export const ordered = (rows: readonly Row[], order: Order, metrics: readonly MetricName[], dimensions: readonly string[]): Row[] => {
  const compares = order.map(([name, direction]): Compare => {
    const dimension = dimensions.indexOf(name)
    if (dimension < 0) return byMetric(rows, name as MetricName, metrics.indexOf(name as MetricName), direction)
    if (isTimeDimension(name)) return (a, b) => (a.bucket - b.bucket) * sign(direction)
    return (a, b) => byCodePoint(a.values[dimension]!, b.values[dimension]!) * sign(direction)
  })
  const leading = order.findIndex(([name]) => !isTimeDimension(name))
  compares.splice(leading < 0 ? compares.length : leading, 0, (a, b) => Number(a.tail) - Number(b.tail))
  return [...rows].sort((a, b) => {
    for (const compare of compares) {
      const by = compare(a, b)
      if (by !== 0) return by
    }
    return byValues(a, b)
  })
}

const changeOf = (now: MetricValue, before: MetricValue): number | null => {
  if (typeof now === 'number' && typeof before === 'number')
    return before === 0 ? null : awayFromZero(((now - before) * 100) / Math.abs(before))
  const [a, b] = [moneyList(now), moneyList(before)]
  // Amounts of several or different currencies have no common change.
  if (a.length !== 1 || b.length !== 1 || a[0]!.currency !== b[0]!.currency) return null
  const [x, y] = [unitsOf(a[0]!.value), unitsOf(b[0]!.value)]
  return y === 0n ? null : awayFromZero(Number(((x - y) * 1_000_000n) / (y < 0n ? -y : y)) / 10_000)
}

const awayFromZero = (value: number): number => (value < 0 ? 0 - Math.round(-value) : Math.round(value))

/** Change in per cent, a whole number; null when the base is 0 or missing. */
export const changes = (now: readonly MetricValue[], before: readonly MetricValue[]): (number | null)[] =>
  now.map((value, i) => changeOf(value, before[i]!))

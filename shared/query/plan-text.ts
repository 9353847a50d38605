import { RE2JS } from 're2js'
import type { ZoneSpan } from '../site/config.ts'
import { calendarOf } from '../site/zone.ts'
import { bucketsOf, isTimeDimension } from './buckets.ts'
import type { CountPlan, Counts } from './counting.ts'
import type { Filter } from './filters.ts'
import type { Sums } from './metrics.ts'

/**
 * Plans and what was counted as JSON, for functions that count a share of another one's question. It is said between processes of one
 * product, never by a caller: what is read was written here.
 */

type Written = Omit<CountPlan, 'buckets' | 'calendar' | 'keep' | 'mostVisits' | 'room' | 'pause'> & {
  zones: readonly ZoneSpan[]
  keep?: string[]
}

/** Compiled patterns follow from their texts, and what stood in the query instead says nothing more. */
export const withoutCompiled = (name: string, value: unknown): unknown => (name === 'patterns' || name === 'said' ? undefined : value)

/** A plan without what the reader has himself: its room, its pauses, and how many visits make a sample. */
export const planText = (plan: CountPlan, zones: readonly ZoneSpan[]): string => {
  const { dimensions, filters, goals, updates, range, needs, bots, bounce, keep } = plan
  const written: Written = { dimensions, filters, goals, updates, range, needs, bots, bounce, zones, ...(keep ? { keep: [...keep] } : {}) }
  return JSON.stringify(written, withoutCompiled)
}

const compiled = (filter: Filter): Filter => {
  switch (filter.kind) {
    case 'leaf':
      return filter.op === 'matches' ? { ...filter, patterns: filter.values.map((value) => RE2JS.compile(value)) } : filter
    case 'scroll':
      return filter
    case 'not':
      return { ...filter, of: compiled(filter.of) }
    case 'done':
      return { ...filter, of: compiled(filter.of), updates: filter.updates && compiled(filter.updates) }
    default:
      return { ...filter, of: filter.of.map(compiled) }
  }
}

/** The plan of a text, to be counted in a room, with pauses. */
export const planOf = (text: string, { room, pause }: Pick<CountPlan, 'room' | 'pause'>): CountPlan => {
  const { zones, keep, filters, goals, updates, ...plan }: Written = JSON.parse(text)
  const calendar = calendarOf(zones)
  const time = plan.dimensions.find(isTimeDimension)
  return {
    ...plan,
    filters: filters.map(compiled),
    goals: goals.map((goal) => ({ ...goal, filter: compiled(goal.filter) })),
    updates: updates && compiled(updates),
    buckets: time && bucketsOf(time, plan.range, calendar),
    calendar,
    keep: keep && new Set(keep),
    mostVisits: Number.POSITIVE_INFINITY,
    room,
    pause,
  }
}

type WrittenSums = Omit<Sums, 'revenue'> & { revenue: [currency: string, amount: string, hits: number][] }

export const countsText = ({ groups, allVisitors }: Counts): string => {
  const written = groups.map(
    ({ revenue, ...sums }): WrittenSums => ({
      ...sums,
      revenue: Array.from(revenue, ([currency, { amount, hits }]) => [currency, String(amount), hits]),
    }),
  )
  return JSON.stringify({ groups: written, allVisitors })
}

export const countsOf = (text: string): Counts => {
  const { groups, allVisitors }: { groups: WrittenSums[]; allVisitors: number } = JSON.parse(text)
  return {
    allVisitors,
    groups: groups.map(({ revenue, ...sums }) => ({
      ...sums,
      revenue: new Map(revenue.map(([currency, amount, hits]) => [currency, { amount: BigInt(amount), hits }])),
    })),
  }
}

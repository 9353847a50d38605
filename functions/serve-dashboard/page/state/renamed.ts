import type { Filter } from './filters.ts'

/** Goals and segments stand in filters by name: a new name is put in wherever the old one stands whole. */

const other = (values: readonly string[], from: string, to: string): string[] => values.map((value) => (value === from ? to : value))

/** Filters of the page, with a value of `key` under its new name. */
export const withNameChanged = (filters: readonly Filter[], key: string, from: string, to: string): Filter[] =>
  filters.map((filter) => (filter.key === key && !filter.contains ? { ...filter, values: other(filter.values, from, to) } : filter))

/** Filters in the API's form, nested ones too, with a goal under its new name. */
export const withGoalRenamed = (filters: readonly unknown[], from: string, to: string): unknown[] =>
  filters.map((filter) => {
    if (!Array.isArray(filter)) return filter
    const [op, dimension, values, ...rest] = filter
    const isOfGoals = (op === 'is' || op === 'is_not') && dimension === 'event:goal' && Array.isArray(values)
    return isOfGoals ? [op, dimension, other(values, from, to), ...rest] : withGoalRenamed(filter, from, to)
  })

import type { Segment } from './api.ts'
import { dimensions, propPrefix } from './dimensions.ts'
import { apiFilter, type Filter } from './filters.ts'
import { valueLabel } from './format.ts'

/** Segments, filters under a name: what is saved of the filters of the page, and what one asks for in words. */

/** The filters of one segment, as one. */
const whole = (filters: readonly unknown[]): unknown => (filters.length === 1 ? filters[0] : ['and', filters])

/**
 * Filters of the page as a segment has them. A segment cannot stand in another one: in its place are its filters as they are now. One that
 * is not among `segments` stays by its name, and the server says that there is none.
 */
export const savedFilters = (filters: readonly Filter[], segments: readonly Segment[]): unknown[] =>
  filters.flatMap((filter) => {
    const named = filter.values.flatMap((value) => segments.filter(({ name }) => name === value))
    if (filter.key !== 'segment' || named.length < filter.values.length) return [apiFilter(filter)]
    if (!filter.not && named.length === 1) return named[0]!.filters
    const any = named.length === 1 ? whole(named[0]!.filters) : ['or', named.map((one) => whole(one.filters))]
    return [filter.not ? ['not', any] : any]
  })

const verbs: Readonly<Record<string, string>> = {
  is: 'is',
  is_not: 'is not',
  contains: 'contains',
  contains_not: 'does not contain',
  matches: 'matches',
  matches_not: 'does not match',
  has_done: 'visitor did',
  has_not_done: 'visitor did not',
}

const propApi = 'event:props:'
/** The key of a dimension in the query box; `undefined` for one that it does not have. */
const keyOf = (api: string): string | undefined =>
  api.startsWith(propApi) ? `${propPrefix}${api.slice(propApi.length)}` : dimensions.find((one) => one.api === api)?.key

const leafWords = (op: string, api: string, values: readonly unknown[]): string => {
  const key = keyOf(api)
  const label = key?.startsWith(propPrefix) ? key.slice(propPrefix.length) : (dimensions.find((one) => one.key === key)?.label ?? api)
  const shown = values.map((value) => valueLabel(key ?? '', String(value)) || '(empty)')
  return `${label} ${verbs[op] ?? op} ${shown.join(' or ')}`
}

/** Words of a filter in the API's form. It may be deeper than the page writes them: the settings have been written elsewhere too. */
const wordsOfFilter = (filter: unknown): string => {
  if (!Array.isArray(filter)) return String(filter)
  const [op, what, values] = filter
  if (op === 'not') return `not (${wordsOfFilter(what)})`
  if ((op === 'and' || op === 'or') && Array.isArray(what)) return `(${what.map(wordsOfFilter).join(` ${op} `)})`
  if (Array.isArray(what)) return `${verbs[op] ?? op} (${wordsOfFilter(what)})`
  return leafWords(String(op), String(what), Array.isArray(values) ? values : [])
}

/** What a segment asks for, in words. */
export const wordsOfSegment = ({ filters }: Segment): string => filters.map(wordsOfFilter).join(', ')

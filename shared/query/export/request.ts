import { FootfallError } from '../../errors.ts'
import { type DateSpec, parseDates } from '../dates.ts'
import { type Filter, parseFilters, type Settings } from '../filters.ts'
import { queryLimits } from '../limits.ts'
import { badQuery, unknownName } from '../names.ts'
import { type Column, parseColumns } from './columns.ts'

/** The parameters of `GET /api/v2/export`. Every refusal names the parameter and what was expected. */

export const formats = ['csv', 'ndjson', 'parquet'] as const
export type FormatName = (typeof formats)[number]
export type ExportRequest = {
  dates: DateSpec
  format: FormatName
  filters: Filter[]
  columns: readonly Column[]
  bots: boolean
  updates: boolean
}

const names = ['site_id', 'date_range', 'format', 'filters', 'columns', 'bots', 'updates'] as const

/** The domain that is asked about. */
export const siteAsked = (asked: URLSearchParams): string => {
  const site = asked.get('site_id')
  if (site === null) throw badQuery('site_id', 'expected the domain of a site')
  return site
}

/** What is asked of a site with these settings; throws `bad-query`, or `too-large` for a filter beyond all sense. */
export const parseExport = (asked: URLSearchParams, settings: Settings): ExportRequest => {
  for (const name of asked.keys()) {
    if (!(names as readonly string[]).includes(name)) throw unknownName('query', 'parameter', name, names)
    if (asked.getAll(name).length > 1) throw badQuery(name, 'it is given twice')
  }
  const text = (name: (typeof names)[number]): string | undefined => asked.get(name) ?? undefined
  return {
    dates: datesOf(text('date_range')),
    format: formatOf(text('format')),
    filters: parseFilters(jsonOf(text('filters')), { goals: settings.goals, segments: settings.segments }),
    columns: parseColumns(text('columns')),
    bots: flagOf('bots', text('bots')),
    updates: flagOf('updates', text('updates')),
  }
}

const datesOf = (text: string | undefined): DateSpec => {
  if (text === undefined) throw badQuery('date_range', 'expected "7d", "day", … or two dates or instants with a comma between them')
  // A plus that was not percent-encoded comes as a space; no form has one.
  const ends = text.replaceAll(' ', '+').split(',')
  if (ends.length > 2) throw badQuery('date_range', 'expected two dates or instants with a comma between them')
  return parseDates('date_range', ends.length === 1 ? text : (ends as [string, string]))
}

const formatOf = (text = 'csv'): FormatName => {
  const format = formats.find((one) => one === text)
  if (!format) throw unknownName('format', 'format', text, formats)
  return format
}

const flagOf = (name: string, text = 'false'): boolean => {
  if (text !== 'true' && text !== 'false') throw badQuery(name, 'expected true or false')
  return text === 'true'
}

const jsonOf = (text = '[]'): unknown[] => {
  if (text.length > queryLimits.bodyBytes) throw new FootfallError('too-large')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw badQuery('filters', `it is not JSON: ${(cause as Error).message}`)
  }
  if (!Array.isArray(value)) throw badQuery('filters', 'expected a list of filters')
  return value
}

import { countryName } from '../hit/countries.ts'
import type { SegmentHit } from '../segment/row.ts'
import type { Calendar } from '../site/zone.ts'
import type { Session } from '../visit/event.ts'
import { isTimeDimension, wallHour } from './buckets.ts'
import { weekday } from './dates.ts'
import { queryLimits } from './limits.ts'
import { badQuery, notSet, unknownName } from './names.ts'

/**
 * What a dimension reads. `visit:` belongs to the visit (as it stands at its newest row, the whole visit also where it reaches
 * beyond the range), `event:` to the hit, `time` to the hit's time. A value that is missing is `(not set)`; a page or a prop
 * may be called anything, `__proto__` too, so values are only ever keys of a Map.
 */

export type VisitReader = (s: Session, calendar: Calendar) => string
export type HitReader = (h: SegmentHit) => string

const set = (value: string | undefined): string => (value === undefined || value === '' ? notSet : value)

const visitReaders = new Map<string, VisitReader>([
  ['visit:entry_page', (s) => set(s.entry)],
  ['visit:exit_page', (s) => set(s.exit)],
  ['visit:entry_page_hostname', (s) => set(s.entryHost)],
  ['visit:exit_page_hostname', (s) => set(s.exitHost)],
  ['visit:source', (s) => set(s.src)],
  ['visit:medium', (s) => set(s.med)],
  ['visit:channel', (s) => set(s.chan)],
  ['visit:referrer', (s) => set(s.ref)],
  ['visit:utm_source', (s) => set(s.us)],
  ['visit:utm_medium', (s) => set(s.um)],
  ['visit:utm_campaign', (s) => set(s.uc)],
  ['visit:utm_content', (s) => set(s.un)],
  ['visit:utm_term', (s) => set(s.ut)],
  ['visit:country', (s) => set(s.country)],
  ['visit:country_name', (s) => (s.country ? (countryName(s.country) ?? s.country) : notSet)],
  ['visit:region', (s) => set(s.region)],
  // No table of regions is at hand: a region's name is its ISO 3166-2 code; a city is stored by name.
  ['visit:region_name', (s) => set(s.region)],
  ['visit:city', (s) => set(s.city)],
  ['visit:city_name', (s) => set(s.city)],
  ['visit:browser', (s) => set(s.br)],
  ['visit:browser_version', (s) => set(s.brv)],
  ['visit:os', (s) => set(s.os)],
  ['visit:os_version', (s) => set(s.osv)],
  ['visit:device', (s) => set(s.dev)],
  ['visit:screen', (s) => set(s.scr)],
  ['visit:language', (s) => set(s.lang)],
  ['visit:new', (s) => (s.new === undefined ? notSet : s.new === 1 ? 'new' : 'returning')],
  ['visit:bot', (s) => set(s.bot)],
  ['visit:hour_of_day', (s, calendar) => String(wallHour(calendar, s.start)).padStart(2, '0')],
  ['visit:day_of_week', (s, calendar) => String(weekday(calendar.dayAt(s.start).day) + 1)],
])

const hitReaders = new Map<string, HitReader>([
  ['event:page', (h) => set(h.path)],
  ['event:hostname', (h) => set(h.host)],
  ['event:title', (h) => set(h.ti)],
  // An engagement update is tested as the pageview it belongs to, so that a filter for pageviews keeps their foreground time.
  ['event:name', (h) => (h.n === 'engagement' ? 'pageview' : h.n)],
  // Which properties there are, so that one can be asked for: a JSON list, since a key may hold any character.
  ['event:prop_keys', (h) => (h.p === undefined || Object.keys(h.p).length === 0 ? notSet : JSON.stringify(Object.keys(h.p).sort()))],
])

const propPrefix = 'event:props:'

const propReader =
  (key: string): HitReader =>
  (h) =>
    h.p !== undefined && Object.hasOwn(h.p, key) ? set(String(h.p[key])) : notSet

/** Names for lists and near names; props are known by their prefix. */
export const dimensionNames: readonly string[] = [
  ...hitReaders.keys(),
  'event:goal',
  ...visitReaders.keys(),
  'time',
  'time:minute',
  'time:hour',
  'time:day',
  'time:week',
  'time:month',
]

export const isHitDimension = (name: string): boolean => name.startsWith('event:')

/** How a `visit:` dimension is read. */
export const visitReader = (name: string): VisitReader => visitReaders.get(name)!

/** How an `event:` dimension is read. */
export const hitReader = (name: string): HitReader => hitReaders.get(name) ?? propReader(name.slice(propPrefix.length))

const isProp = (name: string): boolean => name.startsWith(propPrefix) && name.length > propPrefix.length

/** Throws `bad-query` with near names unless a dimension of that name exists. */
export const checkDimension = (field: string, name: string, use: 'group' | 'filter'): void => {
  if (isProp(name)) {
    if (name.length - propPrefix.length > queryLimits.propKeyLength)
      throw badQuery(field, `a prop key has at most ${queryLimits.propKeyLength} characters`)
    return
  }
  if (!dimensionNames.includes(name))
    throw unknownName(field, 'dimension', name, [...dimensionNames, ...(use === 'filter' ? ['segment'] : []), `${propPrefix}KEY`])
  if (use === 'filter' && isTimeDimension(name)) throw badQuery(field, `"${name}" cannot be filtered; set date_range instead`)
}

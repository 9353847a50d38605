import { countryName } from '../../hit/countries.ts'
import type { Calendar } from '../../site/zone.ts'
import { wallHour } from '../buckets.ts'
import { weekday } from '../dates.ts'
import { notSet } from '../names.ts'
import { propColumnOf, type Rows, type Table, valueAt } from './table.ts'

/**
 * Dimensions as columns of codes. They mean what the readers of ../dimensions.ts mean; that both do is tested. A dimension of one text
 * column has its codes, and texts of its own; others are computed.
 */

type Codes = Uint8Array | Uint16Array | Uint32Array
export type Values = { codes: Codes; texts: readonly string[] }
export type Dimension = {
  level: 'visit' | 'hit'
  columns: readonly string[]
  /** All texts that it may have in a table, where they are known before its rows are read. */
  texts(table: Table): Promise<readonly string[]>
  read(rows: Rows, calendar: Calendar): Values
}

const set = (text: string): string => (text === '' ? notSet : text)

type Naming = (text: string) => string
const namings = {
  plain: set,
  country: (code: string) => (code === '' ? notSet : (countryName(code) ?? code)),
  // An engagement update is tested as the pageview it belongs to.
  event: (name: string) => (name === 'engagement' ? 'pageview' : set(name)),
  keys: (keys: string) => (keys === '[]' ? notSet : set(keys)),
} satisfies Record<string, Naming>

const named = new WeakMap<readonly string[], Map<Naming, readonly string[]>>()
const absent: readonly string[] = ['']

/** The texts of a dictionary as a dimension shows them; the same array each time. */
const namedTexts = (texts: readonly string[], naming: Naming): readonly string[] => {
  const known = named.get(texts) ?? new Map<Naming, readonly string[]>()
  named.set(texts, known)
  const found = known.get(naming) ?? texts.map(naming)
  known.set(naming, found)
  return found
}

const zeros = (count: number): Codes => new Uint8Array(count)

const textual = (column: string, naming: Naming = namings.plain): Dimension => {
  const level = column.startsWith('s.') ? 'visit' : 'hit'
  return {
    level,
    columns: [column],
    texts: async (table) => namedTexts(table.kindOf(column) === 'text' ? await table.texts(column) : absent, naming),
    read(rows) {
      const found = rows.text(column)
      if (!found) return { codes: zeros(level === 'visit' ? rows.rows : rows.hits), texts: namedTexts(absent, naming) }
      return { codes: found.codes, texts: namedTexts(found.texts, naming) }
    },
  }
}

const newTexts = [notSet, 'returning', 'new']
const hourTexts = Array.from({ length: 24 }, (_, hour) => String(hour).padStart(2, '0'))
const weekdayTexts = Array.from({ length: 7 }, (_, day) => String(day + 1))

/** A dimension that is computed of one number of the visit. */
const computed = (
  column: string,
  texts: readonly string[],
  codeOf: (value: number | undefined, calendar: Calendar) => number,
): Dimension => ({
  level: 'visit',
  columns: [column],
  texts: async () => texts,
  read(rows, calendar) {
    const numbers = rows.number(column)
    const codes = new Uint8Array(rows.rows)
    for (let i = 0; i < codes.length; i++) codes[i] = codeOf(valueAt(numbers, i), calendar)
    return { codes, texts }
  },
})

const dimensions = new Map<string, Dimension>([
  ['visit:entry_page', textual('s.entry')],
  ['visit:exit_page', textual('s.exit')],
  ['visit:entry_page_hostname', textual('s.entryHost')],
  ['visit:exit_page_hostname', textual('s.exitHost')],
  ['visit:source', textual('s.src')],
  ['visit:medium', textual('s.med')],
  ['visit:channel', textual('s.chan')],
  ['visit:referrer', textual('s.ref')],
  ['visit:utm_source', textual('s.us')],
  ['visit:utm_medium', textual('s.um')],
  ['visit:utm_campaign', textual('s.uc')],
  ['visit:utm_content', textual('s.un')],
  ['visit:utm_term', textual('s.ut')],
  ['visit:country', textual('s.country')],
  ['visit:country_name', textual('s.country', namings.country)],
  ['visit:region', textual('s.region')],
  ['visit:region_name', textual('s.region')],
  ['visit:city', textual('s.city')],
  ['visit:city_name', textual('s.city')],
  ['visit:browser', textual('s.br')],
  ['visit:browser_version', textual('s.brv')],
  ['visit:os', textual('s.os')],
  ['visit:os_version', textual('s.osv')],
  ['visit:device', textual('s.dev')],
  ['visit:screen', textual('s.scr')],
  ['visit:language', textual('s.lang')],
  ['visit:new', computed('s.new', newTexts, (value) => (value === undefined ? 0 : value + 1))],
  ['visit:bot', textual('s.bot')],
  ['visit:hour_of_day', computed('s.start', hourTexts, (start, calendar) => wallHour(calendar, start!))],
  ['visit:day_of_week', computed('s.start', weekdayTexts, (start, calendar) => weekday(calendar.dayAt(start!).day))],
  ['event:page', textual('h.path')],
  ['event:hostname', textual('h.host')],
  ['event:title', textual('h.ti')],
  ['event:name', textual('h.n', namings.event)],
  ['event:prop_keys', textual('h.pk', namings.keys)],
])

/** Dimensions that are another one's column under another name. A name may stand for several of its values where `isNaming`. */
const sameColumn = new Map<string, { of: string; isNaming: boolean }>([
  ['visit:country_name', { of: 'visit:country', isNaming: true }],
  ['visit:region_name', { of: 'visit:region', isNaming: false }],
  ['visit:city_name', { of: 'visit:city', isNaming: false }],
])
/** The dimension whose values a dimension shows under other names, if it does. */
export const shownOf = (name: string) => sameColumn.get(name)

/** The dimensions that a closed day has sums of (sums.ts), beside those of properties. */
export const dayDimensions: readonly string[] = [...dimensions.keys()].filter((name) => !sameColumn.has(name))

const propPrefix = 'event:props:'
export const propDimension = (key: string): string => propPrefix + key
const props = new Map<string, Dimension>()

/** How a dimension that exists (and is no time) is read. */
export const dimensionOf = (name: string): Dimension => {
  const found = dimensions.get(name) ?? props.get(name)
  if (found) return found
  const made = textual(propColumnOf(name.slice(propPrefix.length)))
  if (props.size >= 1_000) props.clear()
  props.set(name, made)
  return made
}

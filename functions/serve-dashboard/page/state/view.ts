import { defaultExplore, type Explore, exploreOf, exploreReaders, exploreTexts, oneOf, type Reader } from './explore.ts'
import { type Filter, formatFilters, parseFilters } from './filters.ts'
import { cards } from './metrics.ts'
import { datesOf, isPeriod, type Period } from './periods.ts'

/**
 * What is shown, as the URL says it: every state of the page is an address. What is not in the URL is the default; what the URL has and
 * the page cannot use is told, never dropped in silence. docs/page.md documents this grammar.
 */
export type Compare = 'off' | 'previous' | 'year' | (string & {})
export type Interval = '' | 'minute' | 'hour' | 'day' | 'week' | 'month'

/** Panels with their tabs; the first is shown unless the URL says otherwise. */
export const panelTabs = {
  sources: ['channel', 'source', 'campaign', 'referrer', 'medium', 'utm_source', 'term', 'content'],
  pages: ['page', 'entry', 'exit', 'title', 'host'],
  places: ['map', 'country', 'region', 'city', 'language'],
  technology: ['browser', 'os', 'device', 'screen'],
  goals: ['goal'],
  events: ['event', 'prop'],
} as const
export type Panel = keyof typeof panelTabs
export const panels = Object.keys(panelTabs) as Panel[]

export type View = {
  /** Domain; '' is the first site there is. */
  site: string
  period: Period
  compare: Compare
  /** Comparison begins on the same day of the week. */
  weekday: boolean
  filters: readonly Filter[]
  /** Metric of the chart. */
  metric: string
  /** Step of the chart; '' as fits the period. */
  interval: Interval
  /** Flagged hits are shown too. */
  bots: boolean
  /** Tab of each panel. */
  tabs: Readonly<Record<Panel, string>>
  /** Property whose values the events panel shows; '' none is picked. */
  prop: string
  /** Panel whose details are open. */
  detail: Panel | ''
  explore: Explore
}

const defaultTabs = Object.fromEntries(panels.map((panel) => [panel, panelTabs[panel][0]])) as Record<Panel, string>

export const defaultView: View = {
  site: '',
  period: 'day',
  compare: 'previous',
  weekday: false,
  filters: [],
  metric: 'visitors',
  interval: '',
  bots: false,
  tabs: defaultTabs,
  prop: '',
  detail: '',
  explore: defaultExplore,
}

const intervals = ['minute', 'hour', 'day', 'week', 'month']
const isCompare = (text: string): boolean => ['off', 'previous', 'year'].includes(text) || datesOf(text) !== undefined
const isTrue = (text: string): boolean => text === '1'

const flag: Reader = { is: isTrue, expected: '1, or nothing' }

/** Simple parameters: which texts are allowed. */
const readers: Readonly<Record<string, Reader>> = {
  site: { is: (text) => text.length <= 253, expected: 'a domain' },
  period: { is: isPeriod, expected: 'day, yesterday, 7d, 2026-11-24, 2026-11-01..2026-11-24 …' },
  compare: { is: isCompare, expected: 'off, previous, year, 2026-10-01..2026-10-31' },
  weekday: flag,
  metric: oneOf(cards.map(({ name }) => name)),
  interval: oneOf(intervals),
  bots: flag,
  prop: { is: (text) => text.length <= 300, expected: 'the name of a property' },
  detail: oneOf(panels),
  ...Object.fromEntries(panels.map((panel) => [panel, oneOf(panelTabs[panel])])),
  ...exploreReaders,
}

export type ParsedView = { view: View; problems: string[] }

/** The view of a URL's query string, and what of it could not be used. */
export const parseView = (search: string): ParsedView => {
  const params = new URLSearchParams(search)
  const problems: string[] = []
  const taken: Record<string, string> = {}
  for (const [name, text] of params) {
    // An address may say __proto__, which every object has.
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (name === 'f') continue
    if (!reader) problems.push(`The address has "${name}", which this page does not know.`)
    else if (!reader.is(text)) problems.push(`The address says ${name}=${text}; it may be ${reader.expected}.`)
    else taken[name] = text
  }
  const { filters, problem } = parseFilters(params.get('f') ?? '')
  if (problem) problems.push(`A filter in the address cannot be used: ${problem.text}`)
  const tabs = { ...defaultTabs }
  for (const panel of panels) tabs[panel] = taken[panel] ?? tabs[panel]
  const { weekday, bots, ...texts } = taken
  const view: View = {
    ...defaultView,
    ...pick(texts),
    weekday: weekday === '1',
    bots: bots === '1',
    filters,
    tabs,
    explore: exploreOf(texts),
  }
  return { view, problems }
}

const pick = (texts: Record<string, string>): Partial<View> => {
  const known = ['site', 'period', 'compare', 'metric', 'interval', 'prop', 'detail']
  return Object.fromEntries(Object.entries(texts).filter(([name]) => known.includes(name)))
}

/** The query string of a view, without what is the default; `''` or `?…`. Characters that need no escape are left readable. */
export const formatView = (view: View): string => {
  const params: [string, string][] = []
  const put = (name: string, text: string, usual: string) => {
    if (text !== usual) params.push([name, text])
  }
  put('site', view.site, '')
  put('period', view.period, defaultView.period)
  put('compare', view.compare, defaultView.compare)
  put('weekday', view.weekday ? '1' : '', '')
  put('f', formatFilters(view.filters), '')
  put('metric', view.metric, defaultView.metric)
  put('interval', view.interval, '')
  put('bots', view.bots ? '1' : '', '')
  for (const panel of panels) put(panel, view.tabs[panel], defaultTabs[panel])
  put('prop', view.prop, '')
  put('detail', view.detail, '')
  for (const [name, text, usual] of exploreTexts(view.explore)) put(name, text, usual)
  const text = params.map(([name, value]) => `${name}=${readable(value)}`).join('&')
  return text === '' ? '' : `?${text}`
}

/** Half a pair of UTF-16, which no address can hold. */
const lone = /\p{Surrogate}/gu

const readable = (value: string): string =>
  encodeURIComponent(value.replace(lone, '\ufffd'))
    .replace(/%(2F|3A|7C|2C|21|7E)/gi, decodeURIComponent)
    .replace(/%20/g, '+')

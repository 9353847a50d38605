import { dimensionOf, propPrefix } from '../state/dimensions.ts'
import type { Filter } from '../state/filters.ts'
import type { Panel, View } from '../state/view.ts'

/** What each tab of each panel groups by, and which metrics its rows show: the first in the panel, all in the details. */
export type Tab = {
  key: string
  /** On the tab. */
  label: string
  /** Dimension of the rows, by its short name. */
  dimension: string
  metrics: readonly string[]
  /** How many of the metrics the panel shows itself; one, if nothing is said. */
  shown?: number
  /** Further condition, in the API's form. */
  only?: readonly unknown[]
  /** What stands there when there is no row. */
  empty: string
}

const visitMetrics = ['visitors', 'visits', 'bounce_rate', 'visit_duration']
const ofVisits = (dimension: string, label: string, empty = 'No visits.'): Tab => ({
  key: dimension,
  label,
  dimension,
  metrics: visitMetrics,
  empty,
})

/** Rows of visits that were tagged: without a tag there is nothing to tell apart. */
const tagged = (dimension: string, label: string, parameter: string): Tab => ({
  ...ofVisits(dimension, label, `No visit came by a link with ${parameter}.`),
  only: ['is_not', dimensionOf(dimension)!.api, ['(not set)']],
})

const lists: Record<Panel, readonly Tab[]> = {
  sources: [
    ofVisits('channel', 'Channels'),
    ofVisits('source', 'Sources'),
    tagged('campaign', 'Campaigns', 'utm_campaign'),
    ofVisits('referrer', 'Referrers'),
    ofVisits('medium', 'Medium'),
    tagged('utm_source', 'UTM source', 'utm_source'),
    tagged('term', 'UTM term', 'utm_term'),
    tagged('content', 'UTM content', 'utm_content'),
  ],
  pages: [
    {
      key: 'page',
      label: 'Top',
      dimension: 'page',
      metrics: ['visitors', 'pageviews', 'bounce_rate', 'time_on_page', 'scroll_depth'],
      empty: 'No pages were seen.',
    },
    ofVisits('entry', 'Entry'),
    { key: 'exit', label: 'Exit', dimension: 'exit', metrics: ['visitors', 'visits', 'exit_rate'], empty: 'No visits.' },
    { key: 'title', label: 'Titles', dimension: 'title', metrics: ['visitors', 'pageviews'], empty: 'No pages were seen.' },
    { key: 'host', label: 'Hosts', dimension: 'host', metrics: ['visitors', 'pageviews'], empty: 'No pages were seen.' },
  ],
  places: [
    { ...ofVisits('country', 'Map'), key: 'map' },
    ofVisits('country', 'Countries'),
    ofVisits('region', 'Regions'),
    ofVisits('city', 'Cities'),
    ofVisits('language', 'Languages'),
  ],
  technology: [ofVisits('browser', 'Browsers'), ofVisits('os', 'Systems'), ofVisits('device', 'Devices'), ofVisits('screen', 'Screens')],
  goals: [
    {
      key: 'goal',
      label: 'Goals',
      dimension: 'goal',
      metrics: ['visitors', 'events', 'conversion_rate'],
      shown: 3,
      empty: 'No goal was met.',
    },
  ],
  events: [
    {
      key: 'event',
      label: 'Events',
      dimension: 'event',
      metrics: ['events', 'visitors', 'percentage'],
      only: ['is_not', 'event:name', ['pageview']],
      empty: 'No event was sent but pageviews.',
    },
    { key: 'prop', label: 'Properties', dimension: '', metrics: ['events', 'visitors', 'percentage'], empty: 'No event had properties.' },
  ],
}

export const titles: Record<Panel, string> = {
  sources: 'Sources',
  pages: 'Pages',
  places: 'Places',
  technology: 'Technology',
  goals: 'Goals',
  events: 'Events and properties',
}

/** Metrics of the rows in the panel itself. */
export const shownOf = ({ metrics, shown = 1 }: Tab): readonly string[] => metrics.slice(0, shown)

export const tabsOf = (panel: Panel): readonly Tab[] => lists[panel]

/** Where a filter makes rows finer, they are shown finer: the versions of a browser that is picked, the regions of a country. */
const finer: Readonly<Record<string, string>> = { browser: 'browser_version', os: 'os_version' }

const onlyPick = (filters: readonly Filter[], key: string): boolean =>
  filters.some((one) => one.key === key && !one.not && !one.contains && one.values.length === 1)

/** The tab that is shown in a panel, as the view has it. */
export const tabOf = (view: View, panel: Panel): Tab => {
  const tab = lists[panel].find(({ key }) => key === view.tabs[panel])!
  if (tab.key === 'prop') {
    return { ...tab, dimension: `${propPrefix}${view.prop}`, only: ['is_not', `event:props:${view.prop}`, ['(not set)']] }
  }
  const below = finer[tab.dimension]
  return below && onlyPick(view.filters, tab.dimension) ? { ...tab, dimension: below } : tab
}

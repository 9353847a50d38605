/**
 * The metrics that the page shows: their name in the API, what they are called, how they are written, and what they mean. A change is
 * `good` in one direction, or in none.
 */
export type Unit = 'count' | 'ratio' | 'percent' | 'duration'
export type Metric = {
  name: string
  label: string
  /** Over a narrow column. */
  short?: string
  unit: Unit
  better: 'more' | 'less'
  /** What it counts, in one sentence. */
  definition: string
  /** How it is computed, where it is. */
  formula?: string
  /** Why its parts need not add up to the whole, where they do not. */
  parts?: string
}

export const cards: readonly Metric[] = [
  {
    name: 'visitors',
    label: 'Visitors',
    unit: 'count',
    better: 'more',
    definition: 'Different visitors with at least one hit in the period that passes the filters; each is counted once, exactly.',
    parts: 'Somebody who comes in two hours, or sees two pages, is one visitor of each: rows and hours need not add up to the total.',
  },
  {
    name: 'visits',
    label: 'Visits',
    unit: 'count',
    better: 'more',
    definition:
      'Visits with at least one hit in the period. A visit ends after 30 minutes without a hit (or as the site is set), not at midnight.',
    parts: 'A visit counts in every hour in which it is active, so hours need not add up to the total.',
  },
  {
    name: 'pageviews',
    label: 'Pageviews',
    unit: 'count',
    better: 'more',
    definition: 'Pages seen: loads of a page, and steps within a single-page site.',
  },
  {
    name: 'views_per_visit',
    label: 'Views per visit',
    unit: 'ratio',
    better: 'more',
    definition: 'Pages seen in a visit, on average.',
    formula: 'pageviews / visits',
  },
  {
    name: 'bounce_rate',
    label: 'Bounce rate',
    unit: 'percent',
    better: 'less',
    definition:
      'Share of the visits begun in the period that are not engaged: under 10 seconds in the foreground, only one page and no goal met (or, as a site may be set, exactly one page and nothing else).',
    formula: 'bounced visits / visits begun',
  },
  {
    name: 'visit_duration',
    label: 'Visit duration',
    unit: 'duration',
    better: 'more',
    definition: 'From the first to the last sign of a visit begun in the period, on average; a bounce counts as 0.',
    formula: 'Σ (last − first) / visits begun',
  },
]

/** Metrics of rows, beyond those of the cards. */
const more: readonly Metric[] = [
  {
    name: 'events',
    label: 'Events',
    unit: 'count',
    better: 'more',
    definition: 'Everything that was sent: pageviews and all other events.',
  },
  {
    name: 'time_on_page',
    label: 'Time on page',
    unit: 'duration',
    better: 'more',
    definition: 'Time with the page in the foreground, per visitor of the page.',
    formula: 'foreground time / visitors of the page',
  },
  {
    name: 'scroll_depth',
    label: 'Scroll depth',
    unit: 'percent',
    better: 'more',
    definition: 'How far down the page was seen, the furthest point of each visit, on average.',
  },
  {
    name: 'exit_rate',
    label: 'Exit rate',
    unit: 'percent',
    better: 'less',
    definition: 'How often the page was the last of its visit.',
    formula: 'exits / pageviews of the page',
  },
  {
    name: 'percentage',
    label: 'Share',
    unit: 'percent',
    better: 'more',
    definition: 'Visitors of the row, of all visitors of the period and the filters.',
    formula: 'visitors / all visitors',
  },
  {
    name: 'conversion_rate',
    label: 'Conversion rate',
    short: 'Rate',
    unit: 'percent',
    better: 'more',
    definition: 'Visitors who met the goal, of all visitors that the filters leave when what they say about goals is not asked.',
    formula: 'visitors with the goal / visitors',
    parts: 'Somebody may meet several goals, and each of them is of all visitors: rows need not add up.',
  },
  {
    name: 'group_conversion_rate',
    label: 'Conversion rate within',
    unit: 'percent',
    better: 'more',
    definition: 'Visitors of the row who met the goal, of all visitors of the row: of those from Germany, how many signed up.',
    formula: 'visitors of the row with the goal / visitors of the row',
  },
]

const all = new Map([...cards, ...more].map((one) => [one.name, one]))

/** Throws for a name that is not in the lists above. */
export const metricOf = (name: string): Metric => {
  const found = all.get(name)
  if (!found) throw new Error(`There is no metric ${name}.`)
  return found
}

import type { Direction } from '../state/explore.ts'
import { type Metric, metricOf } from '../state/metrics.ts'

/** What the numbers of the explorations mean: texts of the popover beside them. docs/explorations.md says it in full. */
const meaning = (label: string, unit: Metric['unit'], definition: string, rest: Partial<Metric> = {}): Metric => ({
  name: label,
  label,
  unit,
  better: 'more',
  definition,
  ...rest,
})

export const funnelMeanings = {
  visitors: meaning(
    'Visitors at a step',
    'count',
    'Visitors who came as far as this step: the steps before it came first, each as a hit of its own, within the time that is set.',
    { short: 'Visitors', parts: 'Each is counted at every step up to the furthest that any attempt reached.' },
  ),
  ofBefore: meaning('Part of the step before', 'percent', 'Visitors of the step, of those at the step before.', {
    short: 'Of before',
    formula: 'visitors / visitors at the step before',
  }),
  ofFirst: meaning('Part of the first step', 'percent', 'Visitors of the step, of those at the first.', {
    short: 'Of first',
    formula: 'visitors / visitors at the first step',
  }),
  time: meaning('Time since the step before', 'duration', 'Half of the visitors of the step were faster: the median.', {
    short: 'Time',
    parts: 'Of each visitor one attempt is taken: the first that came as far as the visitor ever did.',
  }),
} as const

export const pathMeanings = (direction: Direction) => {
  const isNext = direction === 'next'
  return {
    visits: meaning(
      'Visits that went this way',
      'count',
      isNext
        ? 'Visits that went through the rows opened before and then here. Each counts once, from its first hit at the beginning on.'
        : 'Visits that came from here and then through the rows opened before. Each counts once, backwards from its last hit at the end.',
      { short: 'Visits', parts: 'The same page or event several times in a row is one step.' },
    ),
    share: meaning('Part of the step before', 'percent', 'Visits of the row, of those at the step before.', {
      short: 'Share',
      formula: 'visits / visits at the step before',
      parts: `The rows of a step, with the visits that ${isNext ? 'end' : 'begin'} there, add up to the visits at the step before.`,
    }),
  }
}

export const retentionMeanings = {
  visitors: meaning('Visitors of a cohort', 'count', 'Visitors whose first hit in the period, of those that pass the filters, came then.', {
    short: 'Visitors',
    parts: 'Each is in one cohort: they add up to the visitors of the period.',
  }),
  back: meaning('Part that was there again', 'percent', 'Visitors of the cohort who had a hit so many days, weeks or months later.', {
    formula: 'visitors of the cohort who were there / visitors of the cohort',
    parts: 'In italics what may still grow, since its time is cut by the period or not over.',
  }),
} as const

/** `name` is the metric that is explained. */
export const whyMeanings = (name: string) => {
  const metric = metricOf(name)
  const { label } = metric
  return {
    before: {
      ...metric,
      label: `${label} before`,
      short: 'Before',
      definition: `In the period that this one is compared with. ${metric.definition}`,
    },
    now: { ...metric, label: `${label} now`, short: 'Now', definition: `In this period. ${metric.definition}` },
    change: meaning(`Change of ${label.toLowerCase()}`, 'count', 'By how much the row grew or fell. Rows come by its size, up or down.', {
      short: 'Change',
      formula: 'now − before',
    }),
    share: meaning(
      'Share of the change',
      'percent',
      'What part of the change of the whole the row made; below zero where it worked against it.',
      {
        short: 'Share',
        formula: 'change of the row / change of the whole',
        parts: 'The same one may be in several rows, so shares need not add up to 100.',
      },
    ),
  }
}

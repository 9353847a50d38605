import type { RefObject } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { type Asked, useAnswer } from '../state/answers.ts'
import { changed, written } from '../state/format.ts'
import { type Step, stepLabel, stepOf, stepsFor } from '../state/intervals.ts'
import { type Metric, metricOf } from '../state/metrics.ts'
import { usePage } from '../state/page.ts'
import { daysOf, earliestOf } from '../state/periods.ts'
import { questionOf } from '../state/question.ts'
import { daysBetweenPoints, type Point, type Series, seriesOf } from '../state/series.ts'
import { bucketLabel, spanLabel } from '../state/spans.ts'
import { useColourChange } from '../state/theme.ts'
import type { Interval } from '../state/view.ts'
import './chart.css'
import { ChartTable } from './chart-table.tsx'
import { Line, Table } from './icons.tsx'
import type { Plotted } from './plot.ts'
import { Problem } from './problem.tsx'

/** The chart: one metric over time, beside the earlier period. What it shows is also said, and shown as a table. */

/** Fetched beside the page, not before it. */
const plotting = import('./plot.ts')

const useChartAnswer = (): Asked & { metric: Metric; series: Series | undefined } => {
  const { view, today, site } = usePage()
  const step = stepOf(view, today)
  // The last five minutes are too short to be drawn.
  const drawn = view.period === 'realtime' ? { ...view, period: '30m' } : view
  const asked = useAnswer(
    questionOf(drawn, today, {
      metrics: [view.metric],
      dimensions: [step ? `time:${step}` : 'time'],
      include: { time_labels: true, compare_missing: true },
    }),
  )
  // While a new question is worked on, the lines are still those of the question before.
  const metric = metricOf(asked.question?.metrics[0] ?? view.metric)
  const series = useMemo(() => {
    const { answer, question } = asked
    if (!answer) return undefined
    const [, ofQuestion] = question?.dimensions?.[0]?.split(':') ?? []
    const now = answer.meta.as_of ? Date.parse(answer.meta.as_of) : Date.now()
    return seriesOf(answer, { step: ofQuestion as Step | undefined, timeZone: site.timezone, now, isCount: metric.unit === 'count' })
  }, [asked.answer, metric, site.timezone])
  return { ...asked, metric, series }
}

/** Draws the series into the element, anew when colours or the unit change. */
const usePlot = (into: RefObject<HTMLDivElement | null>, plotted: Plotted | undefined, brush: (from: number, to: number) => void) => {
  const [hovered, setHovered] = useState<{ index: number; left: number }>()
  const colours = useColourChange()
  const plot = useRef<ReturnType<Awaited<typeof plotting>['createPlot']>>(undefined)
  const newest = useRef({ plotted, brush })
  newest.current = { plotted, brush }
  const isThere = plotted !== undefined

  useEffect(() => {
    if (!isThere) return
    let isOver = false
    void plotting.then(({ createPlot }) => {
      if (isOver || !into.current || !newest.current.plotted) return
      const heard = { hover: setHovered, brush: (from: number, to: number) => newest.current.brush(from, to) }
      plot.current = createPlot(into.current, newest.current.plotted, heard)
    })
    return () => {
      isOver = true
      plot.current?.end()
      plot.current = undefined
      setHovered(undefined)
    }
  }, [isThere, plotted?.unit, colours])

  useEffect(() => {
    if (plotted) plot.current?.show(plotted)
  }, [plotted])
  return hovered
}

/** What the picture says, in words. */
const summaryOf = (metric: Metric, { points, step }: Series): string => {
  const known = points.filter(({ value }) => value !== null)
  const highest = known.reduce<Point | undefined>((best, point) => (best && best.value! >= point.value! ? best : point), undefined)
  if (!highest) return `${metric.label} by ${step}: nothing to show.`
  const last = known.at(-1)!
  const tell = ({ value, label }: Point) => `${written(value, metric.unit)} (${bucketLabel(label, step)})`
  return `${metric.label} by ${step}, ${known.length} values. Highest ${tell(highest)}, newest ${tell(last)}.`
}

const Hover = ({ metric, series, at }: { metric: Metric; series: Series; at: { index: number; left: number } }) => {
  const point = series.points[at.index]
  if (!point || (point.value === null && !point.earlier)) return null
  const { earlier, value } = point
  const change = earlier && value !== null && earlier.value ? Math.round(((value - earlier.value) / earlier.value) * 100) : undefined
  const shown = changed(change, metric.better)
  return (
    <div class={`hover${at.index > series.points.length / 2 ? ' left' : ''}`} style={{ '--at': `${at.left}px` }} aria-hidden="true">
      <p>
        <span class="key" />
        <b>{written(value, metric.unit)}</b> <span class="quiet">{bucketLabel(point.label, series.step)}</span>
        {point.isOpen && <i> so far</i>}
      </p>
      {earlier && (
        <p class="quiet">
          <span class="key earlier" />
          <b>{written(earlier.value, metric.unit)}</b> {bucketLabel(earlier.label, series.step)}
        </p>
      )}
      {shown && <p class={shown.tone === 'same' ? 'quiet' : shown.tone}>{shown.text}</p>}
    </div>
  )
}

const Legend = ({ asked, isRealtime }: { asked: Asked; isRealtime: boolean }) => {
  const { answer } = asked
  if (!answer) return <p class="legend">{'\u00a0'}</p>
  const earlier = answer.meta.comparison_date_range
  return (
    <p class="legend">
      <span>
        <span class="key" />
        {isRealtime ? 'Last 30 minutes' : spanLabel(answer.query.date_range)}
      </span>
      {earlier && (
        <span class="quiet">
          <span class="key earlier" />
          {spanLabel(earlier)}
        </span>
      )}
    </p>
  )
}

const IntervalPicker = ({ shown }: { shown: Step | undefined }) => {
  const { view, today, change } = usePage()
  const offered = stepsFor(view.period, today)
  if (offered.length < 2) return null
  const isUnfit = view.interval !== '' && !offered.some((step) => step === view.interval)
  return (
    <label class="interval">
      {isUnfit && <span class="quiet">{stepLabel[view.interval as Step]} do not fit this period; shown by</span>}
      <span class="spoken">Interval</span>
      <select value={shown ?? ''} onChange={(event) => change({ interval: event.currentTarget.value as Interval })}>
        {shown && !offered.includes(shown) && <option value={shown}>{stepLabel[shown]}</option>}
        {offered.map((step) => (
          <option key={step} value={step}>
            {stepLabel[step]}
          </option>
        ))}
      </select>
    </label>
  )
}

const nothingText = (filters: number): string => (filters > 0 ? 'No hits in this period pass the filters.' : 'No hits in this period.')

/** Whether there is anything at all; a rate without visits is nothing either. */
const isBlank = ({ points }: Series): boolean => points.every(({ value }) => !value)

export const Chart = () => {
  const { view, today, change } = usePage()
  const { metric, series, ...asked } = useChartAnswer()
  const [isTable, setTable] = useState(false)
  const into = useRef<HTMLDivElement>(null)
  const lastDay = daysOf(view.period, today)?.[1] ?? today
  const brush = (from: number, to: number) => {
    const days = series && daysBetweenPoints(series, from, to, earliestOf(lastDay, today))
    if (days) change({ period: days[0] === days[1] ? days[0] : days.join('..'), interval: '' })
  }
  const plotted = useMemo(() => (series && !isTable ? { series, unit: metric.unit } : undefined), [series, metric.unit, isTable])
  const hovered = usePlot(into, plotted, brush)
  return (
    <section class={`chart${asked.isOld ? ' old' : ''}`} aria-labelledby="chart-title" aria-busy={asked.isLoading}>
      <header>
        <h2 id="chart-title">
          {metric.label} <span class="quiet">by {series?.step ?? '…'}</span>
        </h2>
        <Legend asked={asked} isRealtime={view.period === 'realtime'} />
        <IntervalPicker shown={stepOf(view, today) ?? series?.step} />
        <button
          type="button"
          class="plain-icon"
          aria-pressed={isTable}
          aria-label="Show as table"
          title={isTable ? 'Show as chart' : 'Show as table'}
          onClick={() => setTable(!isTable)}
        >
          {isTable ? <Line /> : <Table />}
        </button>
      </header>
      {asked.error && <Problem error={asked.error} retry={asked.retry} />}
      {isTable && series ? (
        <ChartTable metric={metric} series={series} />
      ) : (
        <div class="plot" role="img" aria-label={series ? summaryOf(metric, series) : `${metric.label}: not known yet`}>
          <div ref={into} class="canvas" />
          {!series && !asked.error && <div class="bone whole" />}
          {series && isBlank(series) && <p class="nothing quiet">{nothingText(view.filters.length)}</p>}
          {series && hovered && <Hover metric={metric} series={series} at={hovered} />}
        </div>
      )}
    </section>
  )
}

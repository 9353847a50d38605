import type { Asked } from '../state/answers.ts'
import type { MetricValue, Row } from '../state/api.ts'
import { brief, type Value, written } from '../state/format.ts'
import { cards, type Metric } from '../state/metrics.ts'
import { usePage } from '../state/page.ts'
import { spanLabel } from '../state/spans.ts'
import { Change } from './change.tsx'
import { Definition } from './definition.tsx'
import { Problem } from './problem.tsx'
import './cards.css'
import { Warnings } from './warnings.tsx'

/** The six numbers of a period. Each chooses what the chart shows. */
const numberOf = (value: MetricValue | undefined): Value => (typeof value === 'number' ? value : null)

/** The value of a card, from the one row that an answer without dimensions has. */
export const cardValue = (asked: Asked, name: string): Value =>
  numberOf(asked.answer?.results[0]?.metrics[cards.findIndex((card) => card.name === name)])

/** Numbers stand in full for as long as they fit. */
const fitsUpTo = 10_000_000
const shownValue = (value: Value, unit: Metric['unit']): string =>
  (typeof value === 'number' && value >= fitsUpTo ? brief : written)(value, unit)

type CardProps = { metric: Metric; at: number; row: Row | undefined; before: string }

const Earlier = ({ metric, at, row, before }: CardProps) => {
  const { comparison } = row ?? {}
  if (!comparison) return <span class="card-change quiet">{'\u00a0'}</span>
  const earlier = written(numberOf(comparison.metrics[at]), metric.unit)
  const change = comparison.change[at]
  return (
    <span class="card-change" title={`${earlier} in ${before}`}>
      <Change change={change} better={metric.better} />
      <span class="quiet">
        <span class="spoken">, </span>
        {change === null || change === undefined ? `${earlier} before` : `from ${earlier}`}
      </span>
    </span>
  )
}

const Card = (props: CardProps) => {
  const { metric, at, row } = props
  const { view, change } = usePage()
  const value = numberOf(row?.metrics[at])
  const isShown = view.metric === metric.name
  return (
    <li class={`card${isShown ? ' shown' : ''}`}>
      <button type="button" class="card-pick" aria-pressed={isShown} onClick={() => change({ metric: metric.name })}>
        <span class="card-label">{metric.label}</span>
        <span class="card-value" title={written(value, metric.unit)}>
          {row ? shownValue(value, metric.unit) : <span class="bone" />}
        </span>
        {row ? <Earlier {...props} /> : <span class="card-change bone short" />}
      </button>
      <Definition metric={metric} />
    </li>
  )
}

export const Cards = ({ totals }: { totals: Asked }) => {
  const { answer, error, isOld, isLoading, retry } = totals
  const row = answer?.results[0]
  const range = answer?.meta.comparison_date_range
  return (
    <section aria-label="Totals" aria-busy={isLoading}>
      {error && <Problem error={error} retry={retry} />}
      <ul class={`cards${isOld ? ' old' : ''}`}>
        {cards.map((metric, at) => (
          <Card key={metric.name} metric={metric} at={at} row={row} before={range ? spanLabel(range) : ''} />
        ))}
      </ul>
      <Warnings meta={answer?.meta} />
    </section>
  )
}

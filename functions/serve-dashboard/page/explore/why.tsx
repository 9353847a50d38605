import { Name } from '../panels/rows.tsx'
import { useAnswerOf } from '../state/answers.ts'
import { dimensionOf } from '../state/dimensions.ts'
import { type Why as Answer, type Cause, causeMetric, whyBody } from '../state/explorations.ts'
import { written } from '../state/format.ts'
import { metricOf } from '../state/metrics.ts'
import { usePage } from '../state/page.ts'
import { canCompare, isCompared } from '../state/question.ts'
import { spanLabel } from '../state/spans.ts'
import { Answered, dimensionOptions, NumberHead, Pick, share, useExplore } from './controls.tsx'
import { whyMeanings } from './meanings.ts'

/** Why: the rows of a dimension by how much they added to the change of a number, whichever way. */
const signed = (value: number): string => `${value > 0 ? '+' : value < 0 ? '−' : ''}${written(Math.abs(value), 'count')}`
const signedShare = (value: number | null): string =>
  value === null ? '–' : `${value < 0 ? '−' : ''}${written(Math.round(Math.abs(value)), 'percent')}`

const Row = ({ row, most, dimension }: { row: Cause; most: number; dimension: string }) => (
  <tr>
    <th scope="row">
      <span class={`bar ${row.change < 0 ? 'down' : ''}`} style={{ width: share(Math.abs(row.change), most) }} />
      {row.other ? <span class="name mark">{row.value}</span> : <Name dimension={dimension} value={row.value} />}
    </th>
    <td class="number before">{written(row.before, 'count')}</td>
    <td class="number before">{written(row.now, 'count')}</td>
    <td class={`number ${row.change > 0 ? 'good' : row.change < 0 ? 'bad' : 'quiet'}`}>{signed(row.change)}</td>
    <td class="number">{signedShare(row.share)}</td>
  </tr>
)

const Sentence = ({ answer, metric }: { answer: Answer; metric: string }) => {
  const { total, overlap, meta } = answer
  const { label } = metricOf(metric)
  const way = total.change > 0 ? 'rose by' : 'fell by'
  const range = meta.comparison_date_range
  return (
    <p>
      {total.change === 0 ? `${label} did not change: ` : `${label} ${way} ${written(Math.abs(total.change), 'count')}, from `}
      {written(total.before, 'count')}
      {range ? ` (${spanLabel(range)})` : ''} {total.change === 0 ? 'before and now.' : `to ${written(total.now, 'count')}.`}
      {overlap.change !== 0 && (
        <span class="quiet">{` The same one may be in several rows; added up, they changed by ${signed(total.change + overlap.change)}.`}</span>
      )}
    </p>
  )
}

const Causes = ({ answer, dimension, metric }: { answer: Answer; dimension: string; metric: string }) => {
  const most = Math.max(0, ...answer.rows.map(({ change }) => Math.abs(change)))
  const label = dimensionOf(dimension)!.label
  const { before, now, change, share: part } = whyMeanings(metric)
  return (
    <>
      <Sentence answer={answer} metric={metric} />
      <table class="rows wide why-rows">
        <caption class="spoken">{`${label} by what it added to the change of ${metricOf(metric).label}`}</caption>
        <thead>
          <tr>
            <th scope="col">{label}</th>
            <NumberHead metric={before} class="before" />
            <NumberHead metric={now} class="before" />
            <NumberHead metric={change} />
            <NumberHead metric={part} />
          </tr>
        </thead>
        <tbody>
          {answer.rows.map((row) => (
            <Row key={`${row.other} ${row.value}`} row={row} most={most} dimension={dimension} />
          ))}
        </tbody>
      </table>
    </>
  )
}

const NotCompared = () => {
  const { view, change } = usePage()
  if (!canCompare(view.period))
    return <p class="empty quiet">There is nothing before this period that it could have changed from; take another one.</p>
  return (
    <p class="empty quiet">
      A change needs something to compare with.{' '}
      <button type="button" class="link" onClick={() => change({ compare: 'previous' })}>
        Compare with the period before
      </button>
    </p>
  )
}

const Explained = ({ dimension, metric }: { dimension: string; metric: string }) => {
  const { view, today } = usePage()
  const asked = useAnswerOf<Answer>('why', whyBody(view, today))
  return (
    <Answered kind="why" asked={asked} empty="Nothing changed: there are no rows." isEmpty={(answer) => answer.rows.length === 0}>
      {(answer) => <Causes answer={answer} dimension={dimension} metric={metric} />}
    </Answered>
  )
}

export const Why = () => {
  const { view } = usePage()
  const { explore, put } = useExplore()
  const metric = causeMetric(view)
  if (!isCompared(view)) return <NotCompared />
  return (
    <>
      <div class="options">
        <Pick label="Explain by" value={explore.cause} options={dimensionOptions(explore.cause)} onPick={(cause) => put({ cause })} />
        <span class="quiet">
          {metric === view.metric
            ? 'The number is that of the chart.'
            : `${metricOf(view.metric).label} is no sum of rows: it is visits that are explained.`}
        </span>
      </div>
      {/* Rows of another dimension are no old answer of this one: a click on one would filter by it. */}
      <Explained key={`${explore.cause} ${metric}`} dimension={explore.cause} metric={metric} />
    </>
  )
}

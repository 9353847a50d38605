import { useEffect, useState } from 'preact/hooks'
import { Problem } from '../parts/problem.tsx'
import { type Answer, type ApiError, api } from '../state/api.ts'
import { dimensionOf, dimensions } from '../state/dimensions.ts'
import { valueLabel, written } from '../state/format.ts'
import { metricOf } from '../state/metrics.ts'
import { type Compared, comparedRows, isChanged, mostRows, previewMetrics, previewQuestion, type Replay } from '../state/replays.ts'
import { asError } from './use-settings.ts'

/** What a replay would change: the same question with it and without it, side by side. */
type Pair = { now: Answer; after: Answer }
type Asked = { key: string; whole: Pair; rows: Pair } | { key: string; error: ApiError }

/** Both answers; one after the other, to leave the page behind its own questions. */
const pairOf = async (replay: Replay, dimension: string, signal: AbortSignal): Promise<Pair> => {
  const now = await api.query(previewQuestion(replay, dimension, false), signal)
  return { now, after: await api.query(previewQuestion(replay, dimension, true), signal) }
}

const usePreview = (replay: Replay, dimension: string) => {
  const [asked, setAsked] = useState<Asked>()
  const [tries, setTries] = useState(0)
  const key = `${replay.id} ${dimension} ${tries}`
  useEffect(() => {
    const abort = new AbortController()
    const ask = async () => {
      try {
        const whole = await pairOf(replay, '', abort.signal)
        setAsked({ key, whole, rows: await pairOf(replay, dimension, abort.signal) })
      } catch (error) {
        if (!abort.signal.aborted) setAsked({ key, error: asError(error) })
      }
    }
    void ask()
    return () => abort.abort()
  }, [key])
  return { asked: asked?.key === key ? asked : undefined, retry: () => setTries((n) => n + 1) }
}

type Metric = (typeof previewMetrics)[number]
const mostShown = 100

const signed = (value: number | null, metric: Metric): string => {
  const { unit } = metricOf(metric)
  if (value === null) return '–'
  return `${value > 0 ? '+' : value < 0 ? '−' : ''}${written(Math.abs(value), unit)}`
}

const Row = ({ row, name, metric }: { row: Compared; name: string; metric: Metric }) => (
  <tr class={isChanged(row) ? undefined : 'quiet'}>
    <th scope="row">
      <bdi>{name}</bdi>
    </th>
    <td>{written(row.now, metricOf(metric).unit)}</td>
    <td>{written(row.after, metricOf(metric).unit)}</td>
    <td>{signed(row.difference, metric)}</td>
  </tr>
)

const Table = ({ asked, dimension, metric }: { asked: Extract<Asked, { whole: Pair }>; dimension: string; metric: Metric }) => {
  const [whole] = comparedRows(asked.whole.now, asked.whole.after, metric)
  const rows = comparedRows(asked.rows.now, asked.rows.after, metric)
  const changed = rows.filter(isChanged).length
  const label = dimensionOf(dimension)!.label
  const isCut = [asked.rows.now, asked.rows.after].some(({ results }) => results.length === mostRows)
  return (
    <>
      <p class="quiet small" role="status">
        {changed === 0 ? 'No row would change.' : `${written(changed, 'count')} of ${written(rows.length, 'count')} rows would change.`}
        {rows.length > mostShown ? ` Shown are the ${mostShown} that change most.` : ''}
        {isCut ? ` Compared are the first ${written(mostRows, 'count')} of each: one that seems new or gone may be further down.` : ''}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <section class="replay-rows" tabIndex={0} aria-label={`${label}, now and after`}>
        <table>
          <caption class="spoken">{`${metricOf(metric).label} by ${label}, now and after the switch`}</caption>
          <thead>
            <tr>
              <th scope="col">{label}</th>
              <th scope="col">Now</th>
              <th scope="col">After</th>
              <th scope="col">Difference</th>
            </tr>
          </thead>
          <tbody>
            {whole && <Row row={whole} name="All" metric={metric} />}
            {rows.slice(0, mostShown).map((row) => (
              <Row key={row.value} row={row} name={valueLabel(dimension, row.value) || '(empty)'} metric={metric} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  )
}

const offered = dimensions.filter(({ isNamed }) => !isNamed)

export const Preview = ({ replay }: { replay: Replay }) => {
  const [dimension, setDimension] = useState('channel')
  const [metric, setMetric] = useState<Metric>('visitors')
  const { asked, retry } = usePreview(replay, dimension)
  return (
    <section class="replay-preview" aria-label="What would change" aria-busy={!asked}>
      <div class="replay-picks">
        <label>
          Rows by{' '}
          <select class="field" value={dimension} onChange={(event) => setDimension(event.currentTarget.value)}>
            {offered.map(({ key, label }) => (
              <option key={key} value={key}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label>
          Number{' '}
          <select
            class="field"
            value={metric}
            onChange={({ currentTarget: { value } }) => setMetric(previewMetrics.find((one) => one === value) ?? metric)}
          >
            {previewMetrics.map((name) => (
              <option key={name} value={name}>
                {metricOf(name).label}
              </option>
            ))}
          </select>
        </label>
      </div>
      {!asked ? (
        <p class="quiet" role="status">
          Asking
        </p>
      ) : 'error' in asked ? (
        <Problem error={asked.error} retry={retry} />
      ) : (
        <Table asked={asked} dimension={dimension} metric={metric} />
      )}
    </section>
  )
}

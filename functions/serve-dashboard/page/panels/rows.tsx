import type { ComponentChildren } from 'preact'
import { Change } from '../parts/change.tsx'
import { Definition } from '../parts/definition.tsx'
import type { MetricValue, Row } from '../state/api.ts'
import { isPicked, withLeftOut, withPickTurned } from '../state/filters.ts'
import { brief, type Value, valueLabel, written } from '../state/format.ts'
import { metricOf } from '../state/metrics.ts'
import { usePage } from '../state/page.ts'
import { isCompared } from '../state/question.ts'

/** Rows of a panel and of its details. A value that a visitor sent is only ever text here. */

const numberOf = (value: MetricValue | undefined): Value => (typeof value === 'number' ? value : null)

/** Values that are no value: they are shown, but not as if somebody had sent them. */
const isMark = (value: string): boolean => value === '(not set)' || value === '(other)'

/** The name of a row, as a button that filters by it; `(other)` stands for many and cannot. */
export const Name = ({ dimension, value, onPick }: { dimension: string; value: string; onPick?: (() => void) | undefined }) => {
  const page = usePage()
  const label = valueLabel(dimension, value)
  if (value === '(other)') return <span class="name mark">{label}</span>
  const picked = isPicked(page.view.filters, dimension, value)
  const pick = () => {
    page.change({ filters: withPickTurned(page.view.filters, dimension, value) })
    onPick?.()
  }
  return (
    <button type="button" class={`name${isMark(value) ? ' mark' : ''}`} title={label} aria-pressed={picked} onClick={pick}>
      <bdi>{label === '' ? '(empty)' : label}</bdi>
    </button>
  )
}

const Exclude = ({ dimension, value }: { dimension: string; value: string }) => {
  const page = usePage()
  const label = valueLabel(dimension, value)
  if (value === '(other)') return null
  const exclude = () => page.change({ filters: withLeftOut(page.view.filters, dimension, value) })
  return (
    <button type="button" class="exclude" aria-label={`Leave out ${label}`} title={`Leave out ${label}`} onClick={exclude}>
      ≠
    </button>
  )
}

/** The change of one metric of a row, against the period it is compared with. */
export const RowChange = ({ row, at, metric }: { row: Row; at: number; metric: string }) => {
  const { better, unit } = metricOf(metric)
  const before = numberOf(row.comparison?.metrics[at])
  const change = row.comparison?.change[at] ?? null
  if (change !== null) return <Change change={change} better={better} title={`${written(before, unit)} before`} />
  return <span class="quiet">{row.comparison && before === 0 && (numberOf(row.metrics[at]) ?? 0) > 0 ? 'new' : '–'}</span>
}

export const RowValue = ({ row, at, metric, full = false }: { row: Row; at: number; metric: string; full?: boolean }) => {
  const { unit } = metricOf(metric)
  const value = numberOf(row.metrics[at])
  return <span title={written(value, unit)}>{full ? written(value, unit) : brief(value, unit)}</span>
}

type RowsProps = {
  dimension: string
  /** What each row shows; its change is that of the first. */
  metrics: readonly string[]
  rows: readonly Row[]
  caption: string
  children?: ComponentChildren
}

/** Name, bar, value and change. The bar is the row's share of the largest. */
export const Rows = ({ dimension, metrics, rows, caption, children }: RowsProps) => {
  const { view } = usePage()
  const compared = isCompared(view)
  const most = Math.max(0, ...rows.map((row) => numberOf(row.metrics[0]) ?? 0))
  return (
    <table class={`rows${metrics.length > 1 ? ' wide' : ''}`}>
      <caption class="spoken">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{children}</th>
          {metrics.map((name) => (
            <th key={name} scope="col" class={`number ${name}`}>
              <span class="head">
                {metricOf(name).short ?? metricOf(name).label}
                <Definition metric={metricOf(name)} />
              </span>
            </th>
          ))}
          {compared && (
            <th scope="col" class="number">
              Change
            </th>
          )}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.dimensions[0]} class={isPicked(view.filters, dimension, row.dimensions[0]!) ? 'picked' : ''}>
            <th scope="row">
              <span class="bar" style={{ width: `${most === 0 ? 0 : ((numberOf(row.metrics[0]) ?? 0) / most) * 100}%` }} />
              <Name dimension={dimension} value={row.dimensions[0]!} />
              <Exclude dimension={dimension} value={row.dimensions[0]!} />
            </th>
            {metrics.map((name, at) => (
              <td key={name} class={`number ${name}`}>
                <RowValue row={row} at={at} metric={name} />
              </td>
            ))}
            {compared && (
              <td class="number change">
                <RowChange row={row} at={0} metric={metrics[0]!} />
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** The name of a row in the details, with what leaves it out. */
export const DetailName = ({ dimension, value, onPick }: { dimension: string; value: string; onPick: () => void }) => (
  <>
    <Name dimension={dimension} value={value} onPick={onPick} />
    <Exclude dimension={dimension} value={value} />
  </>
)

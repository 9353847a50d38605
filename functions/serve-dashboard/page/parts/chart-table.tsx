import { written } from '../state/format.ts'
import type { Metric } from '../state/metrics.ts'
import type { Series } from '../state/series.ts'
import { bucketLabel } from '../state/spans.ts'

/** The chart as a table, newest first. */

/** More rows than this are no help to anybody, and slow. */
const mostRows = 400

export const ChartTable = ({ metric, series }: { metric: Metric; series: Series }) => {
  const { points, step } = series
  const told = points.filter(({ isAhead }) => !isAhead).reverse()
  const isCompared = told.some(({ earlier }) => earlier)
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a part that scrolls must be reached by keys
    <section class="chart-table" tabIndex={0} aria-label={`${metric.label} by ${step}, as a table`}>
      <table>
        <thead>
          <tr>
            <th scope="col">Time</th>
            <th scope="col">{metric.label}</th>
            {isCompared && <th scope="col">Earlier</th>}
            {isCompared && <th scope="col">{metric.label} then</th>}
          </tr>
        </thead>
        <tbody>
          {told.slice(0, mostRows).map(({ label, value, earlier, isOpen }) => (
            <tr key={label}>
              <th scope="row">
                {bucketLabel(label, step)}
                {isOpen && <i class="quiet"> so far</i>}
              </th>
              <td>{written(value, metric.unit)}</td>
              {isCompared && <td class="quiet">{earlier ? bucketLabel(earlier.label, step) : '–'}</td>}
              {isCompared && <td class="quiet">{written(earlier?.value, metric.unit)}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {told.length > mostRows && <p class="quiet">{`The newest ${mostRows} of ${told.length}. A longer interval has fewer.`}</p>}
    </section>
  )
}

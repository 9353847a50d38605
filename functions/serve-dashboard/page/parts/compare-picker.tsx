import { usePage } from '../state/page.ts'
import { addDays, datesOf, daysOf, labelOf } from '../state/periods.ts'
import { canCompare } from '../state/question.ts'
import { Choices } from './choices.tsx'
import { ChevronDown } from './icons.tsx'
import { Popover } from './popover.tsx'
import { RangeForm } from './range-form.tsx'

/** What the period is compared with: nothing, the period before, the year before, or two dates. */
const options = [
  { value: 'previous', label: 'Previous period' },
  { value: 'year', label: 'Year before' },
  { value: 'off', label: 'Nothing' },
]
const short: Readonly<Record<string, string>> = { previous: 'vs previous', year: 'vs year before', off: 'Not compared' }

const Weekday = () => {
  const { view, change } = usePage()
  return (
    <label class="check">
      <input type="checkbox" checked={view.weekday} onChange={(event) => change({ weekday: event.currentTarget.checked })} />
      <span>
        Begin on the same day of the week
        <span class="quiet small block">Mondays beside Mondays: moved by up to six days, whole days only.</span>
      </span>
    </label>
  )
}

export const ComparePicker = () => {
  const { view, today, change } = usePage()
  const isPossible = canCompare(view.period)
  const dates = datesOf(view.compare)
  const [first] = daysOf(view.period, today) ?? [today]
  const [from, to] = dates ?? [addDays(first, -7), addDays(first, -1)]
  return (
    <Popover
      title="Comparison"
      align="end"
      class="button"
      panelClass="compare-menu"
      button={
        <>
          <span class="spoken">Comparison: </span>
          <span class={`picked${isPossible ? '' : ' quiet'}`}>
            {isPossible ? (short[view.compare] ?? `vs ${labelOf(view.compare)}`) : 'Not compared'}
          </span>
          <ChevronDown />
        </>
      }
    >
      {(close) => {
        const pick = (compare: string) => {
          close()
          change({ compare })
        }
        if (!isPossible) return <p class="quiet">There is nothing before {labelOf(view.period).toLowerCase()} to compare it with.</p>
        return (
          <>
            <Choices label="Comparisons" picked={view.compare} options={options} onPick={pick} />
            {view.compare !== 'off' && !dates && <Weekday />}
            <h2 class="menu-title">Two dates</h2>
            <RangeForm label="Dates to compare with" from={from} to={to} max={today} onPick={pick} />
          </>
        )
      }}
    </Popover>
  )
}

import { useState } from 'preact/hooks'
import { datesOf, isDate } from '../state/periods.ts'

/** Two dates. Whichever comes first is the beginning; what is no range says so. */
type Props = { label: string; from: string; to: string; max: string; isFirst?: boolean; onPick(range: string): void }

/** The range of two dates as the address has it; `undefined` where they are none. */
const rangeOf = (a: string, b: string): string | undefined => {
  if (!isDate(a) || !isDate(b)) return undefined
  const [first, last] = a <= b ? [a, b] : [b, a]
  const range = first === last ? first : `${first}..${last}`
  return datesOf(range) && range
}

export const RangeForm = ({ label, from, to, max, isFirst = false, onPick }: Props) => {
  const [ends, setEnds] = useState({ from, to })
  const [isWrong, setWrong] = useState(false)
  const submit = (event: Event) => {
    event.preventDefault()
    const range = rangeOf(ends.from, ends.to)
    setWrong(range === undefined)
    if (range !== undefined) onPick(range)
  }
  const end = (name: 'from' | 'to', text: string, first: boolean) => (
    <label>
      <span class="small quiet">{text}</span>
      <input
        type="date"
        class="field"
        max={max}
        required
        value={ends[name]}
        data-first={first ? '' : undefined}
        onInput={(event) => setEnds({ ...ends, [name]: event.currentTarget.value })}
      />
    </label>
  )
  return (
    <form class="range" aria-label={label} onSubmit={submit} noValidate>
      {end('from', 'From', isFirst)}
      {end('to', 'To', false)}
      <button type="submit" class="button small">
        Apply
      </button>
      {isWrong && (
        <p class="bad small" role="alert">
          Two dates are needed, at most 5,000 days apart.
        </p>
      )}
    </form>
  )
}

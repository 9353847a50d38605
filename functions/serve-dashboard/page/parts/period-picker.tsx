import type { RefObject } from 'preact'
import { useRef } from 'preact/hooks'
import { toPeriod } from '../state/intervals.ts'
import { usePage } from '../state/page.ts'
import { datesOf, daysOf, earliestOf, labelOf, offered, shifted } from '../state/periods.ts'
import { Choices } from './choices.tsx'
import { ChevronDown, ChevronLeft, ChevronRight } from './icons.tsx'
import { Popover } from './popover.tsx'
import { RangeForm } from './range-form.tsx'

/** Which period is shown: a menu with the keys that pick, two dates of one's own, and the way to the one before and after. */
const Shift = ({ direction }: { direction: -1 | 1 }) => {
  const { view, today, change } = usePage()
  const to = shifted(view.period, direction, today)
  const label = direction === -1 ? 'Earlier period' : 'Later period'
  return (
    <button
      type="button"
      class="plain-icon"
      aria-label={label}
      aria-keyshortcuts={direction === -1 ? 'ArrowLeft' : 'ArrowRight'}
      title={`${label} (${direction === -1 ? '←' : '→'})`}
      disabled={to === undefined}
      onClick={() => to !== undefined && change(toPeriod(view, to, today))}
    >
      {direction === -1 ? <ChevronLeft /> : <ChevronRight />}
    </button>
  )
}

/** Opens the menu at the two dates; the key C does. */
export type CustomOpener = RefObject<(() => void) | undefined>

export const PeriodPicker = ({ custom }: { custom: CustomOpener }) => {
  const { view, today, change } = usePage()
  const open = useRef<() => void>(undefined)
  const isCustom = useRef(false)
  custom.current = () => {
    isCustom.current = true
    open.current?.()
  }
  const [from, to] = datesOf(view.period) ?? daysOf(view.period, today) ?? [today, today]
  return (
    <div class="period">
      <Shift direction={-1} />
      <Popover
        title="Period"
        opener={open}
        onClose={() => {
          isCustom.current = false
        }}
        align="end"
        class="button"
        panelClass="period-menu"
        button={
          <>
            <span class="spoken">Period: </span>
            <span class="picked">{labelOf(view.period)}</span>
            <ChevronDown />
          </>
        }
      >
        {(close) => {
          const pick = (period: string) => {
            close()
            change(toPeriod(view, period, today))
          }
          return (
            <>
              <Choices
                label="Periods"
                picked={view.period}
                options={offered.map(({ period, key, label }) => ({ value: period, key, label }))}
                onPick={pick}
                isFirst={!isCustom.current}
              />
              <h2 class="menu-title">
                Two dates <kbd>C</kbd>
              </h2>
              <RangeForm label="Two dates" from={from} to={earliestOf(to, today)} max={today} isFirst={isCustom.current} onPick={pick} />
            </>
          )
        }}
      </Popover>
      <Shift direction={1} />
    </div>
  )
}

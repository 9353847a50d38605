import { useEffect, useRef } from 'preact/hooks'
import { stepOf, stepsFor, toPeriod } from '../state/intervals.ts'
import type { Page } from '../state/page.ts'
import { offered, shifted } from '../state/periods.ts'
import { canCompare } from '../state/question.ts'

/** The page by keys. They act only while nothing is typed, opened, or held down with Ctrl, Alt or Meta. */
export type Acts = { filter(): void; custom(): void; help(): void }

/** What the help lists beside the periods. */
export const otherKeys: readonly { keys: string; does: string }[] = [
  { keys: '← →', does: 'Period before, period after' },
  { keys: 'C', does: 'Two dates of your own' },
  { keys: 'X', does: 'Comparison on and off' },
  { keys: 'I', does: 'Next interval of the chart' },
  { keys: '/', does: 'Filter' },
  { keys: 'Esc', does: 'Take all filters away; close what is open' },
  { keys: '?', does: 'This help' },
]

const takesText = 'input, select, textarea, [contenteditable], [role="tablist"], [role="listbox"], [role="slider"]'

const isBusy = (event: KeyboardEvent): boolean =>
  event.defaultPrevented ||
  event.isComposing ||
  event.ctrlKey ||
  event.altKey ||
  event.metaKey ||
  (event.target instanceof Element && event.target.closest(takesText) !== null) ||
  document.querySelector(':popover-open, dialog[open]') !== null

const shift = ({ view, today, change }: Page, direction: -1 | 1): void => {
  const period = shifted(view.period, direction, today)
  if (period !== undefined) change(toPeriod(view, period, today))
}

const nextInterval = ({ view, today, change }: Page): void => {
  const fitting = stepsFor(view.period, today)
  const shown = stepOf(view, today)
  const next = fitting[((shown ? fitting.indexOf(shown) : -1) + 1) % fitting.length]
  if (next && next !== shown) change({ interval: next })
}

const toggleCompare = ({ view, change }: Page): void => {
  if (canCompare(view.period)) change({ compare: view.compare === 'off' ? 'previous' : 'off' })
}

/** What a key does; `undefined` for a key that does nothing. */
const actOf = (key: string, page: Page, acts: Acts): (() => void) | undefined => {
  const period = key === '' ? undefined : offered.find((one) => one.key === key)?.period
  if (period !== undefined) return () => page.change(toPeriod(page.view, period, page.today))
  const others: Readonly<Record<string, () => void>> = {
    arrowleft: () => shift(page, -1),
    arrowright: () => shift(page, 1),
    c: acts.custom,
    x: () => toggleCompare(page),
    i: () => nextInterval(page),
    '/': acts.filter,
    '?': acts.help,
    escape: () => {
      if (page.view.filters.length > 0) page.change({ filters: [] })
    },
  }
  return Object.hasOwn(others, key) ? others[key] : undefined
}

export const useKeys = (page: Page, acts: Acts): void => {
  const newest = useRef({ page, acts })
  newest.current = { page, acts }
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (isBusy(event)) return
      const act = actOf(event.key.toLowerCase(), newest.current.page, newest.current.acts)
      if (!act) return
      event.preventDefault()
      act()
    }
    document.addEventListener('keydown', onKeyDown)
    return () => document.removeEventListener('keydown', onKeyDown)
  }, [])
}

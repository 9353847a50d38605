import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { useAnswer } from '../state/answers.ts'
import { written } from '../state/format.ts'
import { cards } from '../state/metrics.ts'
import { useNeverHit } from '../state/never-hit.ts'
import { usePage } from '../state/page.ts'
import { questionOf } from '../state/question.ts'
import { scopeNotices } from '../state/scope.ts'
import { Cards, cardValue } from './cards.tsx'
import { Chart } from './chart.tsx'
import { ComparePicker } from './compare-picker.tsx'
import { FilterBar } from './filter-bar.tsx'
import { FirstHit } from './first-hit.tsx'
import { Help } from './help.tsx'
import { useKeys } from './keys.ts'
import { Notices } from './notices.tsx'
import { PastDays } from './past-days.tsx'
import { PeriodPicker } from './period-picker.tsx'
import './site-page.css'
import { TopBar } from './top-bar.tsx'

/** The page of one site: bars, cards and chart, and the panels below them; or how to get the first hit. */
const cardMetrics = cards.map(({ name }) => name)

const useTitle = (title: string): void =>
  useEffect(() => {
    document.title = title
  }, [title])

const SkipLink = () => (
  // biome-ignore lint/a11y/useValidAnchor: it goes to a place on the page; only the address must stay the view's
  <a
    class="skip"
    href="#numbers"
    onClick={(event) => {
      event.preventDefault() // the address is the view's
      document.getElementById('numbers')?.focus()
    }}
  >
    Skip to the numbers
  </a>
)

type Props = { problems: readonly string[]; leave(): void; children: ComponentChildren }

export const SitePage = ({ problems, leave, children }: Props) => {
  const page = usePage()
  const { view, today, site } = page
  const totals = useAnswer(questionOf(view, today, { metrics: cardMetrics }))
  const [isHelp, setHelp] = useState(false)
  const [isPastDays, setPastDays] = useState(false)
  const filterInput = useRef<HTMLInputElement>(null)
  const custom = useRef<() => void>(undefined)
  const isNeverHit = useNeverHit(totals)
  useKeys(page, {
    filter: () => filterInput.current?.focus(),
    custom: () => custom.current?.(),
    help: () => setHelp(true),
  })
  const visitors = cardValue(totals, 'visitors')
  useTitle(`${site.site}${visitors === null ? '' : ` · ${written(visitors, 'count')} visitor${visitors === 1 ? '' : 's'}`} · Footfall`)

  return (
    <div class="whole-page">
      <SkipLink />
      <TopBar meta={totals.answer?.meta} onHelp={() => setHelp(true)} onPastDays={() => setPastDays(true)} leave={leave} />
      {isNeverHit ? (
        <FirstHit />
      ) : (
        <>
          <section class="controls" aria-label="Filters and period">
            <FilterBar input={filterInput} />
            <div class="pickers">
              <PeriodPicker custom={custom} />
              <ComparePicker />
            </div>
          </section>
          <main id="numbers" tabIndex={-1}>
            <Notices problems={[...problems, ...scopeNotices(totals.answer?.meta, site.timezone)]} />
            <div class="panel head-panel">
              <Cards totals={totals} />
              <Chart />
            </div>
            {children}
          </main>
        </>
      )}
      {isPastDays && <PastDays onClose={() => setPastDays(false)} />}
      {isHelp && <Help onClose={() => setHelp(false)} />}
    </div>
  )
}

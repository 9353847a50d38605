import type { ComponentChildren } from 'preact'
import { useId, useRef } from 'preact/hooks'
import type { Asked } from '../state/answers.ts'
import { useAnswer } from '../state/answers.ts'
import { dimensionOf } from '../state/dimensions.ts'
import { usePage } from '../state/page.ts'
import { questionOf } from '../state/question.ts'
import type { Panel as PanelName, View } from '../state/view.ts'
import { Rows } from './rows.tsx'
import { type Tab, tabOf, tabsOf, titles } from './tabs.ts'

/** A panel: its tabs, the first rows of the one that is shown, and the way to all of them. */

/** Rows of a panel. */
export const panelRows = 9

/** Tabs that stand side by side; further ones are behind "More". */
const shownTabs = 5

export const questionOfTab = (view: View, today: string, tab: Tab, limit: number, offset = 0) =>
  questionOf(view, today, {
    metrics: tab.metrics,
    dimensions: [dimensionOf(tab.dimension)!.api],
    ...(tab.only ? { filters: [tab.only] } : {}),
    pagination: { limit, offset },
    include: { total_rows: true },
  })

type TabsProps = { panel: PanelName; shown: string; idOf: (key: string) => string; panelId: string }

/** Tabs as the ARIA practices have them: one stop of the Tab key, arrows go between them. */
const Tabs = ({ panel, shown, idOf, panelId }: TabsProps) => {
  const { change, view } = usePage()
  const list = useRef<HTMLDivElement>(null)
  const tabs = tabsOf(panel)
  const side = tabs.length > shownTabs ? tabs.slice(0, 3) : tabs
  const more = tabs.slice(side.length)
  const show = (key: string) => change({ tabs: { ...view.tabs, [panel]: key } }, 'replace')
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    event.stopPropagation()
    const keys = side.map(({ key }) => key)
    const next = keys[(Math.max(0, keys.indexOf(shown)) + step + keys.length) % keys.length]!
    show(next)
    list.current?.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus()
  }
  const isSide = side.some(({ key }) => key === shown)
  return (
    <div class="tabs">
      <div role="tablist" aria-label={titles[panel]} ref={list} onKeyDown={move}>
        {side.map(({ key, label }, i) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={idOf(key)}
            data-tab={key}
            aria-selected={key === shown}
            aria-controls={panelId}
            tabIndex={key === shown || (!isSide && i === 0) ? 0 : -1}
            onClick={() => show(key)}
          >
            {label}
          </button>
        ))}
      </div>
      {more.length > 0 && (
        <select
          aria-label={`More of ${titles[panel]}`}
          class={isSide ? '' : 'chosen'}
          value={isSide ? '' : shown}
          onChange={(event) => show(event.currentTarget.value)}
        >
          <option value="" disabled hidden>
            More
          </option>
          {more.map(({ key, label }) => (
            <option key={key} value={key}>
              {label}
            </option>
          ))}
        </select>
      )}
    </div>
  )
}

/** What stands in the place of rows while there are none. */
export const NoRows = ({ asked, empty }: { asked: Asked; empty: string }) => {
  if (asked.error) return <Failure error={asked.error} />
  if (asked.isLoading)
    return (
      <div class="skeleton" role="status">
        <span class="spoken">Loading</span>
      </div>
    )
  return <p class="empty quiet">{empty}</p>
}

const Failure = ({ error }: { error: NonNullable<Asked['error']> }) => (
  <p class="empty bad" role="alert">
    {error.message} <span class="quiet">{error.hint}</span>
  </p>
)

/** Frame of a panel: its title, its tabs, what is in it, and the way to the details. */
export const Frame = ({ panel, total, children }: { panel: PanelName; total: number | undefined; children: ComponentChildren }) => {
  const { view, change } = usePage()
  const id = useId()
  const shown = view.tabs[panel]
  const idOf = (key: string) => `${id}-${key}`
  const isSide =
    tabsOf(panel).length <= shownTabs ||
    tabsOf(panel)
      .slice(0, 3)
      .some(({ key }) => key === shown)
  return (
    <section class={`panel ${panel}`} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{titles[panel]}</h2>
        <Tabs panel={panel} shown={shown} idOf={idOf} panelId={`${id}-rows`} />
      </header>
      <div class="body" role="tabpanel" id={`${id}-rows`} {...(isSide ? { 'aria-labelledby': idOf(shown) } : { 'aria-label': shown })}>
        {children}
      </div>
      <footer>
        <button type="button" class="details" onClick={() => change({ detail: panel })} disabled={!total}>
          Details{total ? ` (${total.toLocaleString()})` : ''}
        </button>
      </footer>
    </section>
  )
}

/** The first rows of a tab. */
export const FirstRows = ({ tab, asked }: { tab: Tab; asked: Asked }) => {
  const rows = asked.answer?.results ?? []
  if (rows.length === 0) return <NoRows asked={asked} empty={tab.empty} />
  const label = dimensionOf(tab.dimension)!.label
  return (
    <div class={asked.isOld ? 'old' : ''} aria-busy={asked.isOld}>
      {asked.error && <Failure error={asked.error} />}
      <Rows dimension={tab.dimension} metric={tab.metrics[0]!} rows={rows} caption={`${label} by ${tab.metrics[0]}`}>
        {label}
      </Rows>
    </div>
  )
}

/** A panel whose rows are values of one dimension. */
export const DimensionPanel = ({ panel }: { panel: PanelName }) => {
  const { view, today } = usePage()
  const tab = tabOf(view, panel)
  const asked = useAnswer(questionOfTab(view, today, { ...tab, metrics: tab.metrics.slice(0, 1) }, panelRows))
  return (
    <Frame panel={panel} total={asked.answer?.meta.total_rows}>
      <FirstRows tab={tab} asked={asked} />
    </Frame>
  )
}

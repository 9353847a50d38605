import type { ComponentChildren } from 'preact'
import { useId } from 'preact/hooks'
import { Problem } from '../parts/problem.tsx'
import { type Asked, type AskedOf, useAnswer } from '../state/answers.ts'
import { dimensionOf } from '../state/dimensions.ts'
import { usePage } from '../state/page.ts'
import { questionOf } from '../state/question.ts'
import type { Panel as PanelName, View } from '../state/view.ts'
import { Rows } from './rows.tsx'
import { TabList } from './tab-list.tsx'
import { shownOf, type Tab, tabOf, tabsOf, titles } from './tabs.ts'

/** A panel: its tabs, the first rows of the one that is shown, and the way to all of them. */

/** Rows of a panel. */
const panelRows = 9

/** So many tabs stand side by side; where there are more, the first three do, and the others are behind "More". */
const mostTabs = 5
const firstTabs = 3

const sideTabs = (panel: PanelName): readonly Tab[] => {
  const tabs = tabsOf(panel)
  return tabs.length > mostTabs ? tabs.slice(0, firstTabs) : tabs
}

export const questionOfTab = (view: View, today: string, tab: Tab, limit: number, offset = 0) =>
  questionOf(view, today, {
    metrics: tab.metrics,
    dimensions: [dimensionOf(tab.dimension)!.api],
    ...(tab.only ? { filters: [tab.only] } : {}),
    pagination: { limit, offset },
    include: { total_rows: true },
  })

/** The question of a panel: its first rows, by the metrics that it has room for. */
export const firstOfTab = (view: View, today: string, tab: Tab, rows = panelRows) =>
  questionOfTab(view, today, { ...tab, metrics: shownOf(tab) }, rows)

type TabsProps = { panel: PanelName; shown: string; idOf: (key: string) => string; panelId: string }

/** The tabs of a panel; a panel with one shows none. */
const Tabs = ({ panel, shown, idOf, panelId }: TabsProps) => {
  const { change, view } = usePage()
  const side = sideTabs(panel)
  const more = tabsOf(panel).slice(side.length)
  const show = (key: string) => change({ tabs: { ...view.tabs, [panel]: key } }, 'replace')
  const isSide = side.some(({ key }) => key === shown)
  return (
    <div class="tabs">
      <TabList label={titles[panel]} tabs={side} shown={shown} idOf={idOf} panelId={panelId} show={show} />
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
type Waiting = Pick<AskedOf<unknown, unknown>, 'error' | 'isLoading' | 'retry'>
export const NoRows = ({ asked, empty }: { asked: Waiting; empty: ComponentChildren }) => {
  if (asked.error) return <Problem error={asked.error} retry={asked.retry} />
  if (asked.isLoading)
    return (
      <div class="skeleton" role="status">
        <span class="spoken">Loading</span>
      </div>
    )
  return <p class="empty quiet">{empty}</p>
}

type FrameProps = { panel: PanelName; total: number | undefined; more?: ComponentChildren; children: ComponentChildren }

/** Frame of a panel: its title, its tabs, what is in it, the way to the details, and `more` beside that. */
export const Frame = ({ panel, total, more, children }: FrameProps) => {
  const { view, change } = usePage()
  const id = useId()
  const shown = view.tabs[panel]
  const idOf = (key: string) => `${id}-${key}`
  const { label } = tabsOf(panel).find(({ key }) => key === shown)!
  const isSide = sideTabs(panel).some(({ key }) => key === shown)
  const isOne = tabsOf(panel).length === 1
  const tabPanel = {
    role: 'tabpanel',
    id: `${id}-rows`,
    ...(isSide ? { 'aria-labelledby': idOf(shown) } : { 'aria-label': label }),
  } as const
  return (
    <section class={`panel ${panel}`} aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>{titles[panel]}</h2>
        {!isOne && <Tabs panel={panel} shown={shown} idOf={idOf} panelId={`${id}-rows`} />}
      </header>
      <div class="body" {...(isOne ? {} : tabPanel)}>
        {children}
      </div>
      <footer>
        <button type="button" class="details" onClick={() => change({ detail: panel })} disabled={!total}>
          Details{total ? ` (${total.toLocaleString()})` : ''}
        </button>
        {more}
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
      {asked.error && <Problem error={asked.error} retry={asked.retry} />}
      <Rows dimension={tab.dimension} metrics={shownOf(tab)} rows={rows} caption={`${label} by ${tab.metrics[0]}`}>
        {label}
      </Rows>
    </div>
  )
}

/** A panel whose rows are values of one dimension. */
export const DimensionPanel = ({ panel }: { panel: PanelName }) => {
  const { view, today } = usePage()
  const tab = tabOf(view, panel)
  const asked = useAnswer(firstOfTab(view, today, tab))
  return (
    <Frame panel={panel} total={asked.answer?.meta.total_rows}>
      <FirstRows tab={tab} asked={asked} />
    </Frame>
  )
}

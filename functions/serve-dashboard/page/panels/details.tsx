import { Fragment } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { CopyCall } from '../parts/copy-call.tsx'
import { Definition } from '../parts/definition.tsx'
import { Dialog } from '../parts/dialog.tsx'
import { useAnswer } from '../state/answers.ts'
import type { Row } from '../state/api.ts'
import { dimensionOf } from '../state/dimensions.ts'
import { metricOf } from '../state/metrics.ts'
import { usePage } from '../state/page.ts'
import { isCompared, type Question } from '../state/question.ts'
import type { Panel, View } from '../state/view.ts'
import { byChange, type Order } from './order.ts'
import { NoRows, questionOfTab } from './panel.tsx'
import { DetailName, RowChange, RowValue } from './rows.tsx'
import { type Tab, tabOf, tabsOf, titles } from './tabs.ts'

/** All rows of a panel: searched, ordered by any column or by its change, in pages. */

const pageRows = 50
/** The API's largest page; an order by change is made here, over all of them. */
const mostRows = 10_000
const searchWaitMs = 250

const questionFor = (view: View, today: string, tab: Tab, search: string, order: Order, page: number): Question => {
  const byChange = order.of === 'change'
  const base = byChange ? questionOfTab(view, today, tab, mostRows) : questionOfTab(view, today, tab, pageRows, page * pageRows)
  const found = search === '' ? [] : [['contains', dimensionOf(tab.dimension)!.api, [search], { case_sensitive: false }]]
  const orderBy = byChange ? {} : { order_by: [[order.metric, order.direction] as const] }
  return { ...base, ...orderBy, filters: [...(base.filters ?? []), ...found] }
}

/** The text some time after it was last changed. */
const useSettled = (text: string): string => {
  const [settled, setSettled] = useState(text)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), searchWaitMs)
    return () => clearTimeout(timer)
  }, [text])
  return settled
}

const marks = { descending: ' ↓', ascending: ' ↑', none: '' } as const

type HeadProps = { metric: string; order: Order; compared: boolean; onOrder(order: Order): void }

const Head = ({ metric, order, compared, onOrder }: HeadProps) => {
  const sorted = (of: Order['of']) =>
    order.metric === metric && order.of === of ? (order.direction === 'desc' ? 'descending' : 'ascending') : undefined
  const choose = (of: Order['of']) => () => onOrder({ metric, of, direction: sorted(of) === 'descending' ? 'asc' : 'desc' })
  const mark = (of: Order['of']) => marks[sorted(of) ?? 'none']
  const { label } = metricOf(metric)
  return (
    <>
      <th scope="col" class="number" aria-sort={sorted('value') ?? 'none'}>
        <span class="head">
          <button type="button" onClick={choose('value')}>
            {label}
            <span aria-hidden="true">{mark('value')}</span>
          </button>
          <Definition metric={metricOf(metric)} />
        </span>
      </th>
      {compared && (
        <th scope="col" class="number" aria-sort={sorted('change') ?? 'none'}>
          <button type="button" aria-label={`Change of ${label}`} onClick={choose('change')}>
            Change<span aria-hidden="true">{mark('change')}</span>
          </button>
        </th>
      )}
    </>
  )
}

type TableProps = { tab: Tab; rows: readonly Row[]; order: Order; onOrder(order: Order): void; onPick(): void }

const Table = ({ tab, rows, order, onOrder, onPick }: TableProps) => {
  const { view } = usePage()
  const compared = isCompared(view)
  return (
    <table>
      <caption class="spoken">{dimensionOf(tab.dimension)!.label}</caption>
      <thead>
        <tr>
          <th scope="col">{dimensionOf(tab.dimension)!.label}</th>
          {tab.metrics.map((metric) => (
            <Head key={metric} metric={metric} order={order} compared={compared} onOrder={onOrder} />
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.dimensions[0]}>
            <th scope="row">
              <DetailName dimension={tab.dimension} value={row.dimensions[0]!} onPick={onPick} />
            </th>
            {tab.metrics.map((metric, at) => (
              <Fragment key={metric}>
                <td class="number">
                  <RowValue row={row} at={at} metric={metric} full />
                </td>
                {compared && (
                  <td class="number change">
                    <RowChange row={row} at={at} metric={metric} />
                  </td>
                )}
              </Fragment>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  )
}

type PagesProps = { page: number; total: number; onPage(page: number): void }

const Pages = ({ page, total, onPage }: PagesProps) => {
  const last = Math.max(0, Math.ceil(total / pageRows) - 1)
  const first = total === 0 ? 0 : page * pageRows + 1
  return (
    <nav aria-label="Pages of rows">
      <button type="button" class="button small" disabled={page === 0} onClick={() => onPage(page - 1)}>
        ← Previous
      </button>
      <span role="status">
        {first.toLocaleString()}–{Math.min(total, (page + 1) * pageRows).toLocaleString()} of {total.toLocaleString()}
      </span>
      <button type="button" class="button small" disabled={page >= last} onClick={() => onPage(page + 1)}>
        Next →
      </button>
    </nav>
  )
}

/** The details of a panel, as a dialog over the page; the URL says that they are open. */
export const Details = ({ panel }: { panel: Panel }) => {
  const { view, today, change } = usePage()
  const tab = tabOf(view, panel)
  const [search, setSearch] = useState('')
  const [page, setPage] = useState(0)
  const [order, setOrder] = useState<Order>({ metric: tab.metrics[0]!, of: 'value', direction: 'desc' })
  const settled = useSettled(search)
  const question = questionFor(view, today, tab, settled, order, page)
  const asked = useAnswer(question)
  useEffect(() => setPage(0), [settled])

  const all = asked.answer?.results ?? []
  const rows =
    order.of === 'change'
      ? byChange(all, tab.metrics.indexOf(order.metric), order.direction).slice(page * pageRows, (page + 1) * pageRows)
      : all
  const total = asked.answer?.meta.total_rows ?? 0
  const close = () => change({ detail: '' })
  const reorder = (next: Order) => {
    setOrder(next)
    setPage(0)
  }
  const what = tabsOf(panel).length > 1 ? `${titles[panel]}: ${tab.label}` : titles[panel]
  return (
    <Dialog title={what} class="details" onClose={close}>
      <div class="inside">
        <input
          // Searching is what one comes for; without it the way out would have the focus.
          autofocus
          type="search"
          class="field"
          aria-label={`Search in ${what}`}
          placeholder="Search"
          maxLength={200}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <div class={`scroll${asked.isOld ? ' old' : ''}`} aria-busy={asked.isOld}>
          {rows.length === 0 ? (
            <NoRows asked={asked} empty={settled === '' ? tab.empty : `Nothing has “${settled}” in it.`} />
          ) : (
            <Table tab={tab} rows={rows} order={order} onOrder={reorder} onPick={close} />
          )}
        </div>
        <footer>
          <Pages page={page} total={total} onPage={setPage} />
          {order.of === 'change' && total > mostRows && <p class="quiet">Ordered are the first {mostRows.toLocaleString()} rows.</p>}
          <CopyCall kind="query" question={question} />
        </footer>
      </div>
    </Dialog>
  )
}

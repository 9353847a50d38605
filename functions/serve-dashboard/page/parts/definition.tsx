import { useEffect, useState } from 'preact/hooks'
import { ApiError, api } from '../state/api.ts'
import { written } from '../state/format.ts'
import { type Excluded, excludedOf, ledgerSpan, mostDays, reasonText } from '../state/ledger.ts'
import type { Metric } from '../state/metrics.ts'
import { usePage } from '../state/page.ts'
import { labelOf } from '../state/periods.ts'
import { BotsSwitch } from './bots.tsx'
import { Popover } from './popover.tsx'
import { Problem } from './problem.tsx'

/** What a number means, how it is computed, and what was left out of it: the "i" beside every number. */
export const Definition = ({ metric }: { metric: Metric }) => (
  <Popover
    class="info"
    panelClass="definition"
    align="end"
    label={`What ${metric.label} means`}
    title={metric.label}
    button={<span aria-hidden="true">i</span>}
  >
    {() => <Meaning metric={metric} />}
  </Popover>
)

const Meaning = ({ metric }: { metric: Metric }) => (
  <>
    <h2>{metric.label}</h2>
    <p>{metric.definition}</p>
    {metric.formula && <p class="formula">{metric.formula}</p>}
    {metric.parts && <p class="quiet">{metric.parts}</p>}
    <LeftOut />
  </>
)

type State = { excluded: Excluded; isCut: boolean } | ApiError | undefined

/** The ledger over the period, asked when the popover opens. */
const useExcluded = (): { state: State; retry(): void } => {
  const { site, view, today } = usePage()
  const [state, setState] = useState<State>()
  const [tries, setTries] = useState(0)
  useEffect(() => {
    const abort = new AbortController()
    const { from, to, isCut } = ledgerSpan(view.period, today, Date.now())
    api
      .ledger(site.site, from, to, abort.signal)
      .then(({ hours }) => setState({ excluded: excludedOf(hours), isCut }))
      .catch((error: unknown) => {
        if (!abort.signal.aborted) setState(error instanceof ApiError ? error : new ApiError(0, 'page', String(error), 'Try again.'))
      })
    return () => abort.abort()
  }, [site.site, view.period, today, tries])
  return { state, retry: () => setTries((n) => n + 1) }
}

const LeftOut = () => {
  const { view } = usePage()
  const { state, retry } = useExcluded()
  return (
    <section class="left-out">
      <h3>{`Hits received, ${labelOf(view.period)}`}</h3>
      {state instanceof ApiError ? <Problem error={state} retry={retry} /> : <Sums excluded={state?.excluded} bots={view.bots} />}
      <p class="quiet small">
        All hits of the site, whatever is filtered, by the hour in which they were received.
        {state && !(state instanceof ApiError) && state.isCut ? ` Only the last ${mostDays} days.` : ''}
      </p>
      <BotsSwitch />
    </section>
  )
}

const Sums = ({ excluded, bots }: { excluded: Excluded | undefined; bots: boolean }) => (
  <table class="sums" aria-busy={!excluded}>
    <tbody>
      <Line label="Received" hits={excluded?.received} />
      <Line label="Counted" hits={excluded?.counted} />
      <Reasons label={bots ? 'Flagged as robots, shown' : 'Flagged as robots, left out'} reasons={excluded?.flagged} />
      <Reasons label="Refused" reasons={excluded?.refused} />
      <Line label="Sent again, counted once" hits={excluded?.repeated} />
      {excluded && excluded.dead > 0 && <Line label="Set aside as unreadable" hits={excluded.dead} />}
      {excluded && excluded.lost > 0 && <Line label="Lost" hits={excluded.lost} />}
    </tbody>
  </table>
)

const Line = ({ label, hits, sub = false }: { label: string; hits: number | undefined; sub?: boolean }) => (
  <tr class={sub ? 'sub' : undefined}>
    <th scope="row">{label}</th>
    <td>{hits === undefined ? '…' : written(hits, 'count')}</td>
  </tr>
)

const Reasons = ({ label, reasons }: { label: string; reasons: Excluded['flagged'] | undefined }) => (
  <>
    <Line label={label} hits={reasons?.reduce((sum, [, hits]) => sum + hits, 0)} />
    {reasons?.map(([reason, hits]) => (
      <Line key={reason} sub label={reasonText[reason] ?? reason} hits={hits} />
    ))}
  </>
)

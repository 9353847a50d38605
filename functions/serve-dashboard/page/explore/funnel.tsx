import { Name } from '../panels/rows.tsx'
import { wordsOf } from '../parts/filter-bar.tsx'
import { Cross } from '../parts/icons.tsx'
import { useAnswerOf } from '../state/answers.ts'
import { dimensionOf } from '../state/dimensions.ts'
import { type Funnel as Answer, type FunnelStep, funnelBody, type Split } from '../state/explorations.ts'
import { mostSteps, stepKeys } from '../state/explore.ts'
import { type Filter, formatFilter, formatFilters } from '../state/filters.ts'
import { written } from '../state/format.ts'
import { usePage } from '../state/page.ts'
import { Answered, dimensionOptions, NumberHead, type Option, Pick, share, useExplore, ValueField } from './controls.tsx'
import { funnelMeanings } from './meanings.ts'

/** Funnel: the steps as they are laid out, and how many visitors get to each. */
const windows: readonly Option[] = [
  ['', 'the whole period'],
  ['30m', '30 minutes'],
  ['1h', '1 hour'],
  ['1d', '1 day'],
  ['7d', '7 days'],
  ['30d', '30 days'],
]
const orders: readonly Option[] = [
  ['ordered', 'in this order'],
  ['strict', 'one right after the other'],
]

/** A step in words: `Page /pricing`; with what it is not and contains, where the address says so. */
const StepName = ({ step }: { step: Filter }) =>
  step.not || step.contains ? (
    <bdi>{wordsOf(step)}</bdi>
  ) : (
    <>
      <span class="quiet">{dimensionOf(step.key)!.label}</span> <bdi>{step.values.join(' or ')}</bdi>
    </>
  )

const Steps = () => {
  const { explore, put } = useExplore()
  const { steps } = explore
  const without = (at: number) => steps.filter((_, i) => i !== at)
  const earlier = (at: number) => [...without(at).slice(0, at - 1), steps[at]!, ...without(at).slice(at - 1)]
  return (
    <ol class="steps" aria-label="Steps of the funnel">
      {steps.map((step, at) => (
        <li key={`${at} ${formatFilter(step)}`} class="chip filter">
          <span class="chip-text">
            <b>{at + 1}</b> <StepName step={step} />
          </span>
          {at > 0 && (
            <button type="button" class="chip-cross" aria-label={`Move step ${at + 1} forward`} onClick={() => put({ steps: earlier(at) })}>
              ←
            </button>
          )}
          <button
            type="button"
            class="chip-cross"
            aria-label={`Remove step ${at + 1}: ${wordsOf(step)}`}
            onClick={() => put({ steps: without(at) })}
          >
            <Cross />
          </button>
        </li>
      ))}
    </ol>
  )
}

const Options = () => {
  const { explore, put } = useExplore()
  return (
    <div class="options">
      <Pick label="Steps" value={explore.order} options={orders} onPick={(order) => put({ order: order as 'strict' })} />
      <Pick label="within" value={explore.window} options={windows} onPick={(window) => put({ window })} />
      <Pick
        label="split by"
        value={explore.split}
        options={[['', 'nothing'], ...dimensionOptions(explore.split, ['goal'])]}
        onPick={(split) => put({ split })}
      />
    </div>
  )
}

const Row = ({ answer, filter, first }: { answer: FunnelStep; filter: Filter | undefined; first: number }) => (
  <tr>
    <th scope="row">
      <span class="bar" style={{ width: share(answer.visitors, first) }} />
      <span class="name" title={filter && wordsOf(filter)}>
        {answer.step}. {filter && <StepName step={filter} />}
      </span>
    </th>
    <td class="number">{written(answer.visitors, 'count')}</td>
    <td class="number">{answer.step === 1 ? '–' : written(answer.conversion_from_previous, 'percent')}</td>
    <td class="number">{written(answer.conversion_from_first, 'percent')}</td>
    <td class="number">{written(answer.time_from_previous?.median, 'duration')}</td>
  </tr>
)

const Whole = ({ steps, asked }: { steps: readonly FunnelStep[]; asked: readonly Filter[] }) => (
  <table class="rows wide funnel-rows">
    <caption class="spoken">Funnel: visitors at each step</caption>
    <thead>
      <tr>
        <th scope="col">Step</th>
        <NumberHead metric={funnelMeanings.visitors} />
        <NumberHead metric={funnelMeanings.ofBefore} />
        <NumberHead metric={funnelMeanings.ofFirst} />
        <NumberHead metric={funnelMeanings.time} />
      </tr>
    </thead>
    <tbody>
      {steps.map((step, at) => (
        <Row key={step.step} answer={step} filter={asked[at]} first={steps[0]!.visitors} />
      ))}
    </tbody>
  </table>
)

const Breakdown = ({ split, rows }: { split: string; rows: readonly Split[] }) => {
  const label = dimensionOf(split)?.label ?? split
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
    <section class="sideways" tabIndex={0} aria-label={`Funnel by ${label}`}>
      <table class="cells">
        <caption class="spoken">Visitors at each step, by {label}</caption>
        <thead>
          <tr>
            <th scope="col">{label}</th>
            {rows[0]?.steps.map(({ step }) => (
              <NumberHead key={step} metric={{ ...funnelMeanings.visitors, label: `Visitors at step ${step}`, short: `Step ${step}` }} />
            ))}
            <NumberHead metric={funnelMeanings.ofFirst} />
          </tr>
        </thead>
        <tbody>
          {rows.map(({ value, other, steps }) => (
            <tr key={`${other} ${value}`}>
              <th scope="row">{other ? <span class="name mark">{value}</span> : <Name dimension={split} value={value} />}</th>
              {steps.map(({ step, visitors }) => (
                <td key={step} class="number">
                  {written(visitors, 'count')}
                </td>
              ))}
              <td class="number">{written(steps.at(-1)!.conversion_from_first, 'percent')}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

const Reached = () => {
  const { view, today } = usePage()
  const { steps, split } = view.explore
  const asked = useAnswerOf<Answer>('funnel', funnelBody(view, today))
  return (
    <Answered kind="funnel" asked={asked} empty="Nobody was at the first step." isEmpty={(answer) => !answer.steps[0]?.visitors}>
      {(answer) => (
        <>
          <Whole steps={answer.steps} asked={steps} />
          {split !== '' && answer.breakdown && <Breakdown split={split} rows={answer.breakdown} />}
        </>
      )}
    </Answered>
  )
}

export const Funnel = () => {
  const { explore, put } = useExplore()
  const { steps, split } = explore
  return (
    <>
      <Steps />
      {steps.length < mostSteps && (
        <ValueField
          keys={stepKeys}
          what={steps.length === 0 ? 'First step' : 'Next step'}
          action="Add step"
          onPick={(step) => put({ steps: [...steps, step] })}
        />
      )}
      <Options />
      {steps.length < 2 ? (
        <p class="empty quiet">A funnel has two steps or more: say what visitors do first, and what should follow.</p>
      ) : (
        // Numbers of other steps are no old answer of these.
        <Reached key={`${formatFilters(steps)} ${split}`} />
      )}
    </>
  )
}

import { Definition } from '../parts/definition.tsx'
import { useAnswerOf } from '../state/answers.ts'
import { type Retention as Answer, cohortsOf, retentionBody } from '../state/explorations.ts'
import type { Unit } from '../state/explore.ts'
import { written } from '../state/format.ts'
import { usePage } from '../state/page.ts'
import { bucketLabel } from '../state/spans.ts'
import { Answered, NumberHead, type Option, Pick, useExplore } from './controls.tsx'
import { retentionMeanings } from './meanings.ts'

/** Retention: who came for the first time in a period, and what part of them came back in those that followed. */
const units: readonly Option[] = [
  ['day', 'day'],
  ['week', 'week'],
  ['month', 'month'],
]
const nouns: Readonly<Record<Unit, string>> = { day: 'Day', week: 'Week', month: 'Month' }

const shades = 5
/** The shade of a rate, 1 to 5; 0 for nobody. */
const shadeOf = (rate: number | null): number => (rate === null || rate <= 0 ? 0 : Math.min(shades, Math.ceil((rate / 100) * shades)))

type CellProps = { visitors: number; rate: number | null; isOpen: boolean; where: string }

/** Rates in text, so that the shade only repeats them; what may still grow is marked for eyes and ears. */
const Cell = ({ visitors, rate, isOpen, where }: CellProps) => (
  <td
    class={`number shade-${shadeOf(rate)}${isOpen ? ' open' : ''}`}
    title={`${where}: ${written(visitors, 'count')} visitors${isOpen ? ' so far' : ''}`}
  >
    {rate === null ? '–' : `${Math.round(rate)}%`}
    <span class="spoken">{`, ${written(visitors, 'count')} visitors${isOpen ? ' so far' : ''}`}</span>
  </td>
)

const Cohorts = ({ answer, unit }: { answer: Answer; unit: Unit }) => {
  const { periods, cohorts } = answer
  const columns = Math.max(0, ...cohorts.map((cohort) => cohort.periods.length))
  const heads = Array.from({ length: columns }, (_, i) => i)
  const isOpen = periods.some(({ complete }) => !complete)
  const indexOf = new Map(periods.map(({ label }, i) => [label, i]))
  return (
    <>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard */}
      <section class="sideways" tabIndex={0} aria-label="Cohorts">
        <table class="cells cohorts">
          <caption class="spoken">{`Of the visitors who first came in a ${unit}, the part that was there in it and in those that followed`}</caption>
          <thead>
            <tr>
              <th scope="col" rowSpan={2}>
                First seen
              </th>
              <NumberHead metric={retentionMeanings.visitors} rows={2} />
              <th scope="colgroup" colSpan={columns}>
                <span class="head">
                  There again
                  <Definition metric={retentionMeanings.back} />
                </span>
              </th>
            </tr>
            <tr>
              {heads.map((i) => (
                <th key={i} scope="col" class="number">
                  {nouns[unit]} {i}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {cohorts.map((cohort) => (
              <tr key={cohort.cohort}>
                <th scope="row">{bucketLabel(cohort.cohort, unit)}</th>
                <td class="number">{written(cohort.visitors, 'count')}</td>
                {cohort.periods.map((period, i) => (
                  <Cell
                    key={i}
                    {...period}
                    isOpen={periods[(indexOf.get(cohort.cohort) ?? 0) + i]?.complete === false}
                    where={`${nouns[unit]} ${i}`}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {isOpen && <p class="note quiet">In italics: the {unit} is cut by the period or not over yet, so the number may still grow.</p>}
    </>
  )
}

export const Retention = () => {
  const { view, today } = usePage()
  const { put } = useExplore()
  const unit = cohortsOf(view, today)
  const asked = useAnswerOf<Answer, { period: Unit }>('retention', retentionBody(view, today) as { period: Unit })
  return (
    <>
      <div class="options">
        <Pick label="Cohorts by" value={unit} options={units} onPick={(next) => put({ cohorts: next as Unit })} />
        <span class="quiet">A visitor is of the {unit} of the first hit in this period.</span>
      </div>
      <Answered kind="retention" asked={asked} empty="No visitors." isEmpty={(answer) => answer.cohorts.length === 0}>
        {(answer) => <Cohorts answer={answer} unit={asked.question?.period ?? unit} />}
      </Answered>
    </>
  )
}

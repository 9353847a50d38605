import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import { NoRows } from '../panels/panel.tsx'
import { CopyCall } from '../parts/copy-call.tsx'
import { Definition } from '../parts/definition.tsx'
import { Problem } from '../parts/problem.tsx'
import { Warnings } from '../parts/warnings.tsx'
import type { AskedOf } from '../state/answers.ts'
import type { Asking, Meta } from '../state/api.ts'
import { dimensionOf, dimensions, propPrefix } from '../state/dimensions.ts'
import type { Explore } from '../state/explore.ts'
import type { Filter } from '../state/filters.ts'
import { useKnownValues } from '../state/known-values.ts'
import type { Metric } from '../state/metrics.ts'
import { usePage } from '../state/page.ts'

/** What the explorations have in common: how they are changed, the lists and fields they are put together with, and their states. */

/** The state of the panel, and how to change it; every change is a place the browser goes back to. */
export const useExplore = () => {
  const { view, change } = usePage()
  const put = (patch: Partial<Explore>) => change({ explore: { ...view.explore, ...patch } })
  return { explore: view.explore, put }
}

export type Option = readonly [value: string, label: string]
type PickProps = { label: string; value: string; options: readonly Option[]; onPick(value: string): void }

/** A list of which one is picked. A value that the list does not offer stands in it all the same: the address may say it. */
export const Pick = ({ label, value, options, onPick }: PickProps) => {
  const all = options.some(([one]) => one === value) ? options : [...options, [value, value] as const]
  return (
    <label class="pick">
      {label}{' '}
      <select value={value} onChange={(event) => onPick(event.currentTarget.value)}>
        {all.map(([one, text]) => (
          <option key={one} value={one}>
            {text}
          </option>
        ))}
      </select>
    </label>
  )
}

/** Dimensions that rows are made of, for a list. */
export const dimensionOptions = (value: string, without: readonly string[] = []): readonly Option[] => {
  const named = dimensions.filter(({ key, isNamed }) => !isNamed && !without.includes(key)).map(({ key, label }) => [key, label] as const)
  return value.startsWith(propPrefix) ? [...named, [value, `Property ${dimensionOf(value)?.label}`]] : named
}

const kindNames: Readonly<Record<string, string>> = { page: 'Page', event: 'Event', goal: 'Goal' }
const examples: Readonly<Record<string, string>> = { page: '/pricing', event: 'signup', goal: 'name of a goal' }

type FieldProps = { keys: readonly string[]; what: string; action: string; onPick(filter: Filter): void }

/** A page, event or goal: written, or taken from those that the site has in the period. */
export const ValueField = ({ keys, what, action, onPick }: FieldProps) => {
  const { site } = usePage()
  const id = useId()
  const [key, setKey] = useState(keys[0]!)
  const [text, setText] = useState('')
  const { values } = useKnownValues(key === 'goal' ? undefined : { key, word: text })
  const offered = key === 'goal' ? site.goals.map(({ name }) => name) : values.map(({ value }) => value)
  const submit = (event: Event) => {
    event.preventDefault()
    if (text === '') return
    onPick({ key, not: false, contains: false, values: [text] })
    setText('')
  }
  return (
    <form class="value-field" onSubmit={submit}>
      <select aria-label={`Kind of ${what}`} value={key} onChange={(event) => setKey(event.currentTarget.value)}>
        {keys.map((one) => (
          <option key={one} value={one}>
            {kindNames[one]}
          </option>
        ))}
      </select>
      <input
        class="field"
        aria-label={what}
        list={id}
        placeholder={examples[key]}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        required
        maxLength={2_000}
        value={text}
        onInput={(event) => setText(event.currentTarget.value)}
      />
      <datalist id={id}>
        {offered.map((value) => (
          <option key={value} value={value} />
        ))}
      </datalist>
      <button type="submit" class="button small">
        {action}
      </button>
    </form>
  )
}

/** The head of a column of numbers, with what they mean. */
export const NumberHead = ({ metric, class: name = '', rows }: { metric: Metric; class?: string; rows?: number }) => (
  <th scope="col" rowSpan={rows} class={`number ${name}`}>
    <span class="head">
      {metric.short ?? metric.label}
      <Definition metric={metric} />
    </span>
  </th>
)

type AnsweredProps<A> = {
  kind: Asking
  asked: AskedOf<A, unknown>
  empty: string
  isEmpty(answer: A): boolean
  children(answer: A): ComponentChildren
}

const Call = ({ kind, question }: { kind: Asking; question: unknown }) =>
  question === undefined ? null : (
    <p class="call">
      <CopyCall kind={kind} question={question} />
    </p>
  )

/** The answer, or why there is none: it is waited for, it failed, it is empty. What it says about itself stands below, and how to ask it elsewhere. */
export const Answered = <A extends { meta: Meta }>({ kind, asked, empty, isEmpty, children }: AnsweredProps<A>) => {
  const { answer, error, isOld, retry } = asked
  if (!answer || isEmpty(answer))
    return (
      <>
        <NoRows asked={asked} empty={empty} />
        <Warnings meta={answer?.meta} />
        <Call kind={kind} question={asked.question} />
      </>
    )
  return (
    <div class={isOld ? 'old' : ''} aria-busy={isOld}>
      {error && <Problem error={error} retry={retry} />}
      {children(answer)}
      <Warnings meta={answer.meta} />
      <Call kind={kind} question={asked.question} />
    </div>
  )
}

/** The width of a bar, in per cent of the longest. */
export const share = (value: number, most: number): string => `${most <= 0 ? 0 : Math.min(100, (value / most) * 100)}%`

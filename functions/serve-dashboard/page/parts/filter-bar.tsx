import type { RefObject } from 'preact'
import { useState } from 'preact/hooks'
import { dimensionOf } from '../state/dimensions.ts'
import { type Filter, formatFilter, withoutFilter } from '../state/filters.ts'
import { valueLabel } from '../state/format.ts'
import { usePage } from '../state/page.ts'
import { BotsSwitch } from './bots.tsx'
import { type Draft, FilterBox } from './filter-box.tsx'
import { Cross } from './icons.tsx'
import { SegmentsButton } from './segments-button.tsx'

/** What is filtered, as chips in plain words, and the box that adds to it. */
const verb = ({ not, contains }: Filter): string => (contains ? (not ? 'does not contain' : 'contains') : not ? 'is not' : 'is')

/** A filter in words. What visitors sent is set apart, so that it cannot turn the words around it. */
const Words = ({ filter }: { filter: Filter }) => (
  <>
    <span class="chip-key">
      <bdi>{dimensionOf(filter.key)?.label ?? filter.key}</bdi> {verb(filter)}
    </span>{' '}
    {filter.values.map((value, i) => (
      <span key={value} class="chip-value">
        {i > 0 && <span class="chip-key"> or </span>}
        <bdi>{valueLabel(filter.key, value) || '(empty)'}</bdi>
      </span>
    ))}
  </>
)

/** A filter in words, as text alone. */
export const wordsOf = (filter: Filter): string =>
  `${dimensionOf(filter.key)?.label ?? filter.key} ${verb(filter)} ${filter.values.map((value) => valueLabel(filter.key, value) || '(empty)').join(' or ')}`

const Chip = ({ filter, edit, remove }: { filter: Filter; edit(): void; remove(): void }) => (
  <li class="chip filter">
    <button type="button" class="chip-text" title={`${wordsOf(filter)}\nEdit`} onClick={edit}>
      <Words filter={filter} />
    </button>
    <button type="button" class="chip-cross" aria-label={`Remove: ${wordsOf(filter)}`} title="Remove" onClick={remove}>
      <Cross />
    </button>
  </li>
)

type ChipsProps = { shown: readonly Filter[]; edit(filter: Filter): void; input: RefObject<HTMLInputElement | null> }

const Chips = ({ shown, edit, input }: ChipsProps) => {
  const { view, change } = usePage()
  /** The button that was pressed goes; the focus must not go with it. */
  const toFilters = (filters: readonly Filter[]) => {
    change({ filters })
    input.current?.focus()
  }
  if (shown.length === 0) return null
  return (
    <>
      <ul aria-label="Filters">
        {shown.map((filter) => (
          <Chip
            key={formatFilter(filter)}
            filter={filter}
            edit={() => edit(filter)}
            remove={() => toFilters(withoutFilter(view.filters, filter))}
          />
        ))}
      </ul>
      {shown.length > 1 && (
        <button type="button" class="link" onClick={() => toFilters([])}>
          Clear all
        </button>
      )}
    </>
  )
}

const empty: Draft = { text: '', caret: 0 }

export const FilterBar = ({ input }: { input: RefObject<HTMLInputElement | null> }) => {
  const { view } = usePage()
  const [draft, setDraft] = useState(empty)
  const [edited, setEdited] = useState<Filter>()
  const done = () => {
    setDraft(empty)
    setEdited(undefined)
  }
  const edit = (filter: Filter) => {
    const text = formatFilter(filter)
    setDraft({ text, caret: text.length, isPut: true })
    setEdited(filter)
    input.current?.focus()
  }
  const shown = edited ? withoutFilter(view.filters, edited) : view.filters
  return (
    <>
      <FilterBox input={input} draft={draft} setDraft={setDraft} edited={edited} done={done} />
      <div class="beside">
        <SegmentsButton />
        <BotsSwitch />
      </div>
      {(shown.length > 0 || view.bots) && (
        <div class="filters">
          <Chips shown={shown} edit={edit} input={input} />
          {view.bots && (
            <p class="chip notice" role="status">
              Flagged hits are in all numbers
            </p>
          )}
        </div>
      )}
    </>
  )
}

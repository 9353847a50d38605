import type { RefObject } from 'preact'
import { useId, useLayoutEffect, useState } from 'preact/hooks'
import { keySuggestions, putIn, readAll, type Suggestion, valueSuggestion, type Wanted, wantedAt } from '../state/completion.ts'
import { dimensionOf } from '../state/dimensions.ts'
import { type Filter, withFilter, withoutFilter } from '../state/filters.ts'
import { useKnownValues } from '../state/known-values.ts'
import { usePage } from '../state/page.ts'
import { Cap } from './cap.tsx'
import { Cross, Search } from './icons.tsx'

/**
 * The query box: filters as text, with what may come next in a list below (a combobox as the ARIA practices have it). Enter takes what is
 * marked in the list, else applies; Esc takes away the text, then the filters.
 */
/** `isPut`: it was put in, not typed, so the cursor is still to be set. */
export type Draft = { text: string; caret: number; isPut?: boolean }
type Props = {
  input: RefObject<HTMLInputElement | null>
  draft: Draft
  setDraft(draft: Draft): void
  /** A filter that is being edited: it goes when the text is applied. */
  edited: Filter | undefined
  done(): void
}

const useSuggestions = (wanted: Wanted): { suggestions: readonly Suggestion[]; isAsking: boolean } => {
  const isValue = wanted.kind === 'value' && dimensionOf(wanted.filter.key) !== undefined
  const { values, isAsking } = useKnownValues(isValue ? { key: wanted.filter.key, word: wanted.word } : undefined)
  if (wanted.kind === 'key') return { suggestions: keySuggestions(wanted), isAsking: false }
  const offered = wanted.filter.contains ? [] : values.map(({ value, label, visitors }) => valueSuggestion(value, label, visitors))
  return { suggestions: offered, isAsking }
}

export const FilterBox = ({ input, draft, setDraft, edited, done }: Props) => {
  const { view, change } = usePage()
  const id = useId()
  const [isOpen, setOpen] = useState(false)
  const [marked, setMarked] = useState(-1)
  const [problem, setProblem] = useState('')
  const wanted = wantedAt(draft.text, draft.caret)
  const { suggestions, isAsking } = useSuggestions(wanted)
  const isShown = isOpen && suggestions.length > 0

  // At once: the next key may come before anything is painted.
  useLayoutEffect(() => {
    if (draft.isPut) input.current?.setSelectionRange(draft.caret, draft.caret)
  }, [draft])

  const show = (next: Draft) => {
    setDraft(next)
    setMarked(-1)
    setProblem('')
    setOpen(true)
  }

  const apply = (text: string) => {
    const read = readAll(text)
    setOpen(false)
    if ('problem' in read) {
      setProblem(read.problem)
      input.current?.setSelectionRange(read.at, text.length)
      return
    }
    const rest = edited ? withoutFilter(view.filters, edited) : view.filters
    change({ filters: read.filters.reduce<readonly Filter[]>(withFilter, rest) })
    setProblem('')
    done()
  }

  const take = (suggestion: Suggestion) => {
    const next = putIn(draft.text, wanted, suggestion)
    if (suggestion.isWhole && 'filters' in readAll(next.text)) apply(next.text)
    else show({ ...next, isPut: true })
  }

  const clear = () => {
    setProblem('')
    setOpen(false)
    if (draft.text !== '' || edited) done()
    else if (view.filters.length > 0) change({ filters: [] })
    else input.current?.blur()
  }

  const move = (by: 1 | -1) => {
    setOpen(true)
    // Beyond either end is the text itself.
    const next = marked + by
    setMarked(next < -1 ? suggestions.length - 1 : next >= suggestions.length ? -1 : next)
  }

  const keys: Readonly<Record<string, () => void>> = {
    ArrowDown: () => move(1),
    ArrowUp: () => move(-1),
    Enter: () => (isShown && suggestions[marked] ? take(suggestions[marked]) : apply(draft.text)),
    Escape: clear,
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const act = keys[event.key]
    if (!act || event.isComposing) return
    event.preventDefault()
    event.stopPropagation()
    act()
  }

  return (
    <div class={`filter-box${problem ? ' wrong' : ''}`}>
      <Search />
      <input
        ref={input}
        type="text"
        role="combobox"
        aria-label="Filter"
        aria-keyshortcuts="/"
        aria-expanded={isShown}
        aria-controls={`${id}list`}
        aria-autocomplete="list"
        aria-activedescendant={isShown && marked >= 0 ? `${id}${marked}` : undefined}
        aria-invalid={problem !== ''}
        aria-describedby={problem ? `${id}problem` : undefined}
        placeholder={edited ? '' : 'Filter: page:/docs country:DE !source:google'}
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        enterkeyhint="search"
        value={draft.text}
        onInput={({ currentTarget: { value, selectionStart } }) => show({ text: value, caret: selectionStart ?? value.length })}
        onFocus={() => setOpen(draft.text !== '')}
        onClick={() => setOpen(true)}
        onBlur={() => setOpen(false)}
        onKeyDown={onKeyDown}
      />
      {draft.text === '' ? (
        <Cap>/</Cap>
      ) : (
        <button type="button" class="plain-icon" aria-label="Clear the text" onClick={() => done()}>
          <Cross />
        </button>
      )}
      <div id={`${id}list`} role="listbox" aria-label="What may come next" class="suggestions" hidden={!isShown}>
        {isShown &&
          suggestions.map((suggestion, i) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: keys act at the input, which keeps the focus
            <div
              key={suggestion.text}
              id={`${id}${i}`}
              role="option"
              tabIndex={-1}
              aria-selected={i === marked}
              onMouseDown={(event) => event.preventDefault()}
              onClick={() => take(suggestion)}
            >
              <bdi>{suggestion.label}</bdi>
              <bdi class="quiet">{suggestion.note}</bdi>
            </div>
          ))}
      </div>
      <p class="spoken" role="status">
        {isOpen && !isAsking && draft.text !== '' ? `${suggestions.length} suggestions` : ''}
      </p>
      {problem !== '' && (
        <p class="box-problem bad" id={`${id}problem`} role="alert">
          {problem}
        </p>
      )}
    </div>
  )
}

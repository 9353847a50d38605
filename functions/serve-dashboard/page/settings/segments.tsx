import { useLayoutEffect, useRef, useState } from 'preact/hooks'
import { wordsOf } from '../parts/filter-bar.tsx'
import { Cross } from '../parts/icons.tsx'
import { Problem } from '../parts/problem.tsx'
import type { Segment } from '../state/api.ts'
import { isPicked, withoutFilter, withPickTurned } from '../state/filters.ts'
import { usePage } from '../state/page.ts'
import { withNameChanged } from '../state/renamed.ts'
import { savedFilters, wordsOfSegment } from '../state/segments.ts'
import { settledMs } from '../state/settled.ts'
import './segments.css'
import { useSettings } from './use-settings.ts'

/**
 * Filters under a name: a click applies them. Who owns the site saves the filters of the page as one, renames them and takes them away. What
 * is wrong with a name the server says.
 */
type NameProps = { label: string; first: string; action: string; save(name: string): Promise<boolean>; cancel?: () => void }

const NameForm = ({ label, first, action, save, cancel }: NameProps) => {
  const [name, setName] = useState(first)
  const input = useRef<HTMLInputElement>(null)
  useLayoutEffect(() => {
    // A form that can be left has been opened by a button that is gone.
    if (cancel) input.current?.select()
  }, [])
  const submit = async (event: Event) => {
    event.preventDefault()
    if (await save(name)) setName('')
  }
  return (
    <form class="segment-name" onSubmit={(event) => void submit(event)} noValidate>
      <input
        ref={input}
        class="field"
        aria-label={label}
        placeholder="Name"
        autocomplete="off"
        value={name}
        onInput={(event) => setName(event.currentTarget.value)}
      />
      <button type="submit" class="button">
        {action}
      </button>
      {cancel && (
        <button type="button" class="button" onClick={cancel}>
          Cancel
        </button>
      )}
    </form>
  )
}

type RowProps = { segment: Segment; apply(): void; rename: (() => void) | undefined; remove: (() => void) | undefined }

const Row = ({ segment, apply, rename, remove }: RowProps) => {
  const { view } = usePage()
  const { name } = segment
  const words = wordsOfSegment(segment)
  return (
    <>
      <button type="button" class="segment" title={words} aria-pressed={isPicked(view.filters, 'segment', name)} onClick={apply}>
        <bdi>{name}</bdi>
        <bdi class="quiet small">{words}</bdi>
      </button>
      {rename && (
        <button type="button" class="link" aria-label={`Rename ${name}`} onClick={rename}>
          Rename
        </button>
      )}
      {remove && (
        <button type="button" class="plain-icon" aria-label={`Remove ${name}`} title="Remove" onClick={remove}>
          <Cross />
        </button>
      )}
    </>
  )
}

/** The segments as they are, and what can be done with them. */
const useSegments = () => {
  const { site: shown, change, askAgain } = usePage()
  /** When the server will know of the last change. */
  const settledAt = useRef(Number.NEGATIVE_INFINITY)
  const whenSettled = (act: () => void) => setTimeout(act, Math.max(0, settledAt.current - performance.now()))
  const settings = useSettings(() => {
    settledAt.current = performance.now() + settledMs
    whenSettled(askAgain)
  })
  const save = async (next: (segments: readonly Segment[]) => readonly Segment[]): Promise<boolean> =>
    (await settings.save(({ segments }) => ({ segments: next(segments) }))) !== undefined
  return {
    ...settings,
    segments: (settings.site ?? shown).segments,
    add: (name: string, filtersWith: (segments: readonly Segment[]) => readonly unknown[]) =>
      save((before) => [...before, { name, filters: filtersWith(before) }]),
    rename: async (from: string, to: string): Promise<boolean> => {
      if (!(await save((before) => before.map((one) => (one.name === from ? { ...one, name: to } : one))))) return false
      whenSettled(() => change(({ filters }) => ({ filters: withNameChanged(filters, 'segment', from, to) }), 'replace'))
      return true
    },
    remove: async (name: string): Promise<boolean> => {
      if (!(await save((before) => before.filter((one) => one.name !== name)))) return false
      // A question that names what is not there is refused.
      whenSettled(() =>
        change(({ filters }) => {
          const asks = filters.filter(({ key, values }) => key === 'segment' && values.includes(name))
          return { filters: asks.reduce(withoutFilter, filters) }
        }, 'replace'),
      )
      return true
    },
    apply: (name: string) => whenSettled(() => change(({ filters }) => ({ filters: withPickTurned(filters, 'segment', name) }))),
  }
}

const Save = ({ add }: Pick<ReturnType<typeof useSegments>, 'add'>) => {
  const { view } = usePage()
  if (view.filters.length === 0) return <p class="quiet small">Filter the page: what it is filtered by can be saved here under a name.</p>
  return (
    <section>
      <h2>Save these filters</h2>
      <p class="quiet small">
        <bdi>{view.filters.map(wordsOf).join(', ')}</bdi>
      </p>
      <NameForm label="Name of the segment" first="" action="Save" save={(name) => add(name, (all) => savedFilters(view.filters, all))} />
    </section>
  )
}

export const Segments = ({ close }: { close(): void }) => {
  const { me } = usePage()
  const { segments, error, isBusy, load, add, rename, remove, apply } = useSegments()
  const [renamed, setRenamed] = useState<string>()
  const root = useRef<HTMLDivElement>(null)
  const focusFirst = () => root.current?.querySelector<HTMLElement>('button, input')?.focus()
  // It came after the popover was opened; later, what was pressed may be gone.
  useLayoutEffect(focusFirst, [renamed === undefined])
  const isOwner = me.role === 'own'
  const row = (segment: Segment) => {
    const { name } = segment
    if (name === renamed)
      return (
        <NameForm
          label={`New name of ${name}`}
          first={name}
          action="Save"
          save={async (to) => {
            const isSaved = await rename(name, to)
            if (isSaved) setRenamed(undefined)
            return isSaved
          }}
          cancel={() => setRenamed(undefined)}
        />
      )
    return (
      <Row
        segment={segment}
        apply={() => {
          apply(name)
          close()
        }}
        rename={isOwner ? () => setRenamed(name) : undefined}
        remove={isOwner ? () => void remove(name).then((isGone) => isGone && focusFirst()) : undefined}
      />
    )
  }
  return (
    <div class="segments-in" ref={root}>
      {segments.length > 0 && (
        <ul aria-label="Segments of this site" aria-busy={isBusy}>
          {segments.map((segment) => (
            <li key={segment.name}>{row(segment)}</li>
          ))}
        </ul>
      )}
      {segments.length === 0 && <p>This site has no segments: filters under a name, for everybody who looks at it.</p>}
      {isOwner && <Save add={add} />}
      {error && <Problem error={error} retry={() => void load()} />}
    </div>
  )
}

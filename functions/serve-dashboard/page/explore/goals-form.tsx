import './goals-form.css'
import type { RefObject } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import { Dialog } from '../parts/dialog.tsx'
import { Cross } from '../parts/icons.tsx'
import { Problem } from '../parts/problem.tsx'
import { ApiError, api, type Goal, type Site } from '../state/api.ts'
import { type Condition, emptyDraft, type GoalDraft, goalOf, wordsOfGoal } from '../state/goal-draft.ts'
import { useKnownValues } from '../state/known-values.ts'
import { usePage } from '../state/page.ts'

/** Adds goals to the site and takes them away. What is wrong with one the server says: it knows the rules, this form repeats none. */
type Props = { onChanged(goals: readonly Goal[]): void; onClose(): void }

const asError = (error: unknown): ApiError => (error instanceof ApiError ? error : new ApiError(0, 'page', String(error), 'Try again.'))

/** The site's settings as they are now, and how to put other goals into them. Whoever changed them meanwhile is not overwritten. */
const useSettings = (onChanged: Props['onChanged']) => {
  const { site: shown } = usePage()
  const [site, setSite] = useState<Site>()
  const [error, setError] = useState<ApiError>()
  const [isBusy, setBusy] = useState(true)
  /** Buttons are not disabled meanwhile: the one that was pressed would lose the focus. */
  const isSaving = useRef(false)
  const run = async (act: () => Promise<Site>): Promise<Site | undefined> => {
    setBusy(true)
    setError(undefined)
    try {
      const next = await act()
      setSite(next)
      return next
    } catch (cause) {
      setError(asError(cause))
      return undefined
    } finally {
      setBusy(false)
    }
  }
  const load = () => run(() => api.site(shown.site))
  useEffect(() => void load(), [shown.site])
  const save = async (change: (goals: readonly Goal[]) => readonly Goal[]): Promise<boolean> => {
    if (isSaving.current) return false
    isSaving.current = true
    try {
      const now = site ?? (await load())
      const next = now && (await run(() => api.setGoals(now, change(now.goals))))
      if (next) onChanged(next.goals)
      return next !== undefined
    } finally {
      isSaving.current = false
    }
  }
  return { site, error, isBusy, load, save }
}

const List = ({ goals, isBusy, remove }: { goals: readonly Goal[]; isBusy: boolean; remove(goal: Goal): void }) => (
  <ul class="goal-list" aria-label="Goals of this site" aria-busy={isBusy}>
    {goals.map((goal) => (
      <li key={goal.name}>
        <span>
          <bdi class="goal-name">{goal.name}</bdi>
          <bdi class="quiet block">{wordsOfGoal(goal)}</bdi>
        </span>
        <button type="button" class="plain-icon" aria-label={`Remove ${goal.name}`} title="Remove" onClick={() => remove(goal)}>
          <Cross />
        </button>
      </li>
    ))}
  </ul>
)

type DraftProps = { draft: GoalDraft; put(patch: Partial<GoalDraft>): void }
type FieldsProps = DraftProps & { name: RefObject<HTMLInputElement | null> }

const kinds = [
  ['page', 'A page is seen'],
  ['event', 'An event is sent'],
  ['scroll', 'A page is read so far'],
] as const

/** What meets the goal; pages and events that there are are offered. */
const What = ({ draft, put }: DraftProps) => {
  const id = useId()
  const key = draft.kind === 'event' ? 'event' : 'page'
  const text = draft[key]
  const { values } = useKnownValues({ key, word: text.includes('*') ? '' : text })
  return (
    <>
      <label>
        {key === 'event' ? 'Event' : 'Page'}
        <input
          class="field"
          list={id}
          placeholder={key === 'event' ? 'signup' : '/guides/**'}
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={text}
          onInput={(event) => put({ [key]: event.currentTarget.value })}
        />
      </label>
      <datalist id={id}>
        {values.map(({ value }) => (
          <option key={value} value={value} />
        ))}
      </datalist>
      {draft.kind === 'scroll' && (
        <label>
          Seen so far, in per cent
          <input
            class="field"
            inputMode="numeric"
            autocomplete="off"
            value={draft.scroll}
            onInput={(event) => put({ scroll: event.currentTarget.value })}
          />
        </label>
      )}
      {key === 'page' && <p class="quiet small">* stands for any characters but /, ** for any characters.</p>}
    </>
  )
}

const Conditions = ({ draft, put }: DraftProps) => {
  const { conditions } = draft
  const set = (at: number, patch: Partial<Condition>) =>
    put({ conditions: conditions.map((one, i) => (i === at ? { ...one, ...patch } : one)) })
  return (
    <>
      {conditions.map((condition, at) => (
        <fieldset key={at} class="condition">
          <legend>Only with property {at + 1}</legend>
          <label>
            Property
            <input
              class="field"
              autocomplete="off"
              value={condition.name}
              onInput={(event) => set(at, { name: event.currentTarget.value })}
            />
          </label>
          <label>
            Values, one a line
            <textarea class="field" rows={2} value={condition.values} onInput={(event) => set(at, { values: event.currentTarget.value })} />
          </label>
          <button
            type="button"
            class="plain-icon"
            aria-label={`Remove property ${at + 1}`}
            onClick={() => put({ conditions: conditions.filter((_, i) => i !== at) })}
          >
            <Cross />
          </button>
        </fieldset>
      ))}
      <button type="button" class="link" onClick={() => put({ conditions: [...conditions, { name: '', values: '' }] })}>
        Only with a property
      </button>
    </>
  )
}

const Fields = ({ draft, put, name }: FieldsProps) => (
  <>
    <label>
      Name
      <input
        ref={name}
        // Adding is what one comes for.
        autofocus
        class="field"
        placeholder="Signup"
        autocomplete="off"
        value={draft.name}
        onInput={(event) => put({ name: event.currentTarget.value })}
      />
    </label>
    <label>
      Met when
      <select class="field" value={draft.kind} onChange={(event) => put({ kind: event.currentTarget.value as GoalDraft['kind'] })}>
        {kinds.map(([kind, label]) => (
          <option key={kind} value={kind}>
            {label}
          </option>
        ))}
      </select>
    </label>
    <What draft={draft} put={put} />
    <Conditions draft={draft} put={put} />
  </>
)

export const GoalsForm = ({ onChanged, onClose }: Props) => {
  const { site, error, isBusy, load, save } = useSettings(onChanged)
  const [draft, setDraft] = useState(emptyDraft)
  const goals = site?.goals ?? []
  const put = (patch: Partial<GoalDraft>) => setDraft((was) => ({ ...was, ...patch }))
  const name = useRef<HTMLInputElement>(null)
  /** What was pressed may be gone; the next goal begins with its name. */
  const saved = () => name.current?.focus()
  const add = async (event: Event) => {
    event.preventDefault()
    if (!(await save((before) => [...before, goalOf(draft)]))) return
    setDraft(emptyDraft)
    saved()
  }
  const remove = async (goal: Goal) => {
    if (await save((before) => before.filter(({ name: one }) => one !== goal.name))) saved()
  }
  return (
    <Dialog title="Goals" class="goals-dialog" onClose={onClose}>
      <div class="goals-form">
        <p class="quiet">A goal holds for all hits there are, at once; nothing that is stored changes.</p>
        {goals.length > 0 && <List goals={goals} isBusy={isBusy} remove={(goal) => void remove(goal)} />}
        <form onSubmit={(event) => void add(event)} aria-label="New goal" noValidate>
          <h3>New goal</h3>
          <Fields draft={draft} put={put} name={name} />
          {error && <Problem error={error} retry={() => void load()} />}
          <button type="submit" class="button">
            Add goal
          </button>
        </form>
      </div>
    </Dialog>
  )
}

import './goals-form.css'
import type { RefObject } from 'preact'
import { useId, useRef, useState } from 'preact/hooks'
import { Dialog } from '../parts/dialog.tsx'
import { Cross } from '../parts/icons.tsx'
import { Problem } from '../parts/problem.tsx'
import { useSettings } from '../settings/use-settings.ts'
import type { Goal, Site } from '../state/api.ts'
import { type Condition, draftOf, emptyDraft, type GoalDraft, goalOf, wordsOfGoal } from '../state/goal-draft.ts'
import { useKnownValues } from '../state/known-values.ts'
import { usePage } from '../state/page.ts'
import { withGoalRenamed, withNameChanged } from '../state/renamed.ts'
import { settledMs } from '../state/settled.ts'
import type { View } from '../state/view.ts'

/** Adds goals to the site, changes them and takes them away. What is wrong with one the server says: it knows the rules, this form repeats none. */
type Props = { onChanged(goals: readonly Goal[]): void; onClose(): void }

type ListProps = { goals: readonly Goal[]; isBusy: boolean; edit(goal: Goal): void; remove(goal: Goal): void }

const List = ({ goals, isBusy, edit, remove }: ListProps) => (
  <ul class="goal-list" aria-label="Goals of this site" aria-busy={isBusy}>
    {goals.map((goal) => (
      <li key={goal.name}>
        <span>
          <bdi class="goal-name">{goal.name}</bdi>
          <bdi class="quiet block">{wordsOfGoal(goal)}</bdi>
        </span>
        <button type="button" class="link" aria-label={`Change ${goal.name}`} onClick={() => edit(goal)}>
          Change
        </button>
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
            <textarea
              class="field"
              rows={2}
              value={condition.values}
              onInput={(event) => set(at, { values: event.currentTarget.value, whole: undefined })}
            />
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

/** What stands in the place of the settings when a goal has become another one; segments that ask for it go along. */
const replaced = ({ goals, segments }: Site, before: Goal, after: Goal) => ({
  goals: goals.map((goal) => (goal.name === before.name ? after : goal)),
  ...(after.name === before.name
    ? {}
    : { segments: segments.map((one) => ({ ...one, filters: withGoalRenamed(one.filters, before.name, after.name) })) }),
})

/** Filters and steps of the page go along with a new name, once the server knows it. */
const useRename = () => {
  const { change } = usePage()
  return (from: string, to: string) => {
    if (from === to) return
    const named = ({ filters, explore }: View): Partial<View> => ({
      filters: withNameChanged(filters, 'goal', from, to),
      explore: { ...explore, steps: withNameChanged(explore.steps, 'goal', from, to) },
    })
    setTimeout(() => change(named, 'replace'), settledMs)
  }
}

export const GoalsForm = ({ onChanged, onClose }: Props) => {
  const { site, error, isBusy, load, save } = useSettings((next) => onChanged(next.goals))
  const [draft, setDraft] = useState(emptyDraft)
  const [editedName, setEditedName] = useState<string>()
  const rename = useRename()
  const goals = site?.goals ?? []
  /** Where somebody has taken the goal away meanwhile, what is written here is a new one. */
  const edited = goals.find((goal) => goal.name === editedName)
  const put = (patch: Partial<GoalDraft>) => setDraft((was) => ({ ...was, ...patch }))
  const name = useRef<HTMLInputElement>(null)
  const begin = (goal?: Goal) => {
    setDraft(goal ? draftOf(goal) : emptyDraft)
    setEditedName(goal?.name)
    // What was pressed may be gone; a goal begins with its name.
    name.current?.focus()
  }
  const submit = async (event: Event) => {
    event.preventDefault()
    const goal = goalOf(draft)
    if (!(await save((now) => (edited ? replaced(now, edited, goal) : { goals: [...now.goals, goal] })))) return
    if (edited) rename(edited.name, goal.name)
    begin()
  }
  const remove = async (goal: Goal) => {
    if (await save((now) => ({ goals: now.goals.filter((one) => one.name !== goal.name) }))) name.current?.focus()
  }
  const title = edited ? `Change ${edited.name}` : 'New goal'
  return (
    <Dialog title="Goals" class="goals-dialog" onClose={onClose}>
      <div class="goals-form">
        <p class="quiet">A goal holds for all hits there are, at once; nothing that is stored changes.</p>
        {goals.length > 0 && <List goals={goals} isBusy={isBusy} edit={begin} remove={(goal) => void remove(goal)} />}
        <form onSubmit={(event) => void submit(event)} aria-label={title} noValidate>
          <h3>
            <bdi>{title}</bdi>
          </h3>
          <Fields draft={draft} put={put} name={name} />
          {error && <Problem error={error} retry={() => void load()} />}
          <p class="buttons">
            <button type="submit" class="button">
              {edited ? 'Save goal' : 'Add goal'}
            </button>
            {edited && (
              <button type="button" class="button" onClick={() => begin()}>
                Cancel
              </button>
            )}
          </p>
        </form>
      </div>
    </Dialog>
  )
}

import { useEffect, useRef, useState } from 'preact/hooks'
import { Dialog } from '../parts/dialog.tsx'
import { Problem } from '../parts/problem.tsx'
import { askAllAgain } from '../state/answers.ts'
import type { ApiError } from '../state/api.ts'
import { usePage } from '../state/page.ts'
import { addDays, labelOf } from '../state/periods.ts'
import { defaultRules, type Replay, type ReplayRule, replays, ruleMeanings, standings, type Turn } from '../state/replays.ts'
import { Preview } from './replay-preview.tsx'
import './replays.css'
import { asError } from './use-settings.ts'

/** Days that are over, counted again under the rules of today: ordered here, looked at beforehand, shown, and taken back. */
const everyMs = 2_000

/** Orders of the site, asked again while one of them moves and somebody looks. */
const useReplays = () => {
  const { site } = usePage()
  const [list, setList] = useState<readonly Replay[]>()
  const [error, setError] = useState<ApiError>()
  const [tries, setTries] = useState(0)
  /** States as they were shown, to see what has come to its end. */
  const shown = useRef('')
  const show = (next: readonly Replay[]) => {
    const turned = next
      .filter(({ state }) => state === 'switched' || state === 'undone' || state === 'switching' || state === 'undoing')
      .map(({ id, state }) => `${id} ${state}`)
      .join()
    // What was answered under other rules is no answer any more.
    if (list && turned !== shown.current) askAllAgain()
    shown.current = turned
    setList(next)
    setError(undefined)
  }
  const isMoving = list?.some(({ state }) => standings[state].moves) === true

  useEffect(() => {
    const abort = new AbortController()
    replays.list(site.site, abort.signal).then(show, (cause: unknown) => abort.signal.aborted || setError(asError(cause)))
    return () => abort.abort()
  }, [site.site, tries])

  const again = () => setTries((n) => n + 1)
  useEffect(() => {
    if (!isMoving || error) return
    const timer = setInterval(() => document.hidden || again(), everyMs)
    return () => clearInterval(timer)
  }, [isMoving, error])

  /** One order as the server answered it; a new one is the first. */
  const put = (one: Replay) => {
    const all = list ?? []
    show(all.some(({ id }) => id === one.id) ? all.map((other) => (other.id === one.id ? one : other)) : [one, ...all])
  }
  return { list, error, again, put }
}

const daysLabel = ({ from, to }: Pick<Replay, 'from' | 'to'>): string => labelOf(from === to ? from : `${from}..${to}`)
const ruleLabel = (rule: ReplayRule): string => ruleMeanings.find(([one]) => one === rule)?.[1] ?? rule

const Order = ({ put }: { put(replay: Replay): void }) => {
  const { site, today } = usePage()
  const yesterday = addDays(today, -1)
  const [days, setDays] = useState({ from: yesterday, to: yesterday })
  const [rules, setRules] = useState(defaultRules)
  const [error, setError] = useState<ApiError>()
  const isSending = useRef(false)
  const submit = async (event: Event) => {
    event.preventDefault()
    if (isSending.current) return
    isSending.current = true
    setError(undefined)
    try {
      put(await replays.add({ site: site.site, ...days, rules }))
    } catch (cause) {
      setError(asError(cause))
    } finally {
      isSending.current = false
    }
  }
  const day = (name: 'from' | 'to', label: string) => (
    <label>
      <span class="small quiet">{label}</span>
      <input
        type="date"
        class="field"
        max={yesterday}
        value={days[name]}
        onInput={(event) => setDays({ ...days, [name]: event.currentTarget.value })}
      />
    </label>
  )
  return (
    <form onSubmit={(event) => void submit(event)} aria-label="Days to count again" noValidate>
      <div class="replay-days">
        {day('from', 'From')}
        {day('to', 'To')}
      </div>
      <fieldset>
        <legend>Under today’s rules for</legend>
        {ruleMeanings.map(([rule, label, means]) => (
          <label key={rule} class="check">
            <input
              type="checkbox"
              checked={rules.includes(rule)}
              onChange={({ currentTarget: { checked } }) => setRules(checked ? [...rules, rule] : rules.filter((one) => one !== rule))}
            />
            <span>
              {label}
              <span class="quiet small block">{means}</span>
            </span>
          </label>
        ))}
      </fieldset>
      <p class="quiet small">What is flagged by agent or address stays as it was.</p>
      {error && <Problem error={error} />}
      <button type="submit" class="button">
        Count again
      </button>
    </form>
  )
}

const turnWords: Readonly<Record<Turn, { button: string; title: string; says(days: string): string }>> = {
  switched: {
    button: 'Switch',
    title: 'Switch to the new numbers?',
    says: (days) =>
      `Everybody who looks at this site sees ${days} under the new rules, in every report and by the API, a day after the other. The old numbers are kept: it can be undone.`,
  },
  undone: {
    button: 'Undo',
    title: 'Go back to the old numbers?',
    says: (days) =>
      `Everybody who looks at this site sees ${days} as before the switch, hits that came late since then included. The new numbers are kept: you can switch to them again.`,
  },
  dropped: {
    button: 'Drop',
    title: 'Drop the new numbers?',
    says: (days) => `What was counted again of ${days} is thrown away. What this site shows does not change. It can be ordered anew.`,
  },
}

type ConfirmProps = { replay: Replay; turn: Turn; onClose(): void; done(replay: Replay): void }

/** Says what will happen, and does it. */
const Confirm = ({ replay, turn, onClose, done }: ConfirmProps) => {
  const { title, says, button } = turnWords[turn]
  const [error, setError] = useState<ApiError>()
  const isSending = useRef(false)
  const act = async () => {
    if (isSending.current) return
    isSending.current = true
    setError(undefined)
    try {
      const next = await replays.turn(replay, turn)
      onClose()
      done(next)
    } catch (cause) {
      setError(asError(cause))
    } finally {
      isSending.current = false
    }
  }
  return (
    <Dialog title={title} class="replay-confirm" onClose={onClose}>
      <div class="replays">
        <p>{says(daysLabel(replay))}</p>
        {error && <Problem error={error} />}
        <p class="buttons">
          <button type="button" class="button" onClick={() => void act()}>
            {button}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </p>
      </div>
    </Dialog>
  )
}

const Item = ({ replay, put }: { replay: Replay; put(replay: Replay): void }) => {
  const { state, done, rules, waits_for: waits, error } = replay
  const { label, moves, preview, turns } = standings[state]
  const [isOpen, setOpen] = useState(false)
  const [turn, setTurn] = useState<Turn>()
  const days = daysLabel(replay)
  return (
    <li>
      <p>
        <b>{days}</b> <span class="quiet small">{rules.map(ruleLabel).join(', ')}</span>
      </p>
      <p class="small">
        <span role="status">{label}</span>
        {moves && (
          <>
            {' '}
            <progress max={done.of} value={done.days} aria-label={`Days of ${days} that are done`} /> {`${done.days} of ${done.of} days`}
          </>
        )}
      </p>
      {/* What it waited for is past where it stands still. */}
      {moves && waits !== undefined && <p class="quiet small">{waits}</p>}
      {state !== 'dropped' && error !== undefined && <p class="bad small">{`${error} It is tried again by itself.`}</p>}
      {(preview || turns.length > 0) && (
        <p class="buttons">
          {preview && (
            <button
              type="button"
              class="button small"
              aria-expanded={isOpen}
              aria-label={`Preview ${days}`}
              onClick={() => setOpen(!isOpen)}
            >
              Preview
            </button>
          )}
          {turns.map((one) => (
            <button
              key={one}
              type="button"
              class="button small"
              aria-haspopup="dialog"
              aria-label={`${turnWords[one].button} ${days}`}
              onClick={() => setTurn(one)}
            >
              {turnWords[one].button}
            </button>
          ))}
        </p>
      )}
      {preview && isOpen && <Preview replay={replay} />}
      {turn && <Confirm replay={replay} turn={turn} onClose={() => setTurn(undefined)} done={put} />}
    </li>
  )
}

export const Replays = ({ onClose }: { onClose(): void }) => {
  const { list, error, again, put } = useReplays()
  return (
    <Dialog title="Count past days again" class="replays-dialog" onClose={onClose}>
      <div class="replays">
        <p class="quiet">
          What was counted keeps the rules of its time. Days that are over can be counted again under the rules of today, beside what is
          shown; you look at the difference, switch to it, and can go back.
        </p>
        <Order put={put} />
        <section aria-label="Orders">
          <h3>Orders</h3>
          {error && <Problem error={error} retry={again} />}
          {list === undefined && !error && (
            <p class="quiet" role="status">
              Asking
            </p>
          )}
          {list?.length === 0 && <p class="quiet">There is none.</p>}
          {list && list.length > 0 && (
            <ul>
              {list.map((replay) => (
                <Item key={replay.id} replay={replay} put={put} />
              ))}
            </ul>
          )}
        </section>
      </div>
    </Dialog>
  )
}

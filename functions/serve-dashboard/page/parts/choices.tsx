import { Cap } from './cap.tsx'

/** A list of which one is picked: arrows go through it, its keys are shown. Stands in a popover. */
export type Choice = { value: string; label: string; key?: string }
type Props = { label: string; options: readonly Choice[]; picked: string; onPick(value: string): void; isFirst?: boolean }

const steps: Readonly<Record<string, (i: number, last: number) => number>> = {
  ArrowDown: (i, last) => (i === last ? 0 : i + 1),
  ArrowUp: (i, last) => (i <= 0 ? last : i - 1),
  Home: () => 0,
  End: (_, last) => last,
}

/** Moves the focus among the buttons of a list. */
export const moveFocus = (event: KeyboardEvent, list: Element): void => {
  const step = steps[event.key]
  if (!step) return
  const buttons = [...list.querySelectorAll<HTMLElement>('button')]
  const next = buttons[step(buttons.indexOf(document.activeElement as HTMLElement), buttons.length - 1)]
  event.preventDefault()
  next?.focus()
}

export const Choices = ({ label, options, picked, onPick, isFirst = true }: Props) => {
  const first = options.some(({ value }) => value === picked) ? picked : options[0]?.value
  return (
    <ul class="choices" aria-label={label} onKeyDown={(event) => moveFocus(event, event.currentTarget)}>
      {options.map(({ value, label: text, key }) => (
        <li key={value}>
          <button
            type="button"
            aria-current={value === picked ? 'true' : undefined}
            aria-keyshortcuts={key || undefined}
            data-first={isFirst && value === first ? '' : undefined}
            onClick={() => onPick(value)}
          >
            <bdi class="choice-label">{text}</bdi>
            {key && <Cap>{key.toUpperCase()}</Cap>}
          </button>
        </li>
      ))}
    </ul>
  )
}

import { useRef } from 'preact/hooks'

/** Tabs side by side as the ARIA practices have them: one stop of the Tab key, arrows go between them. */
type Props = {
  label: string
  tabs: readonly { key: string; label: string }[]
  /** The tab that is shown; none of them where it is another. */
  shown: string
  idOf: (key: string) => string
  panelId: string
  show(key: string): void
}

export const TabList = ({ label, tabs, shown, idOf, panelId, show }: Props) => {
  const list = useRef<HTMLDivElement>(null)
  const move = (event: KeyboardEvent) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
    if (step === undefined) return
    event.preventDefault()
    event.stopPropagation()
    const keys = tabs.map(({ key }) => key)
    const next = keys[(Math.max(0, keys.indexOf(shown)) + step + keys.length) % keys.length]!
    show(next)
    list.current?.querySelector<HTMLElement>(`[data-tab="${next}"]`)?.focus()
  }
  const isShown = tabs.some(({ key }) => key === shown)
  return (
    <div role="tablist" aria-label={label} ref={list} onKeyDown={move}>
      {tabs.map(({ key, label: text }, i) => (
        <button
          key={key}
          type="button"
          role="tab"
          id={idOf(key)}
          data-tab={key}
          aria-selected={key === shown}
          aria-controls={panelId}
          tabIndex={key === shown || (!isShown && i === 0) ? 0 : -1}
          onClick={() => show(key)}
        >
          {text}
        </button>
      ))}
    </div>
  )
}

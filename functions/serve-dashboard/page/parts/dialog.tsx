import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef } from 'preact/hooks'
import './dialog.css'
import { Cross } from './icons.tsx'

/**
 * A dialog over the page: the page behind is out of reach, Esc and a click beside it close it, and the focus goes back to where it was.
 * It is open for as long as it is drawn; `onClose` takes it away.
 */
type Props = { title: string; class?: string; onClose(): void; children: ComponentChildren }

export const Dialog = ({ title, class: name = '', onClose, children }: Props) => {
  const dialog = useRef<HTMLDialogElement>(null)
  const id = useId()
  useEffect(() => {
    const shown = dialog.current
    shown?.showModal()
    // Closing gives the focus back; a dialog that is only taken away would not.
    return () => shown?.close()
  }, [])
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Esc does the same, by the browser
    <dialog
      ref={dialog}
      class={`dialog ${name}`}
      aria-labelledby={id}
      onClose={onClose}
      onClick={(event) => {
        if (event.target === dialog.current) onClose()
      }}
    >
      <div class="dialog-in">
        <header>
          <h2 id={id}>{title}</h2>
          <button type="button" class="plain-icon" aria-label="Close" onClick={onClose}>
            <Cross />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  )
}

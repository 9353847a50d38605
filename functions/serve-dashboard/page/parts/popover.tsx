import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'

/**
 * A button and what it opens: on top of everything, beside the button, closed by Esc, by a click elsewhere and by what is chosen in it;
 * the focus goes in and comes back. The browser's own popover does most of it.
 */
type Props = {
  /** What the button shows. */
  button: ComponentChildren
  /** What the button is called, where what it shows does not say it. */
  label?: string
  /** What the opened part is called. */
  title: string
  class?: string
  panelClass?: string
  /** The edge of the button that the panel keeps to. */
  align?: 'start' | 'end'
  /** Opens it from elsewhere, such as by a key: called with the function that does. */
  opener?: RefObject<(() => void) | undefined>
  onClose?(): void
  children: (close: () => void) => ComponentChildren
}

const gapPx = 6
const edgePx = 8

/** Puts the panel below its button, above where there is more room, and never beyond the window. */
const place = (panel: HTMLElement, button: HTMLElement, align: 'start' | 'end'): void => {
  const box = button.getBoundingClientRect()
  panel.style.maxHeight = ''
  const { offsetWidth: width, scrollHeight: height } = panel
  const wanted = align === 'start' ? box.left : box.right - width
  const below = innerHeight - box.bottom - gapPx - edgePx
  const above = box.top - gapPx - edgePx
  const isBelow = height <= below || below >= above
  panel.style.left = `${Math.max(edgePx, Math.min(wanted, document.documentElement.clientWidth - width - edgePx))}px`
  panel.style.top = isBelow ? `${box.bottom + gapPx}px` : ''
  panel.style.bottom = isBelow ? '' : `${innerHeight - box.top + gapPx}px`
  panel.style.maxHeight = `${Math.max(120, isBelow ? below : above)}px`
}

/** Keeps the panel at its button while it is open. */
const usePlace = (isOpen: boolean, panel: RefObject<HTMLElement | null>, button: RefObject<HTMLElement | null>, align: 'start' | 'end') =>
  useLayoutEffect(() => {
    const [shown, at] = [panel.current, button.current]
    if (!isOpen || !shown || !at) return
    const again = () => place(shown, at, align)
    again()
    const watch = new ResizeObserver(again)
    for (const child of shown.children) watch.observe(child)
    addEventListener('scroll', again, { capture: true, passive: true })
    addEventListener('resize', again)
    return () => {
      watch.disconnect()
      removeEventListener('scroll', again, { capture: true })
      removeEventListener('resize', again)
    }
  }, [isOpen, align])

const focusFirst = (panel: HTMLElement): void => {
  const first = panel.querySelector<HTMLElement>('[data-first]') ?? panel.querySelector<HTMLElement>('input, select, button, a[href]')
  ;(first ?? panel).focus({ preventScroll: true })
}

export const Popover = ({ button, label, title, class: name = '', panelClass = '', align = 'start', opener, onClose, children }: Props) => {
  const id = useId()
  const [isOpen, setOpen] = useState(false)
  const panel = useRef<HTMLDivElement>(null)
  const at = useRef<HTMLButtonElement>(null)
  usePlace(isOpen, panel, at, align)

  useEffect(() => {
    if (isOpen && panel.current) focusFirst(panel.current)
  }, [isOpen])

  const close = () => {
    panel.current?.hidePopover()
    at.current?.focus({ preventScroll: true })
  }
  if (opener)
    opener.current = () => {
      at.current?.focus()
      panel.current?.showPopover()
    }

  return (
    <>
      <button
        ref={at}
        type="button"
        class={name}
        aria-label={label}
        title={label}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        popovertarget={id}
      >
        {button}
      </button>
      <div
        ref={panel}
        id={id}
        popover="auto"
        role="dialog"
        aria-label={title}
        tabIndex={-1}
        class={`popover ${panelClass}`}
        onBeforeToggle={(event) => {
          if (event.newState === 'open') setOpen(true)
        }}
        onToggle={(event) => {
          // Not before: what is in it must be there while the browser takes the focus back from it.
          if (event.newState === 'open') return
          setOpen(false)
          onClose?.()
        }}
      >
        {isOpen && <div class="popover-in">{children(close)}</div>}
      </div>
    </>
  )
}

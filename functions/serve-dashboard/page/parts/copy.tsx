import { useState } from 'preact/hooks'
import { Check, Copy } from './icons.tsx'

/** A line to be pasted elsewhere, with a button that copies it. Without a clipboard (plain http on another machine) it is selected instead. */
const select = (element: Element): void => getSelection()?.selectAllChildren(element)

export const CopyLine = ({ text, what = 'Copy' }: { text: string; what?: string }) => {
  const [isCopied, setCopied] = useState(false)
  const copy = async (event: MouseEvent) => {
    const line = (event.currentTarget as HTMLElement).parentElement?.querySelector('code')
    try {
      await navigator.clipboard.writeText(text)
      setCopied(true)
    } catch {
      if (line) select(line)
    }
  }
  return (
    <div class="copy-line">
      <code>{text}</code>
      <button type="button" class="button small" onClick={copy} onBlur={() => setCopied(false)}>
        {isCopied ? <Check /> : <Copy />}
        <span aria-live="polite">{isCopied ? 'Copied' : what}</span>
      </button>
    </div>
  )
}

import { useState } from 'preact/hooks'
import type { Asking } from '../state/api.ts'

/** A question as a command: what the page shows, anybody can ask. */
export const CopyCall = ({ kind, question }: { kind: Asking; question: unknown }) => {
  const [said, setSaid] = useState('Copy as API call')
  const copy = async () => {
    const body = JSON.stringify(question).replace(/'/g, "'\\''")
    const call = `curl -X POST ${location.origin}/api/v2/${kind} -H "Authorization: Bearer $FOOTFALL_KEY" -d '${body}'`
    try {
      await navigator.clipboard.writeText(call)
      setSaid('Copied')
    } catch {
      setSaid('The browser does not let this page copy')
    }
  }
  return (
    <button type="button" class="button small" onClick={() => void copy()}>
      <span aria-live="polite">{said}</span>
    </button>
  )
}

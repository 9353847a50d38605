import { changed, type Value } from '../state/format.ts'

/** A change in per cent: an arrow and a number to see, words to hear, and whether it is welcome. Nothing where nothing is compared. */
type Props = { change: Value | undefined; better: 'more' | 'less'; title?: string }

export const Change = ({ change, better, title }: Props) => {
  const shown = changed(change, better)
  if (!shown) return null
  return (
    <span class={`change ${shown.tone === 'same' ? 'quiet' : shown.tone}`} title={title}>
      <span aria-hidden="true">{shown.text}</span>
      <span class="spoken">{shown.spoken}</span>
    </span>
  )
}

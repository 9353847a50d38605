import { usePage } from '../state/page.ts'

/** The switch that shows flagged hits too. They are kept, and left out unless it is on. */
export const BotsSwitch = () => {
  const { view, change } = usePage()
  return (
    <button
      type="button"
      role="switch"
      class="switch"
      aria-checked={view.bots}
      title="Hits that are flagged as robots are kept and left out. Switched on, they are in every number of this page."
      onClick={() => change({ bots: !view.bots })}
    >
      <span class="track" aria-hidden="true" />
      Include bots
    </button>
  )
}

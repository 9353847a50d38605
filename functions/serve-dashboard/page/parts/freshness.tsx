import { useEffect, useState } from 'preact/hooks'
import { timeOfDay, written } from '../state/format.ts'
import type { Live } from '../state/live.ts'
import { usePage } from '../state/page.ts'
import { type Reach, reachOf } from '../state/reach.ts'
import { Popover } from './popover.tsx'

/** How many are there now, and up to when the numbers are known. Both say how they know. */
const stateText: Readonly<Record<Live['state'], string>> = {
  connecting: 'Connecting: the stream of this site is being opened.',
  live: 'Live: the server pushes what is new, and everything on this page follows within a second.',
  polling: 'Asking: the stream cannot be opened, so the page asks every five seconds. A proxy in between may hold streams back.',
}
const stateWord: Readonly<Record<Live['state'], string>> = { connecting: 'connecting', live: 'live', polling: 'asking every 5 s' }

export const LiveDot = () => {
  const { live } = usePage()
  const count = live.current === undefined ? '–' : written(live.current, 'count')
  const isOne = live.current === 1
  return (
    <Popover
      title="Current visitors"
      class={`live ${live.state}`}
      panelClass="explained"
      button={
        <>
          <span class="dot" aria-hidden="true" />
          <b class="live-count">{count}</b>
          <span class="live-text" aria-hidden="true">
            current visitor{isOne ? '' : 's'}
          </span>
          <span class="spoken">{` current visitor${isOne ? '' : 's'}, ${stateWord[live.state]}`}</span>
        </>
      }
    >
      {() => (
        <>
          <h2>Current visitors</h2>
          <p>Different visitors with a hit in the last five minutes, whatever is filtered, bots left out.</p>
          <p class="quiet">{stateText[live.state]}</p>
        </>
      )}
    </Popover>
  )
}

const secondMs = 1_000

/** Calls for a drawing every second. */
const useSeconds = (): number => {
  const [now, setNow] = useState(() => performance.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(performance.now()), secondMs)
    return () => clearInterval(timer)
  }, [])
  return now
}

const behindText = (lagMs: number): string => {
  if (lagMs < 10_000) return `${written(Math.round(lagMs / 100) / 10, 'ratio')} s behind`
  return `${written(lagMs / 1000, 'duration')} behind`
}

const slowMs = 10_000

export const FreshnessChip = ({ incompleteSince }: { incompleteSince: string | undefined }) => {
  const { live } = usePage()
  const now = useSeconds()
  const reach = live.freshness && reachOf(live.freshness, live.state, now)
  const isLate = incompleteSince !== undefined || (reach !== undefined && reach.lagMs > slowMs)
  return (
    <Popover
      title="How fresh the numbers are"
      class={`chip freshness${isLate ? ' warning' : ''}`}
      panelClass="explained"
      button={<ChipText reach={reach} incompleteSince={incompleteSince} />}
    >
      {() => <Explained reach={reach} incompleteSince={incompleteSince} />}
    </Popover>
  )
}

type Told = { reach: Reach | undefined; incompleteSince: string | undefined }

const ChipText = ({ reach, incompleteSince }: Told) => {
  if (incompleteSince !== undefined) return <>Incomplete since {whenText(incompleteSince)}</>
  if (!reach) return <>Data to …</>
  return (
    <>
      Data to {timeOfDay(reach.until)}
      <span class="behind">, {reach.lagMs === 0 ? 'up to date' : behindText(reach.lagMs)}</span>
    </>
  )
}

const when = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const whenText = (iso: string): string => {
  const isToday = new Date(iso).toDateString() === new Date().toDateString()
  return isToday ? timeOfDay(iso) : when.format(new Date(iso))
}

const Explained = ({ reach, incompleteSince }: Told) => (
  <>
    <h2>How fresh the numbers are</h2>
    {incompleteSince !== undefined && (
      <p class="warning-text">
        Hits from {whenText(incompleteSince)} on may be missing: part of the state was lost or is behind. Run{' '}
        <code>npm run footfall -- doctor</code> to see what is wrong.
      </p>
    )}
    {reach ? (
      <p>
        Everything received until {timeOfDay(reach.until)} (your clock’s time zone) is in the numbers
        {reach.lagMs === 0
          ? '; nothing waits to be counted.'
          : `; the oldest hit that waits came ${behindText(reach.lagMs).replace(' behind', '')} ago.`}
      </p>
    ) : (
      <p>The server has not said yet.</p>
    )}
    <p class="quiet">A hit that was answered is counted exactly once, and never shown before it is counted.</p>
  </>
)

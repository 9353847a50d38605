import type { Freshness, Live } from './live.ts'

/** Up to when everything that was received is in the numbers. */
export type Reach = { until: number; lagMs: number }

/** The server looks at least so often whether anything waits; what it has not said by then is not there. */
const lookMs = 5_000

/**
 * While the stream is open and nothing waits, silence is an answer: nothing has come since, as of the server's last look. Otherwise it is
 * what the server has said last.
 */
export const reachOf = ({ as_of, lag_ms, heardAt }: Freshness, state: Live['state'], now: number): Reach | undefined => {
  if (as_of === null || lag_ms === null) return undefined
  const silentMs = state === 'live' && lag_ms === 0 ? Math.max(0, now - heardAt - lookMs) : 0
  return { until: Date.parse(as_of) + silentMs, lagMs: lag_ms }
}

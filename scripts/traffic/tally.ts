import type { Outcome } from './ledger.ts'

/** What a run has come to: outcomes, reasons, latencies. */

/** Latencies in steps of 2 %, from 10 µs to ten minutes: whatever their number they take the same room. */
const base = 1.02
const firstMs = 0.01
const createLatencies = () => {
  const counts = new Uint32Array(1_000)
  let total = 0
  return {
    add(ms: number) {
      const step = Math.ceil(Math.log(Math.max(ms, firstMs) / firstMs) / Math.log(base))
      counts[Math.min(step, counts.length - 1)]!++
      total++
    },
    /** The latency that a share `q` of all stayed within, ms. */
    at(q: number): number {
      let left = Math.ceil(total * q)
      for (let step = 0; step < counts.length; step++) {
        left -= counts[step]!
        if (left <= 0) return firstMs * base ** step
      }
      return 0
    },
  }
}

export type Summary = {
  /** Hits that an answer came to, or that were given up; a repeat is one more. */
  sent: number
  ok: number
  refused: Record<string, number>
  /** Hits whose outcome was unknown, why, and how many still are. */
  unknown: Record<string, number>
  open: number
  /** Hits that were due and never sent, because the server did not keep up. */
  unsent: number
  seconds: number
  rate: number
  p50: number
  p99: number
}

const add = (to: Record<string, number>, reason: string) => {
  to[reason] = (to[reason] ?? 0) + 1
}

export const createTally = () => {
  const latencies = createLatencies()
  const refused: Record<string, number> = Object.create(null)
  const unknown: Record<string, number> = Object.create(null)
  let [sent, ok] = [0, 0]
  return {
    /** Latency is counted from when the hit was to be sent, so that a server that stands still is seen. */
    add(outcome: Outcome, reason: string, latencyMs: number) {
      sent++
      latencies.add(latencyMs)
      if (outcome === 'ok') ok++
      else add(outcome === 'refused' ? refused : unknown, reason)
    },
    /** An unknown one that has been sent again and is definite now. */
    settle(outcome: Outcome, reason: string) {
      if (outcome === 'ok') ok++
      else if (outcome === 'refused') add(refused, reason)
    },
    counts: () => ({ sent, ok }),
    summary: (open: number, unsent: number, seconds: number): Summary => ({
      sent,
      ok,
      refused,
      unknown,
      open,
      unsent,
      seconds,
      rate: seconds > 0 ? sent / seconds : 0,
      p50: latencies.at(0.5),
      p99: latencies.at(0.99),
    }),
  }
}

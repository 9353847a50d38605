import { closeSync, openSync, writeSync } from 'node:fs'
import type { PlannedHit } from './plan.ts'

/**
 * The client's own ledger: one line for every hit and answer, appended before its sender goes on. It is what a recount folds:
 * `ok ⊆ counted ⊆ ok ∪ unknown`. Several lines may have the same id (a repeat, an unknown sent again): one `ok` makes the id ok.
 */
export type Outcome = 'ok' | 'refused' | 'unknown'

export type LedgerLine = {
  id: string
  site: string
  outcome: Outcome
  /** The server's reason of a refusal, or why the outcome is unknown. */
  reason?: string
  /** Milliseconds UTC: when it was to be sent, was sent, and was answered or given up. */
  intended_at: number
  sent_at: number
  done_at: number
  name: string
  /** The page as the server must store it; absent for a hit that must be refused. */
  page?: string
  visitor: string
  robot: boolean
  /** Milliseconds it said it had waited. */
  queued: number
  /** The time it gave itself (sent with a key). */
  time?: number
}

export type Times = { intended: number; sent: number; done: number }

export const lineOf = (hit: PlannedHit, site: string, outcome: Outcome, reason: string | undefined, times: Times): LedgerLine => ({
  id: hit.id!,
  site,
  outcome,
  reason,
  intended_at: Math.round(times.intended),
  sent_at: Math.round(times.sent),
  done_at: Math.round(times.done),
  name: String(hit.fields.name ?? 'pageview'),
  page: hit.page,
  visitor: hit.person.key,
  robot: hit.person.robot,
  queued: hit.queued,
  time: hit.time,
})

export type LedgerFile = { write(lines: readonly LedgerLine[]): void; close(): void }

/** Opens the file for appending; without a path nothing is kept. Throws what the system says. */
export const openLedger = (path: string | undefined): LedgerFile => {
  if (path === undefined) return { write: () => undefined, close: () => undefined }
  const file = openSync(path, 'a', 0o600)
  return {
    write: (lines) => void writeSync(file, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`),
    close: () => closeSync(file),
  }
}

import { readFileSync } from 'node:fs'
import { expect } from 'vitest'
import type { LedgerLine } from '../../scripts/traffic/ledger.ts'

/** What the client of a load has written down, and what must hold of it whatever was done to those that answered. */

/** The lines of a client's ledger. */
export const ledgerLines = (path: string): LedgerLine[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LedgerLine)

/** How many hits came to which end. */
export const outcomesOf = (lines: readonly LedgerLine[]): Record<LedgerLine['outcome'], number> => {
  const count = (name: LedgerLine['outcome']): number => lines.filter(({ outcome }) => outcome === name).length
  return { ok: count('ok'), refused: count('refused'), unknown: count('unknown') }
}

/** No answer was a mistake of ours, and no good hit was refused. */
export const expectNoMistake = (lines: readonly LedgerLine[]): void => {
  expect(
    lines.filter(({ reason }) => reason === 'HTTP 500' || reason === 'internal'),
    'answers that are a mistake of ours',
  ).toEqual([])
  expect(
    lines.filter(({ outcome, page }) => outcome === 'refused' && page !== undefined),
    'good hits that were refused',
  ).toEqual([])
}

/** Before the first fault, at `begin` (ms UTC), it went well, or the run tests nothing: `seconds` at `rate` hits a second. */
export const expectCalm = (
  lines: readonly LedgerLine[],
  { begin, rate, seconds }: { begin: number; rate: number; seconds: number },
): void => {
  const calm = lines.filter(({ done_at }) => done_at < begin)
  expect(calm.filter(({ outcome }) => outcome === 'unknown').length / calm.length, 'unknown before any fault').toBeLessThan(0.05)
  expect(calm.length, 'hits before any fault').toBeGreaterThan((rate * seconds) / 4)
}

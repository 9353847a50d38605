import type { Block, Row } from '../segment/row.ts'
import type { LedgerSums } from '../visit/event.ts'

/** The text of a block: a JSON array of rows (of ledger rows when the day is negative). */
export type LedgerRow = { off: number; n: LedgerSums }

/** Day under which the ledger of a UTC day of receipt is kept. */
export const ledgerDay = (utcDay: number): number => -utcDay

export const encodeRows = (rows: readonly (Row | LedgerRow)[]): string => JSON.stringify(rows)
export const decodeRows = (block: Block): Row[] => JSON.parse(block.body)
export const decodeLedger = (block: Block): LedgerRow[] => JSON.parse(block.body)

import type { RollupChange } from '../ports/memtables.ts'
import type { SiteDay } from '../ports/seals.ts'
import type { Folded } from './fold.ts'

/**
 * Where memtables begin (data.md §9.2). What lies below a base is in segments already: a restore that folds its events again skips it (R5),
 * or it would be counted twice.
 */

/** Base of each block's memtable, in the order of the blocks: the one that is stored, or the one that it will begin at. */
export type KnownBase = { stored: true; base: number } | { stored: false; base: number }

/**
 * Where a batch must end so that no block reaches over its base: a row of the ledger sums up what a batch brought and cannot be cut.
 * `undefined` when none does.
 */
export const cutOf = ({ blocks }: Folded, known: readonly KnownBase[]): number | undefined => {
  const inside = blocks.flatMap(({ from, to }, i) => (known[i]!.base > from && known[i]!.base < to ? [known[i]!.base] : []))
  return inside.length === 0 ? undefined : Math.min(...inside)
}

export const blockDays = ({ blocks }: Folded): SiteDay[] => blocks.map(({ site, day }) => ({ site, day }))

/** The change as it can be committed. Only bases that were not stored are named: a stored one that is gone must not be made anew. */
export const onBases = (folded: Folded, known: readonly KnownBase[]): RollupChange => {
  const kept = folded.blocks.flatMap((block, i) => (block.from >= known[i]!.base ? [{ block, known: known[i]! }] : []))
  const skipped = folded.blocks.flatMap((block, i) =>
    block.from < known[i]!.base ? [{ site: block.site, day: block.day, base: known[i]!.base }] : [],
  )
  return {
    ...folded,
    blocks: kept.map(({ block }) => block),
    skipped,
    bases: kept.flatMap(({ block: { site, day }, known: { stored, base } }) => (stored ? [] : [{ site, day, base }])),
  }
}

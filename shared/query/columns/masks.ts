import type { Calendar } from '../../site/zone.ts'
import { type Filter, type Leaf, leafTest, type Work } from '../filters.ts'
import { dimensionOf } from './dimension.ts'
import type { Places } from './numbers.ts'
import { type Rows, type Table, valueAt } from './table.ts'

/**
 * Filters over columns. A condition is asked once for each text of a dictionary; then a row or hit passes by its code. The result of a
 * filter is a mask of 0 and 1, of rows where it speaks of visits alone, else of hits.
 */

type Mask = Uint8Array
type Result = { level: 'visit' | 'hit'; mask: Mask }

export type Masks = {
  isEmpty: boolean
  /** Physical columns that are read. */
  columns: readonly string[]
  /** Asks the conditions of the texts of a table; false when none of its rows can pass. */
  prepare(table: Table, pause: () => Promise<void> | undefined): Promise<boolean>
  /** What passes; `undefined` = all. `dones`: visitors who did what each `has_done` asks, in the order of `doneFilters`. */
  of(rows: Rows, dones: readonly Places[]): Result | undefined
}

/** `dones`: every `has_done` of the query, also those of other filters. */
export const createMasks = (filters: readonly Filter[], dones: readonly Filter[], calendar: Calendar, work: Work): Masks => {
  const leaves = leavesOf(filters)
  const passes = new Map<Leaf, WeakMap<readonly string[], Mask>>(leaves.map((leaf) => [leaf, new WeakMap()]))
  const tests = new Map(leaves.map((leaf) => [leaf, leafTest(leaf, work)]))

  const passOf = (leaf: Leaf, texts: readonly string[]): Mask => {
    const known = passes.get(leaf)!.get(texts)
    if (known) return known
    const mask = new Uint8Array(texts.length)
    passes.get(leaf)!.set(texts, mask)
    const test = tests.get(leaf)!
    for (let code = 0; code < mask.length; code++) mask[code] = test(texts[code]!) ? 1 : 0
    return mask
  }

  /** As `passOf`, but others have their turn in between. */
  const ask = async (leaf: Leaf, texts: readonly string[], pause: () => Promise<void> | undefined): Promise<Mask> => {
    const known = passes.get(leaf)!.get(texts)
    if (known) return known
    const mask = new Uint8Array(texts.length)
    const test = tests.get(leaf)!
    for (let code = 0; code < mask.length; code++) {
      mask[code] = test(texts[code]!) ? 1 : 0
      if (code % textsPerTurn === 0) await pause()
    }
    passes.get(leaf)!.set(texts, mask)
    return mask
  }

  const leafMask = (leaf: Leaf, rows: Rows): Result => {
    const dimension = dimensionOf(leaf.dimension)
    const { codes, texts } = dimension.read(rows, calendar)
    const pass = passOf(leaf, texts)
    const mask = new Uint8Array(codes.length)
    if (!pass.includes(0)) return { level: dimension.level, mask: mask.fill(1) }
    for (let i = 0; i < mask.length; i++) mask[i] = pass[codes[i]!]!
    return { level: dimension.level, mask }
  }

  const doneMask = (filter: Filter & { kind: 'done' }, rows: Rows, did: Places): Result => {
    const mask = new Uint8Array(rows.rows)
    for (let i = 0; i < mask.length; i++) mask[i] = did.has(rows.visitors[i]!) !== filter.negate ? 1 : 0
    return { level: 'visit', mask }
  }

  const scrollMask = (atLeast: number, rows: Rows): Result => {
    const depths = rows.number(depthColumn)
    const mask = new Uint8Array(rows.hits)
    for (let hit = 0; hit < mask.length; hit++) mask[hit] = (valueAt(depths, hit) ?? 0) >= atLeast ? 1 : 0
    return { level: 'hit', mask }
  }

  const evaluate = (filter: Filter, rows: Rows, did: readonly Places[]): Result => {
    switch (filter.kind) {
      case 'leaf':
        return leafMask(filter, rows)
      case 'scroll':
        return scrollMask(filter.atLeast, rows)
      case 'done':
        return doneMask(filter, rows, did[dones.indexOf(filter)]!)
      case 'not': {
        const { level, mask } = evaluate(filter.of, rows, did)
        for (let i = 0; i < mask.length; i++) mask[i] = mask[i]! ^ 1
        return { level, mask }
      }
      case 'and':
        return joined(filter.of, rows, did, 1, (one, other) => {
          for (let i = 0; i < one.length; i++) one[i] = one[i]! & other[i]!
        })
      case 'or':
        return joined(filter.of, rows, did, 0, (one, other) => {
          for (let i = 0; i < one.length; i++) one[i] = one[i]! | other[i]!
        })
    }
  }

  /** Visits before hits: their masks are shorter. `neutral`: what a list of nothing is. */
  const joined = (
    of: readonly Filter[],
    rows: Rows,
    did: readonly Places[],
    neutral: 0 | 1,
    join: (one: Mask, other: Mask) => void,
  ): Result => {
    if (of.length === 0) return { level: 'visit', mask: new Uint8Array(rows.rows).fill(neutral) }
    const results = of.map((filter) => evaluate(filter, rows, did))
    const [visits, hits] = [results.filter(({ level }) => level === 'visit'), results.filter(({ level }) => level === 'hit')]
    for (const list of [visits, hits]) for (const { mask } of list.slice(1)) join(list[0]!.mask, mask)
    if (hits.length === 0) return visits[0]!
    if (visits.length > 0) join(hits[0]!.mask, spread(visits[0]!.mask, rows))
    return hits[0]!
  }

  const mayPass = (filter: Filter, masks: ReadonlyMap<Leaf, Mask>): boolean => {
    if (filter.kind === 'leaf') return masks.get(filter)!.includes(1)
    if (filter.kind === 'and') return filter.of.every((one) => mayPass(one, masks))
    if (filter.kind === 'or') return filter.of.some((one) => mayPass(one, masks))
    return true
  }

  return {
    isEmpty: filters.length === 0,
    columns: [...leaves.flatMap((leaf) => dimensionOf(leaf.dimension).columns), ...(filters.some(readsDepth) ? [depthColumn] : [])],
    async prepare(table, pause) {
      const masks = new Map<Leaf, Mask>()
      for (const leaf of leaves) masks.set(leaf, await ask(leaf, await dimensionOf(leaf.dimension).texts(table), pause))
      return filters.every((filter) => mayPass(filter, masks))
    },
    of(rows, did) {
      if (filters.length === 0) return undefined
      return evaluate({ kind: 'and', of: [...filters] }, rows, did)
    },
  }
}

const textsPerTurn = 256
const depthColumn = 'h.sd'

const readsDepth = (filter: Filter): boolean => {
  if (filter.kind === 'scroll') return true
  if (filter.kind === 'leaf' || filter.kind === 'done') return false
  return (Array.isArray(filter.of) ? filter.of : [filter.of]).some(readsDepth)
}

/** What passes, as a mask of hits; `undefined` = all. */
export const hitsOf = (masks: Masks, rows: Rows, dones: readonly Places[]): Mask | undefined => {
  const passing = masks.of(rows, dones)
  return passing?.level === 'visit' ? spread(passing.mask, rows) : passing?.mask
}

/** A mask of rows as one of hits. */
const spread = (mask: Mask, { firstHit, hits }: Rows): Mask => {
  const wide = new Uint8Array(hits)
  for (let row = 0; row < mask.length; row++) if (mask[row] === 1) wide.fill(1, firstHit[row], firstHit[row + 1])
  return wide
}

/** Whether a filter speaks of visits and visitors alone. */
export const isOfVisits = (filter: Filter): boolean => {
  if (filter.kind === 'leaf') return dimensionOf(filter.dimension).level === 'visit'
  if (filter.kind === 'scroll') return false
  if (filter.kind === 'done') return true
  return (Array.isArray(filter.of) ? filter.of : [filter.of]).every(isOfVisits)
}

/** Conditions that are asked of rows and hits; those of a `has_done` are asked in a pass of their own. */
const leavesOf = (filters: readonly Filter[]): Leaf[] =>
  filters.flatMap((filter) => {
    if (filter.kind === 'leaf') return [filter]
    if (filter.kind === 'done' || filter.kind === 'scroll') return []
    return leavesOf(Array.isArray(filter.of) ? filter.of : [filter.of])
  })

import type { Interval } from './encode.ts'

/**
 * Which of a day's intervals are read (data.md §12.3): laid end to end from 0, the furthest that any of them reach, by as few as
 * possible. Intervals overlap where a day was closed, where two have flushed the same, and where the state was set back and sealed anew at
 * another offset; each holds all rows of its offsets, so every chain holds each row once.
 */

/** The chain, in order; of several as good the one whose intervals stand first. Empty when nothing begins at 0. */
export const chainOf = <S extends Interval>(spans: readonly S[]): S[] => {
  // By `from`: when an interval comes, every way to its beginning is known.
  const ordered = spans.filter(({ from, to }) => to > from).sort((a, b) => a.from - b.from)
  const best = new Map<number, { length: number; last?: S }>([[0, { length: 0 }]])
  let end = 0
  for (const span of ordered) {
    const way = best.get(span.from)
    if (!way) continue
    const known = best.get(span.to)
    if (!known || known.length > way.length + 1) best.set(span.to, { length: way.length + 1, last: span })
    end = Math.max(end, span.to)
  }
  return backFrom(best, end)
}

const backFrom = <S extends Interval>(best: ReadonlyMap<number, { last?: S }>, end: number): S[] => {
  const chain: S[] = []
  for (let at = end; at > 0; at = chain.at(-1)!.from) chain.push(best.get(at)!.last!)
  return chain.reverse()
}

/** How far the chain of these intervals reaches. */
export const reachOf = (spans: readonly Interval[]): number => chainOf(spans).at(-1)?.to ?? 0

/** The first interval that no chain leads to, of those that end at or before `next`. */
export const strandedIn = <S extends Interval>(spans: readonly S[], next: number): S | undefined => {
  const reach = reachOf(spans)
  return spans.filter(({ to }) => to > reach && to <= next).sort((a, b) => a.from - b.from)[0]
}

/**
 * The chain for a reading that ends at offset `before`. Hot intervals can be read up to there; a segment that reaches beyond cannot be
 * cut (of a visit it has the newest row alone), so it is of no use. `undefined` when rows below `before` are known that no chain has: the
 * reading must begin again, with a newer end.
 */
export const readableChain = <C extends Interval, H extends Interval>(
  cold: readonly C[],
  hot: readonly H[],
  before: number,
): ({ cold: C } | { hot: H })[] | undefined => {
  const usable = [
    ...cold.filter(({ to }) => to <= before).map((one) => ({ from: one.from, to: one.to, part: { cold: one } })),
    ...hot.map((one) => ({ from: one.from, to: Math.min(one.to, before), part: { hot: one } })),
  ]
  const chain = chainOf(usable)
  const needed = [...cold, ...hot].reduce((most, { from, to }) => (from < before ? Math.max(most, Math.min(to, before)) : most), 0)
  return (chain.at(-1)?.to ?? 0) < needed ? undefined : chain.map(({ part }) => part)
}

/** Chance with a seed, for traffic that can be sent a second time. Nothing here is fit for keys or ids. */

export type Random = {
  /** 0 ≤ x < 1. */
  unit(): number
  /** A whole number, 0 ≤ x < `below`. */
  whole(below: number): number
  /** True with probability `p`. */
  chance(p: number): boolean
  pick<T>(list: readonly T[]): T
  /** By weight: `[[9, 'often'], [1, 'rare']]`. */
  weighted<T>(list: readonly (readonly [weight: number, value: T])[]): T
  /** 0 … `below` − 1, the k-th about 1/k as often as the first (Zipf). */
  zipf(below: number): number
  /** Log-normal around `median`: most near it, a few far beyond. */
  spread(median: number, sigma: number): number
}

/** mulberry32: 32 bits of state, one multiplication deep; the same sequence on every machine. */
const generator = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

export const createRandom = (seed: number): Random => {
  const unit = generator(seed)
  return {
    unit,
    whole: (below) => Math.floor(unit() * below),
    chance: (p) => unit() < p,
    pick: (list) => list[Math.floor(unit() * list.length)]!,
    weighted(list) {
      let at = unit() * list.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, value] of list) {
        at -= weight
        if (at < 0) return value
      }
      return list.at(-1)![1]
    },
    zipf: (below) => Math.min(below - 1, Math.floor((below + 1) ** unit()) - 1),
    // Box–Muller; 1 − u keeps the logarithm away from zero.
    spread: (median, sigma) => median * Math.exp(sigma * Math.sqrt(-2 * Math.log(1 - unit())) * Math.cos(2 * Math.PI * unit())),
  }
}

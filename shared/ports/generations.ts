/**
 * generations — the logs that hits were ever taken in by. The partitions of all topics are fixed for a generation; topics that are made
 * anew, or have another number of partitions, are a new one. The number that all other ports call a partition names both
 * (site/generations.ts), so offsets of two generations are never mixed up.
 */

/**
 * How far a generation is.
 * - `waiting`: everybody is to know of it before the first hit is written to it.
 * - `open`: the newest open one takes hits. While an older one is open too, somebody may still write to that.
 * - `ended`: nothing can be appended to its `hits` any more; what they hold is worked up as ever.
 * - `cut`: its `hits` cannot be read any more; its `events` can.
 * - `gone`: neither can. Its rows stay.
 */
export type GenerationState = 'waiting' | 'open' | 'ended' | 'cut' | 'gone'

export type Generation = {
  /** 0, 1, 2, … */
  number: number
  partitions: number
  /** Number of the generation whose name its topic `hits` has: an older one's, where that topic was made anew and taken over as it is. */
  hits: number
  /** Identities of its topics, as `ends` of the log tells them; '' where the log has only one for ever. */
  ids: { hits: string; events: string }
  state: GenerationState
  /** When it came to this state, ms UTC. */
  at: number
}

export type Generations = {
  /** All of them, by number; none where the log was never set up. */
  list(): Promise<Generation[]>
}

export type GenerationChanges = Generations & {
  /** Lists a generation; `stale` when its number is taken. Atomic. */
  add(generation: Generation): Promise<'done' | 'stale'>
  /** Brings a generation to a state, unless it has left the state `was`: `stale`. Atomic. */
  move(number: number, was: GenerationState, now: GenerationState, at: number): Promise<'done' | 'stale'>
}

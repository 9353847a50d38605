import type { Topic } from './log.ts'

/** A partition of a topic as it was made: offsets of another topic of that name mean nothing. */
export type PositionPlace = { topic: Topic; partition: number; id: string }

/**
 * positions — up to where a function that keeps no fence of its own has taken a partition. Who keeps one has handed over all below it, so
 * two that keep different ones do no harm: the lower one means repeats.
 */
export type Positions = {
  /** Offset of the next record to hand over; undefined when none was kept, or that was too long ago. Errors: `log-unavailable`. */
  read(name: string, at: PositionPlace): Promise<number | undefined>
  /** Durable when it resolves; may be repeated. Errors: `log-unavailable`. */
  keep(name: string, at: PositionPlace, next: number): Promise<void>
}

import { FootfallError } from '../errors.ts'
import { badQuery } from './names.ts'

/**
 * Memory that questions hold, as an estimate that errs upwards: what a question keeps of rows and groups is counted while it grows, so
 * that a question too large for the heap is refused before the heap is full (which would end the process, not the question).
 */

/** What one question holds. */
export type Room = {
  /** Counts bytes that are kept; throws when there is no room for them. */
  take(bytes: number): void
  give(bytes: number): void
}

/** Estimates of what is kept, in bytes of a 64-bit heap, with what a growing table has to spare. */
export const sizes = { visit: 400, hit: 200, value: 8, text: 60, group: 800, set: 150, member: 50, sum: 300, firstDay: 150 } as const

/** Bytes that a text takes beside its characters. */
export const textBytes = (text: string): number => sizes.text + 2 * text.length

/** For readings that are small by nature. */
export const endless: Room = { take: () => undefined, give: () => undefined }

/** Rooms of all questions that run at the same time, in `total` bytes. `close` gives back what a question still holds. */
export const createRooms = (total: number): { open(): Room & { close(): void } } => {
  let used = 0
  const full = (own: number): FootfallError => {
    // Alone it would have had room: it may come again.
    if (own <= total) return new FootfallError('overloaded', { detail: 'Other questions hold the memory.', retryAfterS: 5 })
    const megabytes = Math.floor(total / 1_000_000)
    return badQuery('query', `it needs more than the ${megabytes} MB there are for questions; narrow the range or take fewer dimensions`)
  }
  return {
    open() {
      let held = 0
      const give = (bytes: number): void => {
        held -= bytes
        used -= bytes
      }
      return {
        take(bytes) {
          held += bytes
          used += bytes
          if (used <= total) return
          const error = full(held)
          give(held) // at once, so that of two that collide one goes on
          throw error
        },
        give,
        close: () => give(held),
      }
    },
  }
}

/**
 * Finds the record that kills a function. A batch is suspect when the function died of it and yet answered an empty one right after; from
 * then on the batches are halved until the record stands alone, and when it alone has killed so often, it is parked: the function is
 * told to write it down as dead without looking at it. What is merely down is never suspected: nothing answers ticks then.
 */
export type Bisection = {
  /** How many records the next batch may have. */
  most(): number
  /** Whether the record at this offset is to be parked. */
  isParked(offset: number): boolean
  /** A batch has killed the function, which answered an empty one afterwards. */
  killed(first: number, last: number): void
  /** All records below `next` have been taken. */
  passed(next: number): void
}

/** So often must a record kill alone. */
export const killsAlone = 10

export const createBisection = (mostRecords: number): Bisection => {
  let most = mostRecords
  /** Where the first suspect batch ended: behind it nothing is suspected. */
  let end = -1
  let alone = { offset: -1, kills: 0 }
  return {
    most: () => most,
    isParked: (offset) => alone.offset === offset && alone.kills >= killsAlone,
    killed(first, last) {
      end = Math.max(end, last)
      if (last > first) most = Math.max(1, Math.min(most, Math.floor((last - first + 1) / 2)))
      else alone = { offset: first, kills: alone.offset === first ? alone.kills + 1 : 1 }
    },
    passed(next) {
      if (next <= end) return
      most = mostRecords
      end = -1
    },
  }
}

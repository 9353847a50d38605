import { type Clock, hasPassed } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { Progress } from '#shared/ports/segments.ts'
import { reachedMark } from '#shared/rollup/reached.ts'

/**
 * How far the state of each partition has been: as this process last saw it, and as rollup keeps it in `progress`. State that was lost, or set
 * back, is folded again from the log; until it is where it was, answers would be smaller than those before, and must say so.
 */
export type Reached = {
  /** The fence of a partition as it stands; `isBehind`: the state has been farther than that. */
  fence(partition: number): Promise<{ fence: RollupFence | undefined; isBehind: boolean }>
}

type Sources = { memtables: Pick<Memtables, 'fence'>; progress: Pick<Progress, 'get'>; clock: Pick<Clock, 'now'> }

/** A mark is asked for again after so long (clock); one of before is only coarser. */
const markMs = 5_000

export const createReached = ({ memtables, progress, clock }: Sources): Reached => {
  const farthest = new Map<number, Pick<RollupFence, 'topic' | 'src'>>()
  const marks = new Map<number, { src: number; at: number }>()

  /** Greatest hits offset that the state is known to have had; −1 = none. */
  const markOf = async (partition: number): Promise<number> => {
    const known = marks.get(partition)
    if (known && !hasPassed(clock, known.at, markMs)) return known.src
    const at = clock.now()
    const asked = progress.get(reachedMark, partition).then((mark) => mark?.src ?? -1)
    const src = await asked.catch((error: unknown) => {
      // While the cold store is away the live stream goes on with what is known.
      if (known && error instanceof FootfallError && error.retryable) return known.src
      throw error
    })
    marks.set(partition, { src, at })
    return src
  }

  return {
    async fence(partition) {
      // The mark before the fence: state that goes on in between is not behind.
      const mark = await markOf(partition)
      const fence = await memtables.fence(partition)
      if (!fence) return { fence, isBehind: false }
      // At once: fences are answered in the order they were asked for, and only so is a smaller one a step back.
      const known = farthest.get(partition)
      // Another log has offsets of its own.
      const isBehind = fence.src < mark || (known?.topic === fence.topic && fence.src < known.src)
      if (!isBehind) farthest.set(partition, { topic: fence.topic, src: fence.src })
      return { fence, isBehind }
    },
  }
}

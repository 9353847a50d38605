import type { Clock } from '#shared/clock.ts'
import type { LifeLimits } from '#shared/rollup/life.ts'
import { Moved } from '#shared/segment/moved.ts'
import type { Attempts } from './attempts.ts'
import { createPause } from './pause.ts'

/** Long work of which each partition has one at a time: done in steps, over as many ticks as it takes. */
export type AsyncSteps<T> = AsyncGenerator<void, T, void>

/** Segments that were dropped meanwhile are of a day that another has closed: no failure. */
const unlessMoved = (error: unknown): void => {
  if (!(error instanceof Moved)) throw error
}

export const createBegun = (clock: Clock, { sliceMs }: Pick<LifeLimits, 'sliceMs'>, attempt: Attempts['attempt']) => {
  const begun = new Map<number, { name: string; steps: AsyncSteps<void> }>()
  return {
    isBegun: (partition: number): boolean => begun.has(partition),
    /** `name` as `attempt` takes it. */
    begin(partition: number, name: string, steps: AsyncSteps<void>): void {
      begun.set(partition, { name, steps })
    },
    /** Goes on with what was begun, until it is done or `isOver`. When it fails, it is begun anew at the next tick. */
    async goOn(partition: number, isOver: () => boolean): Promise<void> {
      const { name, steps } = begun.get(partition)!
      const pause = createPause(clock, sliceMs)
      let isCut = false
      const work = async () => {
        while (!isCut && !(await steps.next()).done) {
          isCut = isOver()
          await pause()
        }
      }
      await attempt(name, () => work().catch(unlessMoved))
      if (!isCut) begun.delete(partition)
    },
  }
}

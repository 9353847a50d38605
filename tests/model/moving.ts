import type { GenerationChanges } from '#shared/ports/generations.ts'
import { allPartsOf, openIn } from '#shared/site/generations.ts'
import { migrateTopics } from '../../scripts/cli/topics.ts'
import { eventsOf, type Generations, hitsOf } from './generations.ts'
import type { createRecords } from './records.ts'
import type { VirtualClock } from './virtual-clock.ts'

/** How a world moves to other topics, and loses those it has. */

type Around = {
  generations: GenerationChanges
  topics: Generations['topics']
  drop: Generations['drop']
  clock: VirtualClock
  /** Begins to drive the partitions of a generation that is listed. */
  driveAll(parts: readonly number[]): void
  lose: ReturnType<typeof createRecords>['lose']
}

export type Lost = { events: boolean; isMadeAnew: boolean }

export const createMoving = ({ generations, topics, drop, clock, driveAll, lose }: Around) => {
  let isMoving = false
  let failed: unknown

  const driving: GenerationChanges = {
    ...generations,
    add: async (generation) => {
      const done = await generations.add(generation)
      driveAll(allPartsOf(generation))
      return done
    },
  }

  return {
    /** Throws what a move has failed of. */
    isMoving(): boolean {
      if (failed !== undefined) throw failed
      return isMoving
    },
    newTopics(partitions?: number): void {
      isMoving = true
      const world = { topics, generations: driving, clock, out: () => undefined }
      const plan = { partitions: 0, copies: 1, next: { partitions }, isLost: false }
      migrateTopics(world, plan)
        .catch((error: unknown) => {
          failed = error
        })
        .finally(() => {
          isMoving = false
        })
    },
    /** Deletes topics of the open generation. All of their records must have been taken. */
    async loseTopics({ events, isMadeAnew }: Lost): Promise<void> {
      const open = openIn(await generations.list())
      const names = { hits: hitsOf(open), events: eventsOf(open), dead: 'dead' }
      for (const part of allPartsOf(open)) {
        await lose('hits', part)
        if (events) await lose('events', part)
      }
      drop(names.hits)
      if (events) drop(names.events)
      if (isMadeAnew) await topics.make(names, { partitions: open.partitions, copies: 1 })
    },
  }
}

import { type Clock, sleep } from '#shared/clock.ts'
import type { LogKeeper, LogReader, Topic } from '#shared/ports/log.ts'
import { type GenerationList, isGone } from '#shared/site/generations.ts'

/**
 * The log as a trigger reads it. Of a topic that is gone nothing is asked, whatever lies under its name now; it is a log on which nothing ever
 * comes, so that its functions still get their ticks.
 */
export const readableLog = (log: LogReader, generations: GenerationList, clock: Clock): LogReader => {
  const isReadable = async (topic: Topic, partition: number): Promise<boolean> => !isGone(await generations.list(), topic, partition)
  return {
    async read(topic, partition, offset, limits) {
      if (await isReadable(topic, partition)) return log.read(topic, partition, offset, limits)
      await sleep(clock, limits.waitMs, limits.signal)
      return []
    },
    ends: async (topic, partition) =>
      (await isReadable(topic, partition)) ? log.ends(topic, partition) : { id: 'gone', earliest: 0, end: 0 },
    offsetAt: async (topic, partition, time) => ((await isReadable(topic, partition)) ? log.offsetAt(topic, partition, time) : 0),
  }
}

/** Nothing is forgotten by a log that is gone. */
export const readableKeeper = (keeper: LogKeeper, generations: GenerationList): LogKeeper => ({
  headroom: async (topic, partition, position) =>
    isGone(await generations.list(), topic, partition) ? { records: 0, ms: undefined } : keeper.headroom(topic, partition, position),
})

import type { LogReader, LogRecord, LogTrimmer, LogWriter } from '#shared/ports/log.ts'

/** All records that a world's log ever had, also those that were trimmed, or deleted with their topic: the checks ask of what was taken. */

/** A record of the log, and the partition it lies in. */
export type PartRecord = LogRecord & { partition: number }

type Log = LogReader & LogWriter & LogTrimmer
type Kept = 'hits' | 'events'

const everything = { records: 100_000, bytes: 1e9, waitMs: 0 }

/** `parts`: the partitions that there are by now. */
export const createRecords = (log: Log, parts: readonly number[]) => {
  const gone: Record<Kept, PartRecord[]> = { hits: [], events: [] }
  const lost: Record<Kept, Set<number>> = { hits: new Set(), events: new Set() }

  const read = async (topic: Kept, partition: number): Promise<PartRecord[]> =>
    (await log.read(topic, partition, 0, everything)).map((record) => ({ ...record, partition }))

  /** Takes note of what lies in a partition below an offset. */
  const note = async (topic: Kept, partition: number, before: number): Promise<void> => {
    const known = gone[topic].findLast((record) => record.partition === partition)?.offset ?? -1
    gone[topic].push(...(await read(topic, partition)).filter(({ offset }) => offset > known && offset < before))
  }

  const all = async (topic: Kept): Promise<PartRecord[]> => {
    const readable = parts.filter((part) => !lost[topic].has(part))
    return [...gone[topic], ...(await Promise.all(readable.map((part) => read(topic, part)))).flat()]
  }

  const watched: Log = {
    ...log,
    async trim(topic, partition, offset) {
      if (topic === 'events') await note(topic, partition, offset)
      await log.trim(topic, partition, offset)
    },
  }

  return {
    log: watched,
    hits: () => all('hits'),
    events: () => all('events'),
    isLost: (topic: Kept, partition: number): boolean => lost[topic].has(partition),
    /** Before a topic of a partition is deleted. */
    async lose(topic: Kept, partition: number): Promise<void> {
      await note(topic, partition, Number.POSITIVE_INFINITY)
      lost[topic].add(partition)
    },
  }
}

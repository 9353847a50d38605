import type { Headroom, LogReader, Topic } from '../../ports/log.ts'

/** `retention`: the topic's retention.ms, below 0 for ever; `now` in ms UTC. Kafka forgets whole files of a log, so a record may stay longer. */
export const headroomOf = async (
  log: LogReader,
  topic: Topic,
  partition: number,
  position: number,
  retention: number,
  now: number,
): Promise<Headroom> => {
  const { earliest } = await log.ends(topic, partition)
  const [first] = await log.read(topic, partition, position, { records: 1, bytes: 1, waitMs: 0 })
  return { records: position - earliest, ms: first && retention >= 0 ? first.time + retention - now : undefined }
}

import type { RecordsBatch } from '@platformatic/kafka'
import type { Clock } from '../../clock.ts'
import type { LogReader, LogRecord, ReadLimits, Topic } from '../../ports/log.ts'
import type { Asker } from './asker.ts'
import { isAnswer } from './errors.ts'
import { type Fetchers, madeAnew, type Place } from './fetchers.ts'
import type { PlaceOf } from './topics.ts'

/** Reads by explicit partition and offset, without a consumer group: who reads what is not Kafka's business. */

/** A fetch asks for between so much and so much, compressed. */
const fetchBytes = { least: 16_384, most: 262_144 } as const

/** Compressed, a record of JSON takes about 80 bytes, and characters a quarter of theirs (services.md): what is fetched beyond the limits is fetched twice. */
const bytesFor = ({ records, bytes }: Room): number =>
  Math.max(fetchBytes.least, Math.min(fetchBytes.most, records * 80, Math.ceil(bytes / 4)))

/** A broker is asked to wait no longer than this at a time, so that one that has died is noticed. */
const sliceMs = 3_000

/** Bits of a batch's attributes. */
const logAppendTime = 8
const control = 32

/** Whether a batch's records carry the broker's time; then it stands in the batch and not in the records. */
const timeOf = ({ attributes, firstTimestamp, maxTimestamp }: RecordsBatch, delta: bigint): number =>
  Number(attributes & logAppendTime ? maxTimestamp : firstTimestamp + delta)

type Room = { records: number; bytes: number }

/** Takes records of a batch from `from` on into the list; false when a limit is reached. A fetch brings whole batches: some lie before `from`. */
const takeBatch = (records: LogRecord[], batch: RecordsBatch, from: number, room: Room): boolean => {
  if (batch.attributes & control) return true
  for (const { offsetDelta, timestampDelta, value } of batch.records) {
    const offset = Number(batch.firstOffset) + offsetDelta
    if (offset < from) continue
    const body = value?.toString() ?? ''
    if (room.records === 0 || (records.length > 0 && room.bytes < body.length)) return false
    records.push({ offset, time: timeOf(batch, timestampDelta), body })
    room.records--
    room.bytes -= body.length
  }
  return true
}

/** What `work` comes to, or `instead` as soon as the signal says so; the work then ends behind it, unheard. */
const unlessAborted = <T>(signal: AbortSignal | undefined, instead: T, work: Promise<T>): Promise<T> => {
  if (!signal) return work
  return new Promise((resolve, reject) => {
    const leave = () => resolve(instead)
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave))
  })
}

/** `placeOf`: where a partition is at the broker. */
export const createReader = (asker: Asker, fetchers: Fetchers, clock: Clock, placeOf: PlaceOf): LogReader => {
  /**
   * The topic id under which a partition's offsets were last told, by topic and partition: records are read under no other one. A topic
   * that is made anew is read again after its new id was told.
   */
  const told = new Map<string, string>()

  const ends: LogReader['ends'] = async (topic, part) => {
    const { name, partition } = await placeOf(topic, part)
    const found = await asker.ends(name, partition)
    told.set(`${topic} ${part}`, found.id)
    return found
  }

  const idOf = async (topic: Topic, partition: number): Promise<string> =>
    told.get(`${topic} ${partition}`) ?? (await ends(topic, partition)).id

  const pause = (ms: number): Promise<void> => (ms > 0 ? new Promise((resolve) => void clock.after(ms, resolve)) : Promise.resolve())

  /** The earliest offset, where that lies after the given one: what was there is forgotten. */
  const earliestAfter = async ({ topic, id, partition }: Place, offset: number): Promise<number | undefined> => {
    const now = await asker.ends(topic, partition)
    if (now.id !== id) throw madeAnew(topic)
    return offset < now.earliest ? now.earliest : undefined
  }

  /** Where reading goes on, and the end of the log where the broker told it. `outside`: there is nothing at that offset. */
  type Step = { next: number; end?: number; outside?: true }

  /** One fetch, into `records`. */
  const step = async (at: Place, from: number, waitMs: number, records: LogRecord[], room: Room): Promise<Step> => {
    try {
      const { batches, end } = await fetchers.fetch(at, from, bytesFor(room), waitMs)
      let next = from
      for (const batch of batches) {
        if (!takeBatch(records, batch, from, room)) return { next }
        next = Math.max(next, Number(batch.firstOffset) + batch.lastOffsetDelta + 1)
      }
      return { next, end }
    } catch (error) {
      if (error instanceof Error && isAnswer(error.cause, 'OFFSET_OUT_OF_RANGE')) return { next: from, outside: true }
      throw error
    }
  }

  /** Waits for a first record, in slices, and then takes what there is up to the limits. */
  const readAll = async (at: Place, offset: number, { waitMs: patience, signal, ...room }: ReadLimits): Promise<LogRecord[]> => {
    const records: LogRecord[] = []
    const until = clock.now() + patience
    let from = offset
    while (!signal?.aborted) {
      const waitMs = records.length > 0 ? 0 : Math.max(0, Math.min(until - clock.now(), sliceMs))
      const { next, end = next, outside } = await step(at, from, waitMs, records, room)
      const begin = outside && (await earliestAfter(at, from))
      if (outside && begin === undefined) await pause(waitMs)
      const more = next < end && next > from && room.records > 0 && room.bytes > 0
      from = begin ?? next
      if (begin === undefined && (records.length > 0 ? !more : clock.now() >= until)) break
    }
    return records
  }

  return {
    ends,
    async read(topic, partition, offset, limits) {
      const work = async () => {
        const place = await placeOf(topic, partition)
        const at = { topic: place.name, id: await idOf(topic, partition), partition: place.partition }
        return readAll(at, Math.max(0, offset), limits)
      }
      return unlessAborted(limits.signal, [], work())
    },
    async offsetAt(topic, partition, time) {
      // Times below 0 mean something else to Kafka.
      if (time <= 0) return (await ends(topic, partition)).earliest
      const place = await placeOf(topic, partition)
      return (await asker.offsetAt(place.name, place.partition, time)) ?? (await ends(topic, partition)).end
    },
  }
}

import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import type { LogWriter } from '../../ports/log.ts'
import type { TopicPlace } from '../../site/generations.ts'
import { logError } from './errors.ts'
import type { Producers } from './producers.ts'
import type { PlaceOf } from './topics.ts'

/**
 * Appends. Each partition has a lane with at most one send under way; what comes meanwhile waits and goes together with the next
 * one, so that many requests share a send. An append is never torn: all its bodies stand in one batch, which Kafka takes whole or not at all.
 */

export type WriterLimits = {
  /** An append that is not answered by then throws; what becomes of it is unknown. */
  appendMs: number
  /** Appends go together up to this many bytes, before compression. A larger one goes alone. */
  sendBytes: number
  /** The largest append, before compression; the topic's max.message.bytes must allow it. */
  appendBytes: number
  /** Of all that waits or is under way. Beyond it an append throws `overloaded` at once. */
  waitingBytes: number
  waitingAppends: number
}

export const defaultWriterLimits: WriterLimits = {
  appendMs: 5_000,
  sendBytes: 1_000_000,
  appendBytes: 16_000_000,
  waitingBytes: 64_000_000,
  waitingAppends: 20_000,
}

/** What a record takes beside its body, at most. */
const recordOverhead = 32

type Append = { values: readonly Buffer[]; bytes: number; done(first: number): void; fail(error: unknown): void }

/** `sentAt`: since when a send is under way. Appends wait in the order they came; one that is given up is taken out. */
type Lane = { waiting: Set<Append>; sentAt: number | undefined; pumping: boolean }

export type Writer = LogWriter & {
  /** Takes nothing more, and waits until all that was taken is answered. */
  drain(): Promise<void>
}

const keyOf = ({ name, partition }: TopicPlace): string => `${name} ${partition}`

/** `endOf` answers the end of a partition that can be written to; it throws when it cannot. `placeOf`: where a partition is at the broker. */
export const createWriter = (
  producers: Producers,
  clock: Clock,
  placeOf: PlaceOf,
  endOf: (place: TopicPlace) => Promise<number>,
  limits: WriterLimits = defaultWriterLimits,
): Writer => {
  const lanes = new Map<string, Lane>()
  const open = new Set<Promise<number>>()
  let closing = false
  let bytesHeld = 0
  let appendsHeld = 0

  const laneOf = (place: TopicPlace): Lane => {
    const key = keyOf(place)
    const found = lanes.get(key)
    if (found) return found
    const lane: Lane = { waiting: new Set(), sentAt: undefined, pumping: false }
    lanes.set(key, lane)
    return lane
  }

  const hold = (append: Append): void => {
    bytesHeld += append.bytes
    appendsHeld++
  }
  const release = (append: Append): void => {
    bytesHeld -= append.bytes
    appendsHeld--
  }

  /** Takes what goes into one send. */
  const takeBatch = ({ waiting }: Lane): Append[] => {
    const batch: Append[] = []
    let bytes = 0
    for (const append of waiting) {
      if (batch.length > 0 && bytes + append.bytes > limits.sendBytes) break
      batch.push(append)
      bytes += append.bytes
      waiting.delete(append)
    }
    return batch
  }

  const sendBatch = async ({ name, partition }: TopicPlace, batch: readonly Append[]): Promise<void> => {
    try {
      const values = batch.flatMap(({ values }) => values)
      let first = await producers.send(name, partition, values)
      for (const { values, done } of batch) {
        done(first)
        first += values.length
      }
    } catch (error) {
      for (const { fail } of batch) fail(logError(error))
    } finally {
      batch.forEach(release)
    }
  }

  const pump = async (place: TopicPlace, lane: Lane): Promise<void> => {
    while (lane.waiting.size > 0) {
      lane.sentAt = clock.now()
      await sendBatch(place, takeBatch(lane))
      lane.sentAt = undefined
    }
    lane.pumping = false
  }

  /** Not before all that came together has been taken in: requests that arrive at once share the first send as well. */
  const start = (place: TopicPlace, lane: Lane): void => {
    if (lane.pumping) return
    lane.pumping = true
    setImmediate(() => void pump(place, lane))
  }

  const tooLate = ({ partition }: TopicPlace): FootfallError => {
    const trouble = producers.trouble(partition)
    const detail = `Kafka has not taken the records within ${limits.appendMs} ms${trouble === undefined ? '' : ` (${trouble})`}.`
    return new FootfallError('log-unavailable', { detail })
  }

  const enqueue = (place: TopicPlace, values: readonly Buffer[], bytes: number): Promise<number> =>
    new Promise((resolve, reject) => {
      const lane = laneOf(place)
      const append: Append = {
        values,
        bytes,
        done(first) {
          cancel()
          resolve(first)
        },
        fail(error) {
          cancel()
          reject(error)
        },
      }
      const cancel = clock.after(limits.appendMs, () => {
        if (lane.waiting.delete(append)) release(append)
        reject(tooLate(place))
      })
      hold(append)
      lane.waiting.add(append)
      start(place, lane)
    })

  const checkRoom = (bytes: number): void => {
    if (bytes > limits.appendBytes)
      throw new RangeError(`An append of ${bytes} bytes is larger than ${limits.appendBytes}: append less at once.`)
    if (appendsHeld > 0 && (bytesHeld + bytes > limits.waitingBytes || appendsHeld >= limits.waitingAppends))
      throw new FootfallError('overloaded', { detail: `${appendsHeld} appends of ${bytesHeld} bytes wait for Kafka.` })
  }

  /** Where a send has been under way for longer than an append may take, another one would fare no better. */
  const checkLane = (place: TopicPlace): void => {
    const sentAt = lanes.get(keyOf(place))?.sentAt
    if (sentAt !== undefined && clock.now() - sentAt > limits.appendMs) throw tooLate(place)
  }

  const follow = (append: Promise<number>): Promise<number> => {
    open.add(append)
    const leave = () => open.delete(append)
    append.then(leave, leave)
    return append
  }

  return {
    async append(topic, part, bodies) {
      const place = await placeOf(topic, part)
      if (closing) throw new FootfallError('stopping')
      if (bodies.length === 0) {
        checkLane(place)
        return endOf(place)
      }
      const values = bodies.map((body) => Buffer.from(body))
      const bytes = values.reduce((sum, { length }) => sum + length + recordOverhead, 0)
      checkRoom(bytes)
      return follow(enqueue(place, values, bytes))
    },
    async drain() {
      closing = true
      await Promise.allSettled(open)
    },
  }
}

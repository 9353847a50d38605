import type { Consumer, RecordsBatch } from '@platformatic/kafka'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import { closeNow, createFetcher, type KafkaAccess } from './clients.ts'
import { within } from './errors.ts'

/**
 * Fetches of one partition at a time. A broker answers the requests of a connection one after another, so each fetch that may wait has a
 * connection of its own: a client for each partition that is read, and another one where a partition is read twice at the same time.
 */
export type Fetched = {
  batches: RecordsBatch[]
  /** The end of what may be read; undefined where the broker had nothing to tell. */
  end: number | undefined
}

/** A partition of a topic, by its name at the broker and its identity. */
export type Place = { topic: string; id: string; partition: number }

export type Fetchers = {
  /** Record batches from the one that holds `offset`; none when nothing comes within `waitMs`. `log-unavailable` for another topic of that name. */
  fetch(at: Place, offset: number, bytes: number, waitMs: number): Promise<Fetched>
  close(): Promise<void>
}

/** A broker may be this late with its answer. */
const graceMs = 5_000

export const madeAnew = (topic: string): FootfallError =>
  new FootfallError('log-unavailable', { detail: `Topic ${topic} was made anew, or is gone: offsets of before mean nothing.` })

const ask = async (fetcher: Consumer, at: Place, offset: number, bytes: number, waitMs: number) => {
  const { topic, id, partition } = at
  const known = (await fetcher.metadata({ topics: [topic] })).topics.get(topic)
  const place = known?.partitions[partition]
  if (!place) throw new Error(`Topic ${topic} has ${known?.partitionsCount ?? 0} partitions, so none of number ${partition}.`)
  if (known.id !== id) throw madeAnew(topic)
  const partitions = [{ partition, fetchOffset: BigInt(offset), partitionMaxBytes: bytes, currentLeaderEpoch: -1, lastFetchedEpoch: -1 }]
  // The topic is asked for by its id: a broker never answers with records of another topic of the same name.
  const topics = [{ topicId: id, partitions }]
  const answer = await fetcher.fetch({ node: place.leader, maxWaitTime: waitMs, minBytes: 1, maxBytes: bytes, isolationLevel: 0, topics })
  const part = answer.responses[0]?.partitions[0]
  return { batches: part?.records ?? [], end: part && Number(part.highWatermark) }
}

export const createFetchers = (access: KafkaAccess, clock: Clock): Fetchers => {
  const idle = new Map<string, Consumer>()
  const all = new Set<Consumer>()
  let closed = false

  const take = (key: string, topic: string): Consumer => {
    const found = idle.get(key)
    idle.delete(key)
    if (found) return found
    const fetcher = createFetcher(access, topic)
    all.add(fetcher)
    return fetcher
  }

  const drop = (fetcher: Consumer): Promise<void> => {
    all.delete(fetcher)
    return closeNow(fetcher)
  }

  const give = (key: string, fetcher: Consumer): void => {
    if (!all.has(fetcher)) return
    if (closed || idle.has(key)) void drop(fetcher)
    else idle.set(key, fetcher)
  }

  return {
    async fetch(at, offset, bytes, waitMs) {
      if (closed) throw new FootfallError('stopping')
      const key = `${at.topic} ${at.partition}`
      const fetcher = take(key, at.topic)
      // After an error nobody knows what the broker's fetch session holds: the client goes with it.
      const late = () => void drop(fetcher)
      try {
        const fetched = await within(clock, waitMs + graceMs, 'answer a read', ask(fetcher, at, offset, bytes, waitMs), late)
        give(key, fetcher)
        return fetched
      } catch (error) {
        late()
        throw error
      }
    },
    async close() {
      closed = true
      await Promise.all([...all].map(drop))
    },
  }
}

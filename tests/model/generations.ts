import { FootfallError } from '#shared/errors.ts'
import type { Generation, GenerationChanges } from '#shared/ports/generations.ts'
import type { LogReader, LogTopics, LogTrimmer, LogWriter, Topic } from '#shared/ports/log.ts'
import { placeIn, topicName } from '#shared/site/generations.ts'

/** Generations of topics over a log that knows none: what Kafka and Cassandra do in the distributed mode, in memory. */

/** The list of generations. */
export const createGenerationList = (first?: Generation): GenerationChanges => {
  const held = new Map(first ? [[first.number, first]] : [])
  return {
    list: async () => [...held.values()].sort((a, b) => a.number - b.number),
    async add(generation) {
      if (held.has(generation.number)) return 'stale'
      held.set(generation.number, generation)
      return 'done'
    },
    async move(number, was, state, at) {
      const found = held.get(number)
      if (found?.state !== was) return 'stale'
      held.set(number, { ...found, state, at })
      return 'done'
    },
  }
}

type Log = LogReader & LogWriter & LogTrimmer

/** Partitions of the log below are numbered in such steps, one for each topic that is ever made (SQLite has 4,096 of them). */
const step = 16

export type Generations = {
  generations: GenerationChanges
  topics: LogTopics
  /** The log with topics in it, which may be closed, deleted, and made anew. */
  log: Log
  /** Deletes a topic. Its records are never read again. */
  drop(name: string): void
}

export const createGenerations = async (log: Log, partitions: number): Promise<Generations> => {
  const made = new Map<string, number>()
  const closed = new Set<string>()
  let topicsMade = 0

  const make = (name: string): string => {
    if (!made.has(name)) made.set(name, topicsMade++)
    return idOf(name)!
  }
  const idOf = (name: string): string | undefined => (made.has(name) ? `topic ${made.get(name)}` : undefined)
  const names = { hits: 'hits', events: 'events', dead: 'dead' }
  const makeAll = (all: Readonly<Record<Topic, string>>) => {
    make(all.dead)
    return { hits: make(all.hits), events: make(all.events) }
  }

  const topics: LogTopics = {
    make: async (all) => makeAll(all),
    ids: async (asked) => new Map(asked.flatMap((name) => (made.has(name) ? [[name, idOf(name)!]] : []))),
    close: async (name) => void closed.add(name),
  }
  const generations = createGenerationList({ number: 0, partitions, hits: 0, ids: makeAll(names), state: 'open', at: 0 })

  const placeOf = async (topic: Topic, part: number): Promise<{ name: string; partition: number }> => {
    const { name, partition } = placeIn(await generations.list(), topic, part)
    const number = made.get(name)
    if (number === undefined) throw new FootfallError('log-unavailable', { detail: `There is no topic ${name}.` })
    return { name, partition: number * step + partition }
  }

  return {
    generations,
    topics,
    log: {
      async append(topic, part, bodies) {
        const { name, partition } = await placeOf(topic, part)
        if (closed.has(name)) throw new FootfallError('log-unavailable', { detail: `The topic ${name} is closed.` })
        return log.append(topic, partition, bodies)
      },
      read: async (topic, part, ...rest) => log.read(topic, (await placeOf(topic, part)).partition, ...rest),
      async ends(topic, part) {
        const { name, partition } = await placeOf(topic, part)
        return { ...(await log.ends(topic, partition)), id: idOf(name)! }
      },
      offsetAt: async (topic, part, time) => log.offsetAt(topic, (await placeOf(topic, part)).partition, time),
      trim: async (topic, part, offset) => log.trim(topic, (await placeOf(topic, part)).partition, offset),
    },
    drop: (name) => void made.delete(name),
  }
}

/** The name of a topic of a generation. */
export const hitsOf = ({ hits }: Generation): string => topicName('hits', hits)
export const eventsOf = ({ number }: Generation): string => topicName('events', number)

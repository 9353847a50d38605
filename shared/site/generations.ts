import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Generation } from '../ports/generations.ts'
import type { Topic } from '../ports/log.ts'

/** Generations of topics (ports/generations.ts): how their partitions are numbered, and what a process knows of them. */

/** A generation has at most 4,096 partitions: the lower 12 bits of a partition's number. */
const partitionBits = 12
const partitionMask = (1 << partitionBits) - 1

/** The number by which all ports know a partition of a generation. */
export const partOf = ({ number }: Pick<Generation, 'number'>, partition: number): number => (number << partitionBits) | partition
/** The number of the generation that a partition is of. */
export const generationOf = (part: number): number => part >> partitionBits

/** All partitions of a generation. */
export const allPartsOf = (generation: Pick<Generation, 'number' | 'partitions'>): number[] =>
  Array.from({ length: generation.partitions }, (_, partition) => partOf(generation, partition))

const unknown = (number: number): FootfallError =>
  new FootfallError('store-unavailable', { detail: `There is no generation ${number} of topics.`, hint: 'Run `footfall migrate`.' })

const byNumber = (list: readonly Generation[], number: number): Generation => {
  const found = list.find((generation) => generation.number === number)
  if (!found) throw unknown(number)
  return found
}

/** The generation that takes hits. Throws `store-unavailable` where there is none. */
export const openIn = (list: readonly Generation[]): Generation => {
  const open = list.findLast(({ state }) => state === 'open')
  if (!open)
    throw new FootfallError('store-unavailable', {
      detail: 'No generation of topics is open.',
      hint: 'Run `footfall migrate` (docs/distributed.md).',
    })
  return open
}

/** Whether a topic of a partition cannot be read any more. */
export const isGone = (list: readonly Generation[], topic: Topic, part: number): boolean => {
  const { state } = byNumber(list, generationOf(part))
  return state === 'gone' || (state === 'cut' && topic === 'hits')
}

/** Of a topic of which `isOwn` is not true. */
export const madeAnew = (topic: Topic): FootfallError =>
  new FootfallError('partition-stopped', { detail: `The ${topic} topic was made anew.`, hint: 'Run `footfall migrate --new-topics`.' })

/** Whether a topic of this identity is that of a partition; another one was made anew, and its offsets mean nothing. */
export const isOwn = (list: readonly Generation[], topic: 'hits' | 'events', part: number, id: string): boolean => {
  const own = byNumber(list, generationOf(part)).ids[topic]
  return own === '' || own === id
}

/** Where the records of a partition are at the log: the name of the topic, and the partition that it is there. */
export type TopicPlace = { name: string; partition: number }

/** The name of a topic of a generation: that of the first one is the topic's own. */
export const topicName = (topic: Topic, number: number): string => (number === 0 ? topic : `${topic}-${number}`)

export const placeIn = (list: readonly Generation[], topic: Topic, part: number): TopicPlace => {
  const { number, hits } = byNumber(list, generationOf(part))
  return { name: topicName(topic, topic === 'hits' ? hits : number), partition: part & partitionMask }
}

/** The same, from what is known; a generation that is not known yet is asked for. */
export const createPlaceOf =
  (known: KnownGenerations) =>
  async (topic: Topic, part: number): Promise<TopicPlace> => {
    const list = await known.list()
    if (list.some(({ number }) => number === generationOf(part))) return placeIn(list, topic, part)
    known.forget()
    return placeIn(await known.list(), topic, part)
  }

/** What a process knows of generations. */
export type KnownGenerations = {
  /** All of them, by number, as they were a few seconds ago at most. Throws `store-unavailable` where what is known is too old. */
  list(): readonly Generation[] | Promise<readonly Generation[]>
  /** They are asked for anew the next time: something says that what is known is out of date. */
  forget(): void
}

/** Who knows the generations: the store itself, or what a process holds of it. */
export type GenerationList = Pick<KnownGenerations, 'list'>

/** The list is read again after so long, while others go on with it. */
const freshMs = 5_000

/** Nobody who can reach the store goes by an older list. `footfall migrate` waits longer, after each change (generationWaitMs). */
const soonMs = 10_000

/** Nothing is asked for anew more often. */
const againMs = 1_000

/** For who reads rows: where the list cannot be read, nothing else of the store can. */
export const readerStaleMs = soonMs
/** For who writes to the log: while the store is away no other generation can begin, and the log refuses who is too late all the same. */
export const writerStaleMs = 24 * 3_600_000

/** How long `footfall migrate` waits until whoever can reach the store has read a change of the list. */
export const generationWaitMs = 15_000

/** Holds the list in memory; while the store cannot be reached the last one stands for `staleMs`. */
export const createKnownGenerations = (generations: GenerationList, clock: Clock, staleMs: number): KnownGenerations => {
  let held: { list: readonly Generation[]; at: number } | undefined
  let isForgotten = false
  let hasFailed = false
  let asked: Promise<readonly Generation[]> | undefined

  /** How old the list is; a clock that was set back tells nothing of it. */
  const ageOf = ({ at }: { at: number }): number => (clock.now() < at ? Number.POSITIVE_INFINITY : clock.now() - at)

  const ask = async (): Promise<readonly Generation[]> => {
    const at = clock.now()
    try {
      const list = await generations.list()
      held = { list, at }
      isForgotten = hasFailed = false
      return list
    } catch (cause) {
      hasFailed = true
      if (held && ageOf(held) < staleMs) return held.list
      throw cause instanceof FootfallError ? cause : new FootfallError('store-unavailable', { cause })
    } finally {
      asked = undefined
    }
  }

  const askOnce = (): Promise<readonly Generation[]> => {
    asked ??= ask()
    return asked
  }

  return {
    list() {
      const age = held ? ageOf(held) : Number.POSITIVE_INFINITY
      if (!held || age >= staleMs) return askOnce()
      if (age < freshMs && !isForgotten) return held.list
      const answer = askOnce()
      // Nobody waits for a store that did not answer the last time: each hit would.
      if (!hasFailed && (age >= soonMs || isForgotten)) return answer
      answer.catch(() => undefined) // whoever finds the list too old is told
      return held.list
    },
    forget() {
      // While the log is down everybody says so, of each hit: once a second is enough.
      if (held && ageOf(held) >= againMs) isForgotten = true
    },
  }
}

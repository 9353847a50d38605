import { type Clock, sleep } from '#shared/clock.ts'
import type { Generation, GenerationChanges, GenerationState } from '#shared/ports/generations.ts'
import type { LogTopics, TopicNames } from '#shared/ports/log.ts'
import { generationWaitMs, openIn, topicName } from '#shared/site/generations.ts'
import { Failure, UsageError } from './command.ts'

/**
 * Sets up the topics, and leads the installation from one generation of them to the next (docs/distributed.md). Hits are taken all the while.
 * Each step is written down before the next, and may be repeated: whoever runs it again goes on where it was interrupted.
 */

export type TopicsWorld = { topics: LogTopics; generations: GenerationChanges; clock: Clock; out(line: string): void }

export type TopicsPlan = {
  /** Partitions of the first generation. */
  partitions: number
  /** Copies of each record, of topics that are made. */
  copies: number
  /** Begins another generation, with so many partitions; undefined = as many as now. */
  next?: { partitions: number | undefined }
  /** What older generations hold and is not taken by now is given up. */
  isLost: boolean
}

/** A generation that ended so long ago holds nothing that its log keeps: Kafka keeps hits and events for three days. */
const retiredMs = 96 * 3_600_000

const namesOf = ({ number, hits }: Pick<Generation, 'number' | 'hits'>): TopicNames => ({
  hits: topicName('hits', hits),
  events: topicName('events', number),
  dead: topicName('dead', number),
})

/** Which of a generation's topics are still its own: not gone, and not made anew. */
const standing = async ({ topics }: TopicsWorld, generation: Generation): Promise<{ hits: boolean; events: boolean }> => {
  const { hits, events } = namesOf(generation)
  const ids = await topics.ids([hits, events])
  return { hits: ids.get(hits) === generation.ids.hits, events: ids.get(events) === generation.ids.events }
}

const list = async (world: TopicsWorld): Promise<Generation[]> => world.generations.list()

/** The first generation, of an installation that has none yet. */
const makeFirst = async (world: TopicsWorld, { partitions, copies }: TopicsPlan): Promise<void> => {
  if ((await list(world)).length > 0) return
  const first = { number: 0, hits: 0, partitions }
  const ids = await world.topics.make(namesOf(first), { partitions, copies })
  await world.generations.add({ ...first, ids, state: 'open', at: world.clock.now() })
}

/** Lists the next generation. Where `hits` was made anew, it is taken over with what came since. */
const beginNext = async (world: TopicsWorld, partitions: number | undefined, copies: number): Promise<void> => {
  const all = await list(world)
  const now = openIn(all)
  const { hits: isWhole } = await standing(world, now)
  if (!isWhole && partitions !== undefined && partitions !== now.partitions)
    throw new UsageError(
      `The topic ${namesOf(now).hits} was made anew, and what came since lies in ${now.partitions} partitions.`,
      'Run it without --partitions first; when that is done, once more with it.',
    )
  const number = all.at(-1)!.number + 1
  const next = { number, hits: isWhole ? number : now.hits, partitions: partitions ?? now.partitions }
  const ids = await world.topics.make(namesOf(next), { partitions: next.partitions, copies, mayHaveMore: !isWhole })
  await world.generations.add({ ...next, ids, state: 'waiting', at: world.clock.now() })
}

const wait = async ({ clock, out }: TopicsWorld, what: string): Promise<void> => {
  out(`${what} (${generationWaitMs / 1_000} s).`)
  await sleep(clock, generationWaitMs)
}

const move = async ({ generations, clock }: TopicsWorld, { number, state }: Generation, now: GenerationState): Promise<void> => {
  // Whoever did it meanwhile has done the same.
  await generations.move(number, state, now, clock.now())
}

/** Readers know of a generation before its first hit comes. True when one was waiting. */
const openWaiting = async (world: TopicsWorld): Promise<boolean> => {
  const waiting = (await list(world)).filter(({ state }) => state === 'waiting')
  if (waiting.length === 0) return false
  await wait(world, 'Everybody is told of the new topics')
  for (const generation of waiting) {
    await move(world, generation, 'open')
    world.out(`Generation ${generation.number} takes hits, in ${generation.partitions} partitions of ${namesOf(generation).hits}.`)
  }
  return true
}

/** A record that says nothing, for trying whether one is taken: no refusals in this hour. */
const probeOf = (now: number): string => JSON.stringify({ v: 1, site: '', led: {}, hour: now - (now % 3_600_000) })

const ends: Readonly<Partial<Record<GenerationState, string>>> = {
  ended: 'takes no more hits; those it has are worked up as ever, and then those of the next one',
  cut: 'has lost its hits; what enrich-session had taken of them is counted, the others are lost',
  gone: 'has no log any more; what rollup-window had taken of it is counted, the rest is lost',
}

/** Ends a generation for good: nothing can be written to it any more, by whomever. */
const end = async (world: TopicsWorld, old: Generation, next: Generation, isLost: boolean): Promise<void> => {
  const { hits, events } = await standing(world, old)
  const names = namesOf(old)
  if (hits && old.hits !== next.hits) await world.topics.close(names.hits, probeOf(world.clock.now()))
  // Hits that are lost may still be in the hands of somebody who sleeps: nobody is to count them once others have looked what was taken.
  if (!hits && events) await world.topics.close(names.events, probeOf(world.clock.now()))
  const whole = hits ? 'ended' : 'cut'
  const state = isLost || !events ? 'gone' : whole
  await move(world, old, state)
  world.out(`Generation ${old.number} ${ends[state]}.`)
}

/** True when there was one to be ended. */
const endOlder = async (world: TopicsWorld, isLost: boolean): Promise<boolean> => {
  const all = await list(world)
  const next = openIn(all)
  const older = all.filter(({ state, number }) => state === 'open' && number < next.number)
  if (older.length === 0) return false
  await wait(world, 'Everybody writes to the new topics')
  for (const old of older) await end(world, old, next, isLost)
  return true
}

/** The log of a generation that ended long ago, or was given up or deleted, is asked no more. */
const retire = async (world: TopicsWorld, isLost: boolean): Promise<void> => {
  const all = await list(world)
  for (const generation of all) {
    if (generation.state !== 'ended' && generation.state !== 'cut') continue
    const isOld = world.clock.now() - generation.at > retiredMs
    if (!isOld && !isLost && (await standing(world, generation)).events) continue
    await move(world, generation, 'gone')
    const { hits, events, dead } = namesOf(generation)
    const unused = all.some((other) => other.number > generation.number && other.hits === generation.hits) ? [events] : [hits, events]
    world.out(`Generation ${generation.number} is done: ${unused.join(' and ')} may be deleted, and ${dead} when nobody looks at it.`)
  }
}

/** Throws unless the open generation has its topics, as they must be. */
const check = async (world: TopicsWorld, { copies, partitions }: TopicsPlan): Promise<void> => {
  const open = openIn(await list(world))
  const { hits, events } = await standing(world, open)
  const names = namesOf(open)
  if (!hits || !events)
    throw new Failure(
      `Of Kafka's topics ${[...(hits ? [] : [names.hits]), ...(events ? [] : [names.events])].join(' and ')} made anew, or gone: partitions are stopped.`,
      'Run `footfall migrate --new-topics`.',
    )
  await world.topics.make(names, { partitions: open.partitions, copies, mayHaveMore: true })
  world.out(`Kafka has all topics; generation ${open.number} takes hits, in ${open.partitions} partitions.`)
  if (partitions !== open.partitions)
    world.out(`FOOTFALL_PARTITIONS (${partitions}) is for the first topics. For so many: footfall migrate --new-topics --partitions N`)
}

/** Throws `bad-setting`, `log-unavailable`, `store-unavailable`, and what the command line says wrong. */
export const migrateTopics = async (world: TopicsWorld, plan: TopicsPlan): Promise<void> => {
  await makeFirst(world, plan)
  const goOn = async (): Promise<boolean> => {
    const [wasWaiting, wasOpen] = [await openWaiting(world), await endOlder(world, plan.isLost)]
    return wasWaiting || wasOpen
  }
  // Who asks for new topics once more, because it was interrupted, means those.
  if (!(await goOn()) && plan.next) {
    await beginNext(world, plan.next.partitions, plan.copies)
    await goOn()
  }
  await retire(world, plan.isLost)
  await check(world, plan)
}

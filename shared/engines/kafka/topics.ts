import {
  type Admin,
  type ClusterTopicMetadata,
  ConfigResourceTypes,
  IncrementalAlterConfigOperationTypes,
  type Producer,
} from '@platformatic/kafka'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import type { LogTopics, Topic, TopicNames, TopicPlan } from '../../ports/log.ts'
import type { TopicPlace } from '../../site/generations.ts'
import { closeNow, createAdmin, createProducer, type KafkaAccess } from './clients.ts'
import { isAnswer, logError } from './errors.ts'

/** The three topics of each generation, as the log needs them (data.md 5). */

export const topics: readonly Topic[] = ['hits', 'events', 'dead']

const hourMs = 3_600_000
const retentionMs: Record<Topic, number> = { hits: 72 * hourMs, events: 72 * hourMs, dead: 30 * 24 * hourMs }

/** Room for the largest append (writer.ts) where nothing of it can be compressed. */
const messageBytes = 17_000_000

/** A setting, the value a topic is made with, and which values of a topic that is there will do. */
type Setting = { name: string; value: string; does(value: string): boolean; because: string }

const settingsOf = (topic: Topic, copies: number): Setting[] => {
  const exactly = (name: string, value: string, because: string): Setting => ({ name, value, does: (is) => is === value, because })
  const atLeast = (name: string, least: number, because: string): Setting => ({
    name,
    value: String(least),
    does: (is) => Number(is) >= least,
    because,
  })
  return [
    exactly('message.timestamp.type', 'LogAppendTime', 'times must be those of the log'),
    exactly('cleanup.policy', 'delete', 'a compacted log forgets records in the middle'),
    exactly('unclean.leader.election.enable', 'false', 'a leader that lacks records loses what was acknowledged'),
    {
      ...atLeast('retention.ms', retentionMs[topic], 'what is not worked up by then is lost'),
      does: (is) => Number(is) === -1 || Number(is) >= retentionMs[topic],
    },
    atLeast('max.message.bytes', messageBytes, 'a batch may be as large'),
    atLeast('min.insync.replicas', copies >= 3 ? 2 : 1, 'what is acknowledged must survive a broker'),
  ]
}

/** Settings of a topic by name, with the broker's own where it has none. */
export const settingsAt = async (admin: Admin, name: string): Promise<Map<string, string>> => {
  const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: name }]
  const [described] = await admin.describeConfigs({ resources })
  return new Map(described!.configs.map(({ name, value }) => [name, value ?? '']))
}

/** Where a partition of a topic is at the brokers, without the prefix. */
export type PlaceOf = (topic: Topic, partition: number) => TopicPlace | Promise<TopicPlace>

type At = KafkaAccess & {
  clock: Clock
  /** In front of the topics' names at the brokers. */
  prefix?: string
}

export type TopicsPlan = At & TopicPlan

const create = (admin: Admin, topic: Topic, name: string, { partitions, copies }: TopicPlan): Promise<unknown> => {
  const configs = settingsOf(topic, copies).map(({ name, value }) => ({ name, value }))
  return admin.createTopics({ topics: [name], partitions, replicas: copies, configs })
}

/** A topic that was just made is not known everywhere at once, nor led: looked for so often, this far apart. */
const known = { tries: 100, everyMs: 100 } as const

/** What a broker answers once it knows the topic. Some other broker may still not. */
const asKnown = async <T>(clock: Clock, ask: () => Promise<T>): Promise<T> => {
  for (let tried = 1; ; tried++) {
    try {
      return await ask()
    } catch (error) {
      if (tried === known.tries) throw error
      await new Promise<void>((resolve) => void clock.after(known.everyMs, resolve))
    }
  }
}

const describeTopic = async (admin: Admin, name: string, clock: Clock): Promise<ClusterTopicMetadata> =>
  (await asKnown(clock, () => admin.metadata({ topics: [name], forceUpdate: true }))).topics.get(name)!

/** What of a topic that is there is not as it must be, each with its cure. */
const faultsOf = async (
  admin: Admin,
  clock: Clock,
  topic: Topic,
  { name, ...found }: ClusterTopicMetadata & { name: string },
  plan: TopicPlan,
): Promise<string[]> => {
  const faults: string[] = []
  if (found.partitionsCount < plan.partitions)
    faults.push(
      `It has ${found.partitionsCount} partitions and not ${plan.partitions}: kafka-topics.sh --alter --topic ${name} --partitions ${plan.partitions}, or set the number that it has (a site's partition follows from it).`,
    )
  if (found.partitionsCount > plan.partitions && !plan.mayHaveMore)
    faults.push(
      `It has ${found.partitionsCount} partitions and not ${plan.partitions}: set the number that it has (a site's partition follows from it), or move to new topics.`,
    )
  const copies = Math.min(...found.partitions.map(({ replicas }) => replicas.length))
  if (copies < plan.copies) faults.push(`It has ${copies} copies and not ${plan.copies}: add replicas with kafka-reassign-partitions.sh.`)
  const settings = await asKnown(clock, () => settingsAt(admin, name))
  for (const { name: setting, value, does, because } of settingsOf(topic, plan.copies)) {
    const is = settings.get(setting) ?? ''
    if (!does(is))
      faults.push(
        `${setting} is ${is}, yet ${because}: kafka-configs.sh --alter --entity-type topics --entity-name ${name} --add-config ${setting}=${value}.`,
      )
  }
  return faults
}

const makeTopics = async (admin: Admin, { clock, prefix = '' }: At, names: TopicNames, plan: TopicPlan): Promise<Map<Topic, string>> => {
  const there = new Set(await admin.listTopics())
  const ids = new Map<Topic, string>()
  for (const topic of topics) {
    const name = `${prefix}${names[topic]}`
    // Somebody else may make it at the same time: what counts is what is there afterwards. Not each broker knows that at once.
    const failed = there.has(name) ? undefined : await create(admin, topic, name, plan).then(() => undefined, asError)
    if (failed && !isAnswer(failed, 'TOPIC_ALREADY_EXISTS')) throw failed
    const found = await describeTopic(admin, name, clock)
    const faults = await faultsOf(admin, clock, topic, { ...found, name }, plan)
    if (faults.length > 0) throw new FootfallError('bad-setting', { detail: `Topic ${name} of Kafka. ${faults.join(' ')}` })
    ids.set(topic, found.id)
  }
  return ids
}

const idsOf = async (admin: Admin, { prefix = '' }: At, names: readonly string[]): Promise<Map<string, string>> => {
  const there = new Set(await admin.listTopics())
  const ids = new Map<string, string>()
  for (const name of names) {
    if (!there.has(`${prefix}${name}`)) continue
    const { topics: found } = await admin.metadata({ topics: [`${prefix}${name}`], forceUpdate: true })
    for (const { id } of found.values()) ids.set(name, id)
  }
  return ids
}

/** No batch is as small, so a topic with this `max.message.bytes` takes none. */
const nothing = '0'

/** So often, so far apart, it is tried whether a closed topic still takes a record. */
const refusal = { tries: 100, everyMs: 100 } as const

/** Whether a partition has refused a record because it takes none any more. */
const isRefused = async (producer: Producer, topic: string, partition: number, probe: string): Promise<boolean> => {
  try {
    await producer.send({ messages: [{ topic, partition, value: Buffer.from(probe) }], compression: 'none' })
    return false
  } catch (error) {
    if (isAnswer(error, 'MESSAGE_TOO_LARGE')) return true
    throw error
  }
}

const closeTopic = async (admin: Admin, { clock, prefix = '', ...access }: At, short: string, probe: string): Promise<void> => {
  const name = `${prefix}${short}`
  const configs = [{ name: 'max.message.bytes', configOperation: IncrementalAlterConfigOperationTypes.SET, value: nothing }]
  await admin.incrementalAlterConfigs({
    resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: name, configs }],
  })
  const { partitionsCount } = await describeTopic(admin, name, clock)
  const producer = createProducer(access, () => refusal.everyMs)
  try {
    for (let partition = 0; partition < partitionsCount; partition++)
      // A leader hears of the setting a moment later than who has set it.
      for (let tried = 1; !(await isRefused(producer, name, partition, probe)); tried++) {
        if (tried === refusal.tries)
          throw new FootfallError('log-unavailable', { detail: `Kafka: ${name} ${partition} takes records, though it was told not to.` })
        await new Promise<void>((resolve) => void clock.after(refusal.everyMs, resolve))
      }
  } finally {
    await closeNow(producer)
  }
}

/** The topics as an administrator sees them; each call has a connection of its own. Errors: `bad-setting`, `log-unavailable`. */
export const openTopics = (at: At): LogTopics => {
  const asking = async <T>(work: (admin: Admin) => Promise<T>): Promise<T> => {
    const admin = createAdmin(at)
    try {
      return await work(admin)
    } catch (error) {
      throw logError(error)
    } finally {
      await closeNow(admin)
    }
  }
  return {
    make: async (names, plan) => {
      const ids = await asking((admin) => makeTopics(admin, at, names, plan))
      return { hits: ids.get('hits')!, events: ids.get('events')! }
    },
    ids: (names) => asking((admin) => idsOf(admin, at, names)),
    close: (name, probe) => asking((admin) => closeTopic(admin, at, name, probe)),
  }
}

/** Makes the topics of an installation of one generation. */
export const createTopics = async ({ partitions, copies, ...at }: TopicsPlan): Promise<void> => {
  await openTopics(at).make({ hits: 'hits', events: 'events', dead: 'dead' }, { partitions, copies })
}

const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)))

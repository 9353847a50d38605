import { Cron } from 'croner'
import { parse } from 'yaml'
import { z } from 'zod'
import { FootfallError } from '../errors.ts'
import type { Topic } from '../ports/log.ts'
import { isOfRetries, type Retries, readRetries } from './retries.ts'

/**
 * What stack.yml says to a trigger, in annotations: `topic`, `schedule` and `com.openfaas.retry.*` are OpenFaaS' own conventions (Kafka and
 * cron connector, queue-worker), `footfall.delivery: fenced` is ours. A function may have a topic and a schedule.
 */
export type Wish = {
  name: string
  topic: Topic | undefined
  /** Where records of the topic are to come one by one; undefined: in batches, from where the function's own fence says. */
  retries: Retries | undefined
  /** Five fields, or a nickname such as @hourly, or `@every 10s`; in UTC. */
  schedule: string | undefined
}

const topics = ['hits', 'events', 'dead'] as const satisfies readonly Topic[]
/** A function with a schedule and no Kafka topic says so by this name (cron-connector). */
const cronTopic = 'cron-function'

/** faas-cli takes a number for its text, too. */
const annotations = z.record(z.string(), z.union([z.string(), z.number().transform(String)]))
const stackSchema = z.looseObject({ functions: z.record(z.string(), z.looseObject({ annotations: annotations.optional() })) })

const every = /^@every (\d+)(s|m|h)$/
const unitMs: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 }

/** When a schedule is due next after `now` (both ms UTC). Throws what the field's own parser says of a schedule that is none. */
export const dueAfter = (schedule: string, now: number): number => {
  const [, count, unit] = every.exec(schedule) ?? []
  if (count !== undefined) {
    const ms = Number(count) * unitMs[unit!]!
    if (ms === 0) throw new TypeError('a time of nothing')
    return (Math.floor(now / ms) + 1) * ms
  }
  const due = new Cron(schedule, { timezone: 'UTC', paused: true }).nextRun(new Date(now))
  if (!due) throw new TypeError('never due')
  return due.getTime()
}

const wrong = (path: string, detail: string, cause?: unknown): FootfallError =>
  new FootfallError('bad-setting', { detail: `${path}: ${detail}`, hint: 'Compare it with the stack.yml that Footfall comes with.', cause })

const parseStack = (path: string, text: string) => {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    throw wrong(path, (cause as Error).message, cause)
  }
  const read = stackSchema.safeParse(value)
  if (read.success) return read.data
  const [issue] = read.error.issues
  throw wrong(path, `${issue!.path.join('.')}: ${issue!.message}`)
}

type Annotations = z.output<typeof annotations>

/** Each of these throws a text that says which annotation cannot be used, and the cure. */
const scheduleOf = ({ schedule }: Annotations): string | undefined => {
  if (schedule === undefined) return undefined
  try {
    dueAfter(schedule, 0)
    return schedule
  } catch (cause) {
    throw new TypeError(`schedule is ${JSON.stringify(schedule)}: ${(cause as Error).message}`, { cause })
  }
}

const isTopic = (text: string): text is Topic => topics.some((topic) => topic === text)

const topicOf = ({ topic }: Annotations): Topic | undefined => {
  if (topic === undefined || topic === cronTopic) return undefined
  if (isTopic(topic)) return topic
  const cure = topic.includes(',')
    ? 'several topics of a function are a matter of OpenFaaS Pro; list the function once for each topic, under names of their own'
    : `expected one of ${topics.join(', ')}, or ${cronTopic}`
  throw new TypeError(`topic is ${JSON.stringify(topic)}: ${cure}`)
}

/** Fenced delivery repeats for ever by itself, and without a topic retries are the queue-worker's matter. */
const retriesOf = (said: Annotations, topic: Topic | undefined): Retries | undefined => {
  const delivery = said['footfall.delivery']
  if (delivery !== undefined && delivery !== 'fenced')
    throw new TypeError(`footfall.delivery is ${JSON.stringify(delivery)}: expected fenced, or nothing for one record a call`)
  const retry = Object.keys(said).find(isOfRetries)
  if (delivery === 'fenced' && retry !== undefined)
    throw new TypeError(`${retry} has no meaning where footfall.delivery is fenced: a batch is repeated until it is taken`)
  if (topic === undefined || delivery === 'fenced') return undefined
  const retries = readRetries(said)
  if (typeof retries === 'string') throw new TypeError(retries)
  return retries
}

const wishOf = (name: string, said: Annotations): Wish => {
  const topic = topicOf(said)
  return { name, topic, retries: retriesOf(said, topic), schedule: scheduleOf(said) }
}

/** The functions that want to be called by a trigger. `path` is for messages. Throws `bad-setting` with what is wrong. */
export const readStack = (path: string, text: string): Wish[] =>
  Object.entries(parseStack(path, text).functions)
    .map(([name, { annotations: said = {} }]) => {
      try {
        return wishOf(name, said)
      } catch (cause) {
        throw wrong(path, `functions.${name}.annotations.${(cause as Error).message}`, cause)
      }
    })
    .filter(({ topic, schedule }) => topic !== undefined || schedule !== undefined)

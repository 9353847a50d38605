import type { Request } from '../handler.ts'
import type { LogRecord, Topic } from '../ports/log.ts'

/**
 * How the trigger hands records of one partition to a function, and what the function may answer. One record a line:
 * `offset time record`. The append time stands with each record (not once per batch), so that it does not depend on how the
 * trigger cuts its batches. A raw line break cannot be part of a JSON text's content, so it is turned into a blank.
 */

/** What the trigger says about a batch, in headers. */
export type BatchFacts = {
  topic: Topic
  partition: number
  /** Append time of the newest record of the partition, or the clock's when caught up, ms UTC. */
  logTime: number
  /** Identity of the topic, as it was told after the batch was read. */
  logId: string
  /** End of the log when the batch was read. */
  logEnd: number
  caughtUp: boolean
  /** First call of a loop, or a repeat after an error: the function checks first what its last call has left behind. */
  retry: boolean
  /** `catchup`: records of `events`, to be folded as they stand. `park`: a record that kills; it is dead, and is not looked at. */
  mode: '' | 'catchup' | 'park'
}

export type Batch = BatchFacts & { records: LogRecord[] }

/**
 * What a function answers: go on at `next`; stand at `seek`; be fed `events` from `catchup` on. `end`: the catching up is done. `soon`: the
 * tick was not enough for what there is to do, another one is wanted soon.
 */
export type BatchAnswer = { next: number; ev?: number; end?: boolean; soon?: boolean } | { seek: number } | { catchup: number }

const lineBreaks = /[\r\n]/g
const lineOf = ({ offset, time, body }: LogRecord): string =>
  `${offset} ${time} ${body.includes('\n') || body.includes('\r') ? body.replace(lineBreaks, ' ') : body}`

/** A call whose connection was cut after the request had gone out: the function may have died of it, or of anything else. */
export class CallCut extends Error {}

/** A call that was not answered in time. The function has the request, and may still be at it. */
export class CallLate extends Error {}

/** A batch as a request; an empty batch is a tick. */
export const encodeBatch = (name: string, { records, ...facts }: Batch): Request => ({
  method: 'POST',
  path: `/function/${name}`,
  query: '',
  headers: {
    'content-type': 'text/plain; charset=utf-8',
    'x-topic': facts.topic,
    'x-partition': String(facts.partition),
    'x-first': records.length === 0 ? undefined : String(records[0]!.offset),
    'x-last': records.length === 0 ? undefined : String(records.at(-1)!.offset),
    'x-log-time': String(facts.logTime),
    'x-log-id': facts.logId,
    'x-log-end': String(facts.logEnd),
    'x-caught-up': facts.caughtUp ? '1' : '0',
    'x-retry': facts.retry ? '1' : '0',
    'x-mode': facts.mode,
  },
  body: Buffer.from(records.map(lineOf).join('\n')),
  address: '127.0.0.1',
})

/**
 * A record as a request of its own, as OpenFaaS' Kafka connector makes one: the body is the value as it is. Records of Footfall have neither a
 * key nor headers, so there is no X-Kafka-Key.
 */
export const encodeRecord = (name: string, topic: Topic, partition: number, { offset, body }: LogRecord): Request => ({
  method: 'POST',
  path: `/function/${name}`,
  query: '',
  headers: {
    'content-type': 'text/plain',
    'x-topic': topic,
    'x-kafka-partition': String(partition),
    'x-kafka-offset': String(offset),
    'x-connector': 'kafka-connector',
  },
  body: Buffer.from(body),
  address: '127.0.0.1',
})

const decodeLine = (line: string): LogRecord => {
  const first = line.indexOf(' ')
  const second = line.indexOf(' ', first + 1)
  return { offset: Number(line.slice(0, first)), time: Number(line.slice(first + 1, second)), body: line.slice(second + 1) }
}

const modeOf = (text: string | undefined): Batch['mode'] => (text === 'catchup' || text === 'park' ? text : '')

/** The batch of a request. The sender is our own trigger; a missing number becomes NaN and fails the first comparison loudly. */
export const decodeBatch = ({ headers, body }: Request): Batch => ({
  topic: headers['x-topic'] as Topic,
  partition: Number(headers['x-partition']),
  logTime: Number(headers['x-log-time']),
  logId: headers['x-log-id'] ?? '',
  logEnd: Number(headers['x-log-end']),
  caughtUp: headers['x-caught-up'] === '1',
  retry: headers['x-retry'] === '1',
  mode: modeOf(headers['x-mode']),
  records: body.length === 0 ? [] : body.toString('utf8').split('\n').map(decodeLine),
})

import type { MessagePort, Worker } from 'node:worker_threads'
import { type ErrorCode, FootfallError } from '../../errors.ts'
import type { LogTrimmer, LogWriter, Topic } from '../../ports/log.ts'
import { type LogFile, type Packed, pack } from './log.ts'

/**
 * log.db has a thread of its own: an fsync takes 0.3 to 4 ms, and the thread that reads requests must not stand still meanwhile.
 * While one group is being committed, the appends that come in form the next: nothing lingers when the log is idle, and under
 * load a commit carries all that arrived during the one before it.
 */
export type LogPort = Pick<Worker | MessagePort, 'postMessage' | 'on'>

type Ask = { kind: 'commit'; parts: Packed[] } | { kind: 'trim'; topic: Topic; partition: number; offset: number }
/** Answers come in the order of the questions. */
type Told = { kind: 'log'; firsts: number[] } | { kind: 'log'; failed: ErrorCode }

/** The most appends one commit takes; the rest waits for the next. */
const groupLimit = 4_096

type Waiting = {
  topic: Topic
  partition: number
  bodies: readonly string[]
  resolve: (first: number) => void
  reject: (error: FootfallError) => void
}

/** Appends of one partition that travel together. */
type Part = { topic: Topic; partition: number; appends: Waiting[] }

/** Appends by partition, in their order: cloning a few long texts between threads costs less than thousands of small objects. */
const partsOf = (group: readonly Waiting[]): Part[] => {
  const parts: Part[] = []
  for (const append of group) {
    const part = parts.find(({ topic, partition }) => topic === append.topic && partition === append.partition)
    if (part) part.appends.push(append)
    else parts.push({ topic: append.topic, partition: append.partition, appends: [append] })
  }
  return parts
}

const packPart = ({ topic, partition, appends }: Part): Packed =>
  pack(
    topic,
    partition,
    appends.flatMap(({ bodies }) => bodies),
  )

/** The near side: the log port's writes, carried out by the thread behind `port`. */
export const createThreadWriter = (port: LogPort): LogWriter & LogTrimmer => {
  let waiting: Waiting[] = []
  let committing: Part[] | undefined
  let gone = false
  const trims: { resolve: () => void; reject: (error: FootfallError) => void }[] = []
  const order: ('commit' | 'trim')[] = []
  let isPlanned = false

  const send = () => {
    isPlanned = false
    if (committing || waiting.length === 0) return
    committing = partsOf(waiting.slice(0, groupLimit))
    waiting = waiting.slice(groupLimit)
    order.push('commit')
    port.postMessage({ kind: 'commit', parts: committing.map(packPart) } satisfies Ask)
  }
  /** A turn of the event loop reads all requests that have arrived: they go together. */
  const plan = () => {
    if (isPlanned || committing) return
    isPlanned = true
    setImmediate(send)
  }

  const finishPart = ({ appends }: Part, first: number) => {
    let offset = first
    for (const { bodies, resolve } of appends) {
      resolve(offset)
      offset += bodies.length
    }
  }

  const finishCommit = (told: Told) => {
    const parts = committing!
    committing = undefined
    send()
    if ('failed' in told) for (const { reject } of parts.flatMap(({ appends }) => appends)) reject(new FootfallError(told.failed))
    else for (const [i, part] of parts.entries()) finishPart(part, told.firsts[i]!)
  }

  port.on('message', (told: Told) => {
    if (told.kind !== 'log') return
    if (order.shift() === 'commit') return finishCommit(told)
    const trim = trims.shift()!
    if ('failed' in told) trim.reject(new FootfallError(told.failed))
    else trim.resolve()
  })
  port.on(port instanceof Object && 'threadId' in port ? 'exit' : 'close', () => {
    gone = true
    // Nobody knows whether the last group is in the log: the senders ask again with the same ids.
    const lost = (committing ?? []).flatMap(({ appends }) => appends)
    for (const { reject } of [...lost, ...waiting, ...trims]) reject(new FootfallError('log-unavailable'))
    waiting = []
  })

  return {
    append: (topic, partition, bodies) =>
      new Promise((resolve, reject) => {
        if (gone) return reject(new FootfallError('log-unavailable'))
        waiting.push({ topic, partition, bodies, resolve, reject })
        plan()
      }),
    trim: (topic, partition, offset) =>
      new Promise((resolve, reject) => {
        if (gone) return reject(new FootfallError('log-unavailable'))
        trims.push({ resolve, reject })
        order.push('trim')
        port.postMessage({ kind: 'trim', topic, partition, offset } satisfies Ask)
      }),
  }
}

const codeOf = (error: unknown): ErrorCode => (error instanceof FootfallError ? error.code : 'log-unavailable')

/** The far side: carries out what is asked, in order. */
export const serveThreadWriter = (port: LogPort, file: LogFile): void => {
  const carryOut = (ask: Ask): Told => {
    try {
      if (ask.kind === 'commit') return { kind: 'log', firsts: file.commit(ask.parts) }
      file.trim(ask.topic, ask.partition, ask.offset)
      return { kind: 'log', firsts: [] }
    } catch (error) {
      return { kind: 'log', failed: codeOf(error) }
    }
  }
  port.on('message', (ask: Ask) => {
    if (ask.kind === 'commit' || ask.kind === 'trim') port.postMessage(carryOut(ask))
  })
}

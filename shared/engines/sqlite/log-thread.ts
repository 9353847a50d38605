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
type Told = { kind: 'log'; firsts: number[]; more?: true } | { kind: 'log'; failed: ErrorCode }

/**
 * `appends` and `chars`: the most one commit takes (one append always goes); the rest waits for the next. `waitingChars`: with more than
 * that waiting, an append is refused: a disk that cannot follow must not fill the memory.
 */
export const groupLimits = { appends: 4_096, chars: 8_000_000, waitingChars: 64_000_000 } as const

type Waiting = {
  topic: Topic
  partition: number
  bodies: readonly string[]
  chars: number
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

/** How many of those that wait go together. */
const groupSize = (waiting: readonly Waiting[]): number => {
  let n = 0
  let chars = 0
  while (n < waiting.length && n < groupLimits.appends && (n === 0 || chars + waiting[n]!.chars <= groupLimits.chars))
    chars += waiting[n++]!.chars
  return n
}

const charsOf = (bodies: readonly string[]): number => bodies.reduce((sum, { length }) => sum + length, 0)

type Trim = { topic: Topic; partition: number; offset: number; resolve: () => void; reject: (error: FootfallError) => void }

/** The near side: the log port's writes, carried out by the thread behind `port`. */
export const createThreadWriter = (port: LogPort): LogWriter & LogTrimmer => {
  let waiting: Waiting[] = []
  let waitingChars = 0
  let committing: Part[] | undefined
  let gone = false
  const trims: Trim[] = []
  const order: ('commit' | 'trim')[] = []
  let isPlanned = false

  const send = () => {
    isPlanned = false
    if (committing || waiting.length === 0) return
    const n = groupSize(waiting)
    const group = waiting.slice(0, n)
    waiting = waiting.slice(n)
    for (const { chars } of group) waitingChars -= chars
    committing = partsOf(group)
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

  /** What is durable is told first: making the next message copies megabytes. */
  const finishCommit = (told: Told) => {
    const parts = committing!
    committing = undefined
    if ('failed' in told) for (const { reject } of parts.flatMap(({ appends }) => appends)) reject(new FootfallError(told.failed))
    else for (const [i, part] of parts.entries()) finishPart(part, told.firsts[i]!)
    send()
  }

  /** A trim goes slice by slice, each behind the commits that were sent meanwhile. */
  const sendTrim = (trim: Trim) => {
    const { topic, partition, offset } = trim
    trims.push(trim)
    order.push('trim')
    port.postMessage({ kind: 'trim', topic, partition, offset } satisfies Ask)
  }
  const finishTrim = (told: Told) => {
    const trim = trims.shift()!
    if ('failed' in told) trim.reject(new FootfallError(told.failed))
    else if (told.more) sendTrim(trim)
    else trim.resolve()
  }

  port.on('message', (told: Told) => {
    if (told.kind !== 'log') return
    if (order.shift() === 'commit') finishCommit(told)
    else finishTrim(told)
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
        const chars = charsOf(bodies)
        if (waiting.length > 0 && waitingChars + chars > groupLimits.waitingChars) return reject(new FootfallError('overloaded'))
        waiting.push({ topic, partition, bodies, chars, resolve, reject })
        waitingChars += chars
        plan()
      }),
    trim: (topic, partition, offset) =>
      new Promise((resolve, reject) => {
        if (gone) return reject(new FootfallError('log-unavailable'))
        sendTrim({ topic, partition, offset, resolve, reject })
      }),
  }
}

const codeOf = (error: unknown): ErrorCode => (error instanceof FootfallError ? error.code : 'log-unavailable')

/** The far side: carries out what is asked, in order. Only the code of a failure goes over the port, so `onFailure` is told all of it here. */
export const serveThreadWriter = (port: LogPort, file: LogFile, onFailure: (error: unknown) => void = () => undefined): void => {
  const carryOut = (ask: Ask): Told => {
    try {
      if (ask.kind === 'commit') return { kind: 'log', firsts: file.commit(ask.parts) }
      const more = file.trim(ask.topic, ask.partition, ask.offset) === 'more'
      return more ? { kind: 'log', firsts: [], more } : { kind: 'log', firsts: [] }
    } catch (error) {
      onFailure(error)
      return { kind: 'log', failed: codeOf(error) }
    }
  }
  port.on('message', (ask: Ask) => {
    if (ask.kind === 'commit' || ask.kind === 'trim') port.postMessage(carryOut(ask))
  })
}

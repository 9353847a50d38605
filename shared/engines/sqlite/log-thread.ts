import type { MessagePort, Worker } from 'node:worker_threads'
import { type ErrorCode, FootfallError } from '../../errors.ts'
import type { LogTrimmer, LogWriter, Topic } from '../../ports/log.ts'
import type { Append, LogFile } from './log.ts'

/**
 * log.db has a thread of its own: an fsync takes 0.3 to 4 ms, and the thread that reads requests must not stand still meanwhile.
 * While one group is being committed, the appends that come in form the next: nothing lingers when the log is idle, and under
 * load a commit carries all that arrived during the one before it.
 */
export type LogPort = Pick<Worker | MessagePort, 'postMessage' | 'on'>

type Ask = { kind: 'commit'; group: Packed } | { kind: 'trim'; topic: Topic; partition: number; offset: number }
/** Answers come in the order of the questions. */
type Told = { kind: 'log'; firsts: Float64Array } | { kind: 'log'; failed: ErrorCode }

/** The most appends one commit takes; the rest waits for the next. */
const groupLimit = 4_096

/** A group as few values, all bodies in one text: cloning thousands of small objects between threads costs more than writing them. */
type Packed = { targets: { topic: Topic; partition: number }[]; appends: Uint32Array; lengths: Uint32Array; text: string }

const pack = (group: readonly Append[]): Packed => {
  const targets: Packed['targets'] = []
  const appends = new Uint32Array(group.length * 2)
  const bodies: string[] = []
  for (const [i, { topic, partition, bodies: own }] of group.entries()) {
    let target = targets.findIndex((known) => known.topic === topic && known.partition === partition)
    if (target === -1) target = targets.push({ topic, partition }) - 1
    appends[i * 2] = target
    appends[i * 2 + 1] = own.length
    for (const body of own) bodies.push(body)
  }
  return { targets, appends, lengths: Uint32Array.from(bodies, ({ length }) => length), text: bodies.join('') }
}

const unpack = ({ targets, appends, lengths, text }: Packed): Append[] => {
  const group: Append[] = []
  let at = 0
  let next = 0
  for (let i = 0; i < appends.length; i += 2) {
    const bodies: string[] = []
    for (let n = appends[i + 1]!; n > 0; n--) bodies.push(text.slice(at, (at += lengths[next++]!)))
    group.push({ ...targets[appends[i]!]!, bodies })
  }
  return group
}

type Waiting = Append & { resolve: (first: number) => void; reject: (error: FootfallError) => void }

/** The near side: the log port's writes, carried out by the thread behind `port`. */
export const createThreadWriter = (port: LogPort): LogWriter & LogTrimmer => {
  let waiting: Waiting[] = []
  let committing: Waiting[] | undefined
  let gone = false
  const trims: { resolve: () => void; reject: (error: FootfallError) => void }[] = []
  const order: ('commit' | 'trim')[] = []
  let isPlanned = false

  const send = () => {
    isPlanned = false
    if (committing || waiting.length === 0) return
    committing = waiting.slice(0, groupLimit)
    waiting = waiting.slice(groupLimit)
    order.push('commit')
    port.postMessage({ kind: 'commit', group: pack(committing) } satisfies Ask)
  }
  /** A turn of the event loop reads all requests that have arrived: they go together. */
  const plan = () => {
    if (isPlanned || committing) return
    isPlanned = true
    setImmediate(send)
  }

  const finishCommit = (told: Told) => {
    const group = committing!
    committing = undefined
    send()
    for (const [i, { resolve, reject }] of group.entries()) {
      if ('failed' in told) reject(new FootfallError(told.failed))
      else resolve(told.firsts[i]!)
    }
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
    for (const { reject } of [...(committing ?? []), ...waiting, ...trims]) reject(new FootfallError('log-unavailable'))
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
      if (ask.kind === 'commit') return { kind: 'log', firsts: Float64Array.from(file.commit(unpack(ask.group))) }
      file.trim(ask.topic, ask.partition, ask.offset)
      return { kind: 'log', firsts: new Float64Array() }
    } catch (error) {
      return { kind: 'log', failed: codeOf(error) }
    }
  }
  port.on('message', (ask: Ask) => {
    if (ask.kind === 'commit' || ask.kind === 'trim') port.postMessage(carryOut(ask))
  })
}

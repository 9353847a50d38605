import type { Reply } from '../handler.ts'

/** Whether a replica is to be given requests (`/_/ready`). Alive (`/_/health`) is another question, and asks nobody. */
export type Reach = () => Promise<Reply>

const ready: Reply = { status: 200, body: 'ready\n' }
const ending: Reply = { status: 503, body: 'ending\n' }

/**
 * Ready once every server has answered, and from then on whatever becomes of them. So no replica that cannot reach them (a wrong setting, a closed
 * network) takes the place of one that can; and when a server is away, all replicas go on answering, each with its own error that says
 * which one, where otherwise nobody would be left to answer at all.
 */
export const reachedOnce = (questions: readonly (() => Promise<unknown>)[]): Reach => {
  let reached: Promise<unknown> | undefined
  return async () => {
    // Whoever asks meanwhile waits for the same answer.
    reached ??= Promise.all(questions.map((ask) => ask())).catch((error: unknown) => {
      reached = undefined
      throw error
    })
    await reached
    return ready
  }
}

/** Not once the function is to end, so that it is given no new requests while it still takes them; else what `reach` says. */
export const createReady =
  (isEnding: () => boolean, reach: Reach): Reach =>
  () =>
    isEnding() ? Promise.resolve(ending) : reach()

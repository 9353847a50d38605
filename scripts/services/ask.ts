import { connect } from 'node:net'

/** The shortest question in a server's own protocol, to see whether it lives. A server that is stopped or starting is silent: no. */

const answerWithinMs = 1_500

/** Sends `question` as soon as it is connected; whether what comes back satisfies `isAnswer` in time. Never rejects. */
export const ask = (host: string, port: number, question: string | Uint8Array, isAnswer: (got: Buffer) => boolean): Promise<boolean> =>
  new Promise((resolve) => {
    let got = Buffer.alloc(0)
    const socket = connect({ host, port })
    const end = (answer: boolean) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(answer)
    }
    const timer = setTimeout(() => end(false), answerWithinMs)
    socket.once('connect', () => socket.write(question))
    socket.on('data', (part) => {
      got = Buffer.concat([got, part])
      if (isAnswer(got)) end(true)
    })
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
  })

/** Whether `GET path` is answered with 200. Never rejects. */
export const askHttp = async (host: string, port: number, path: string): Promise<boolean> => {
  try {
    const answer = await fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(answerWithinMs) })
    await answer.body?.cancel()
    return answer.status === 200
  } catch {
    return false // no connection, or no answer in time: it is not healthy
  }
}

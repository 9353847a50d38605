import { connect, type Socket } from 'node:net'
import { patienceMs } from './server.ts'

/** A connection of bytes, for what no HTTP client would send. */
export type Raw = {
  socket: Socket
  /** Writes; never fails, also when the other end has gone. */
  write(data: string | Buffer): void
  /** All that has come so far. */
  got(): string
  /** Resolves when the text has come, false when the connection ends or time runs out before. */
  receives(text: string, withinMs?: number): Promise<boolean>
  /** Resolves when the other end closes, false when time runs out before. */
  closes(withinMs?: number): Promise<boolean>
  end(): void
}

export const openRaw = (port: number): Promise<Raw> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let got = ''
    let isClosed = false
    const watchers = new Set<() => void>()
    const changed = () => {
      for (const watch of watchers) watch()
    }
    const wait = (isDone: () => boolean | undefined, withinMs: number): Promise<boolean> =>
      new Promise((done) => {
        const timer = setTimeout(() => finish(false), withinMs)
        const finish = (answer: boolean) => {
          clearTimeout(timer)
          watchers.delete(look)
          done(answer)
        }
        const look = () => {
          const answer = isDone()
          if (answer !== undefined) finish(answer)
        }
        watchers.add(look)
        look()
      })
    socket.setEncoding('latin1')
    socket.on('data', (piece: string) => {
      got += piece
      changed()
    })
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => undefined) // a reset is an end like any other
      resolve({
        socket,
        write: (data) => void (socket.writable && socket.write(data)),
        got: () => got,
        receives: (text, withinMs = patienceMs) => wait(() => (got.includes(text) ? true : isClosed ? false : undefined), withinMs),
        closes: (withinMs = patienceMs) => wait(() => (isClosed ? true : undefined), withinMs),
        end: () => socket.destroy(),
      })
    })
    socket.once('error', reject)
    socket.once('close', () => {
      isClosed = true
      changed()
    })
  })

/** Status codes of all answers in what has come. */
export const statuses = (text: string): number[] => [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, code]) => Number(code))

/** A whole POST of a hit as text. */
export const postText = (body: string, headers: readonly string[] = []): string =>
  `${['POST /api/hit HTTP/1.1', 'Host: localhost', `Content-Length: ${Buffer.byteLength(body)}`, ...headers].join('\r\n')}\r\n\r\n${body}`

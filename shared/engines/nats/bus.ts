import { AuthorizationError, connect, type NatsConnection, type Subscription } from '@nats-io/transport-node'
import type { Clock } from '../../clock.ts'
import type { Bus } from '../../ports/bus.ts'
import { natsSubject } from './subject.ts'

/**
 * bus on NATS. Nothing is kept for later: what is published while there is no connection, or faster than the server takes it, is dropped.
 */
export type NatsBus = Bus & {
  /** Resolves when the server has all that was subscribed and published so far, and connects for it if need be. */
  settled(): Promise<void>
  close(): Promise<void>
}

export type NatsOptions = {
  /** `nats://host:port` of some of the servers. */
  servers: readonly string[]
  /** Who we are; without it nobody asks. */
  login?: { user: string; password: string } | { token: string } | undefined
  /** TLS only. `ca`: authorities, PEM, in place of those that Node.js knows. */
  tls?: { ca: string | undefined } | undefined
  clock: Clock
  /** Hears that the connection is gone or cannot be made, and of what a subscriber throws. */
  onError(error: unknown): void
}

const reconnectMs = 500
const connectMs = 2_000

/** A server that has answered none of two questions, this far apart, is given up. */
const pingMs = 5_000

/** Characters on their way to the server. A server that stands still costs no more memory than that. */
const unansweredLimit = 4_000_000

type Listening = { takers: Set<(message: string) => void>; at?: Subscription }

const accessOf = (login: NatsOptions['login'], tls: NatsOptions['tls']) => ({
  ...(login && ('token' in login ? login : { user: login.user, pass: login.password })),
  ...(tls && { tls: tls.ca === undefined ? {} : { ca: tls.ca } }),
})

const told = (error: unknown): unknown =>
  error instanceof AuthorizationError
    ? new Error(`NATS refuses the login (${error.message}): compare FOOTFALL_NATS_USER and FOOTFALL_NATS_PASSWORD_FILE with its users.`, {
        cause: error,
      })
    : error

/** Does no I/O: connects at the first message or subscription, and again for ever. */
export const openNats = ({ servers, login, tls, clock, onError }: NatsOptions): NatsBus => {
  const listening = new Map<string, Listening>()
  let connection: NatsConnection | undefined
  let connecting: Promise<void> | undefined
  let connected = false
  let closed = false
  let unanswered = 0
  let flushing = false

  const hear = ({ takers }: Listening, message: string): void => {
    for (const take of takers) {
      try {
        take(message)
      } catch (error) {
        onError(error)
      }
    }
  }

  const listen = (to: NatsConnection, subject: string, heard: Listening): void => {
    heard.at = to.subscribe(natsSubject(subject), {
      callback: (error, message) => (error ? onError(error) : hear(heard, message.string())),
    })
  }

  /** Follows a connection until it is closed for good. The driver makes it again by itself, and subscribes again. */
  const follow = async (to: NatsConnection): Promise<void> => {
    for await (const { type } of to.status()) {
      if (type === 'disconnect') {
        connected = false
        unanswered = 0
        onError(new Error('NATS: the connection is gone.'))
      }
      if (type === 'reconnect') connected = true
    }
  }

  const adopt = (to: NatsConnection): void => {
    connection = to
    connected = true
    for (const [subject, heard] of listening) listen(to, subject, heard)
    follow(to).catch(onError)
    void to.closed().then((error) => {
      connected = false
      connection = undefined
      if (error) onError(error)
      if (!closed) start()
    })
  }

  const pause = (): Promise<void> => new Promise((resolve) => void clock.after(reconnectMs, resolve))

  const connectOnce = (): Promise<NatsConnection> =>
    connect({
      servers: [...servers],
      ...accessOf(login, tls),
      timeout: connectMs,
      maxReconnectAttempts: -1,
      reconnectTimeWait: reconnectMs,
      pingInterval: pingMs,
      maxPingOut: 2,
      ignoreAuthErrorAbort: true,
    })

  /** Tries until there is a connection. That it fails is told once. */
  const connectAtLast = async (): Promise<void> => {
    let isTold = false
    while (!closed) {
      try {
        const made = await connectOnce()
        if (closed) return await made.close()
        return adopt(made)
      } catch (error) {
        if (!isTold && !closed) onError(told(error))
        isTold = true
        await pause()
      }
    }
  }

  function start(): Promise<void> {
    connecting ??= connectAtLast().finally(() => {
      connecting = undefined
    })
    return connecting
  }

  /** Asks the server whether it has taken what was sent; one question at a time. */
  const confirm = (to: NatsConnection): void => {
    if (flushing) return
    flushing = true
    const asked = unanswered
    to.flush()
      .then(() => {
        unanswered = Math.max(0, unanswered - asked)
      })
      // The connection went meanwhile, which `follow` tells.
      .catch(() => undefined)
      .finally(() => {
        flushing = false
        if (connected && unanswered > 0 && connection) confirm(connection)
      })
  }

  return {
    publish(subject, message) {
      if (closed) return
      if (!connection) return void start()
      if (!connected || unanswered > unansweredLimit) return
      try {
        connection.publish(natsSubject(subject), message)
        unanswered += message.length
        confirm(connection)
      } catch (error) {
        onError(error)
      }
    },
    subscribe(subject, take) {
      const heard: Listening = listening.get(subject) ?? { takers: new Set() }
      // The same function may subscribe twice: each is a listener of its own.
      const taker = (message: string) => take(message)
      heard.takers.add(taker)
      if (!listening.has(subject)) {
        listening.set(subject, heard)
        if (connection) listen(connection, subject, heard)
        else if (!closed) void start()
      }
      return () => {
        heard.takers.delete(taker)
        if (heard.takers.size > 0 || listening.get(subject) !== heard) return
        listening.delete(subject)
        heard.at?.unsubscribe()
      }
    },
    async settled() {
      if (!connection) await start()
      await connection?.flush()
    },
    async close() {
      closed = true
      listening.clear()
      await connection?.close()
      await connecting
    },
  }
}

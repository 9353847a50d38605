import { isIP } from 'node:net'
import { TLSSocket } from 'node:tls'
import { Admin, type Base, Consumer, type Producer, Producer as ProducerOf, type RetryDelayGetter } from '@platformatic/kafka'

/** Clients of the driver, set as we use them. Making one does no I/O: it connects when it is first asked. */

/** A request that a broker has not answered by then has its connection closed, and is tried at another broker or once more. */
export const requestMs = { produce: 10_000, fetch: 6_000, ask: 2_000 } as const

/** A broker that does not take a connection by then is passed over. */
const connectMs = 2_000

/** The brokers, and how they are spoken to. */
export type KafkaAccess = {
  /** `host:port` of some of them. */
  brokers: readonly string[]
  /** Who we are (SASL); without it nobody asks. */
  login?: { user: string; password: string; mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' } | undefined
  /** TLS only. `ca`: authorities, PEM, in place of those that Node.js knows. */
  tls?: { ca: string | undefined } | undefined
}

/** Whether a broker is named by a name: that may be told to it before TLS begins (SNI), an address may not. */
const hasName = (broker: string): boolean => isIP(broker.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')) === 0

let made = 0
/** Each client begins at another broker, so that one that stands still is not everybody's first. */
const common = ({ brokers, login, tls }: KafkaAccess) => {
  const first = made++ % brokers.length
  return {
    clientId: 'footfall',
    bootstrapBrokers: [...brokers.slice(first), ...brokers.slice(0, first)],
    connectTimeout: connectMs,
    autocreateTopics: false,
    ...(login && { sasl: { mechanism: login.mechanism, username: login.user, password: login.password } }),
    ...(tls && { tls: tls.ca === undefined ? {} : { ca: tls.ca }, tlsServerName: brokers.every(hasName) }),
  }
}

/** `onRetry` hears each error that a send goes on in spite of; it answers how long to wait before it does. */
export const createProducer = (access: KafkaAccess, onRetry: RetryDelayGetter): Producer =>
  new ProducerOf({ ...common(access), idempotent: true, acks: -1, retryDelay: onRetry, requestTimeout: requestMs.produce })

/** Reads one topic by partition and offset. Its group id is demanded by the driver; it never joins a group. */
export const createFetcher = (access: KafkaAccess, topic: string): Consumer => {
  const consumer = new Consumer({ ...common(access), groupId: 'unused', retries: 1, retryDelay: 100, requestTimeout: requestMs.fetch })
  consumer.topics.track(topic)
  return consumer
}

/** Asks for offsets and topics; never for a long time. Its tries go round the brokers. */
export const createAsker = (access: KafkaAccess): Consumer =>
  new Consumer({ ...common(access), groupId: 'unused', retries: 2, retryDelay: 100, requestTimeout: requestMs.ask })

export const createAdmin = (access: KafkaAccess): Admin =>
  new Admin({ ...common(access), retries: 2, retryDelay: 100, requestTimeout: requestMs.produce })

type Closable = Base & { close(): Promise<void> }

/**
 * Ends a client at once. Its connections are reset: what this machine's kernel still holds for a broker that does not read is not sent
 * later. One of TLS cannot be reset, only closed. Its calls are rejected. Never rejects itself: a connection that cannot be closed is gone
 * all the same.
 */
export const closeNow = async (client: Closable): Promise<void> => {
  const sockets = Array.from(client.connections, ([, { socket }]) => socket).filter((socket) => socket !== undefined)
  for (const socket of sockets) {
    // The reset alone would wait until all is written.
    if (!socket.connecting && !(socket instanceof TLSSocket)) socket.resetAndDestroy()
    socket.destroy()
  }
  await client.close().catch(() => undefined)
  // The client listens to them no more, and a broker may still answer a TLS connection that was cut with an alert: nobody's error, which would
  // end the process (seen).
  for (const socket of sockets) socket.on('error', () => undefined)
}

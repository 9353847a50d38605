import { Cluster, Redis, type RedisOptions } from 'ioredis'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'

/**
 * The one connection of a process to a Redis server or Cluster. It connects at the first command and again by itself whenever it is cut;
 * a command waits for it, and for its answer, no longer than the deadline. Whatever keeps the server from answering is
 * `store-unavailable`; whether the command was carried out is unknown then, so everything that is sent here may be repeated.
 */
export type Connection = {
  /** Sends one command. Errors of the command itself (a bug) stay what they are. */
  send(command: string, args: readonly (string | number)[]): Promise<unknown>
  /** INFO memory of each server that takes writes, by its address. */
  memory(): Promise<readonly { node: string; info: string }[]>
  /** Ends the connection; what waits for an answer is `store-unavailable`. */
  close(): Promise<void>
}

export type ConnectionOptions = {
  /** `redis://[user:password@]host:port`, or `rediss:` for TLS; several are nodes of a Cluster. */
  urls: readonly string[]
  /** Of `rediss:`. `ca`: authorities, PEM, in place of those that Node.js knows. */
  tls?: { ca: string | undefined } | undefined
  clock: Pick<Clock, 'after'>
  deadlineMs?: number
}

const defaultDeadlineMs = 5_000
/** A server that has said nothing for so many deadlines is taken to be gone, and connected to anew. */
const silentDeadlines = 2
const closeMs = 3_000

const unavailable = (cause: unknown, detail?: string): FootfallError =>
  new FootfallError('store-unavailable', { cause, ...(detail && { detail }) })

/** What a server answers that works and cannot do it now: no memory, loading, moving slots, failing over, wrong password. */
const cannotNow =
  /^(OOM|LOADING|BUSY|MASTERDOWN|READONLY|CLUSTERDOWN|MOVED|ASK|TRYAGAIN|NOREPLICAS|MISCONF|NOAUTH|WRONGPASS|NOPERM) |Script attempted to (access a non local key|execute a write command while the cluster)/

/** An error of the driver as one of ours. */
const translated = (error: unknown): unknown => {
  if (error instanceof FootfallError) return error
  if (!(error instanceof Error) || error.name !== 'ReplyError') return unavailable(error)
  return cannotNow.test(error.message) ? unavailable(error, error.message) : error
}

const wait = (attempt: number): number => Math.min(50 * 2 ** Math.min(attempt, 10), 1_000)

const optionsOf = (url: string, ca: string | undefined, deadlineMs: number): RedisOptions & { host: string; port: number } => {
  const { protocol, hostname, port, username, password } = new URL(url)
  return {
    host: hostname,
    port: Number(port || 6379),
    ...(username && { username: decodeURIComponent(username) }),
    ...(password && { password: decodeURIComponent(password) }),
    ...(protocol === 'rediss:' && { tls: ca === undefined ? {} : { ca } }),
    lazyConnect: true,
    connectTimeout: deadlineMs,
    commandTimeout: deadlineMs,
    socketTimeout: silentDeadlines * deadlineMs,
    // A command whose answer was lost fails at once; the driver would send it again some time later, when nobody waits for it.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    enableOfflineQueue: false,
    retryStrategy: wait,
    // A master that has become a replica: another one is found behind the same address.
    reconnectOnError: (error) => error.message.startsWith('READONLY '),
    disableClientInfo: true,
  }
}

const open = ({ urls, tls }: ConnectionOptions, deadlineMs: number): Redis | Cluster => {
  const nodes = urls.map((url) => optionsOf(url, tls?.ca, deadlineMs))
  // Commands of one turn go out together, in the order they were given.
  if (nodes.length === 1) return new Redis({ ...nodes[0]!, enableAutoPipelining: true })
  const { host: _host, port: _port, ...redisOptions } = nodes[0]!
  return new Cluster(
    nodes.map(({ host, port }) => ({ host, port })),
    {
      redisOptions,
      lazyConnect: true,
      enableAutoPipelining: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: wait,
      slotsRefreshTimeout: deadlineMs,
      slotsRefreshInterval: deadlineMs,
    },
  )
}

const isForbidden = (error: unknown): boolean => error instanceof Error && /^NOPERM |unknown command/i.test(error.message)

const policyOf = async (node: Redis): Promise<string | undefined> => {
  try {
    const answer = await node.config('GET', 'maxmemory-policy')
    if (Array.isArray(answer) && typeof answer[1] === 'string') return answer[1]
  } catch (error) {
    if (!isForbidden(error)) throw error
  }
  return /^maxmemory_policy:(\S+)/m.exec(await node.info('memory'))?.[1]
}

/** The servers that take writes. */
const mastersOf = (client: Redis | Cluster): Redis[] => (client instanceof Cluster ? client.nodes('master') : [client])

/** Under any other policy Redis drops state behind our back. */
const checkPolicy = async (client: Redis | Cluster): Promise<void> => {
  for (const node of mastersOf(client)) {
    const policy = await policyOf(node)
    if (policy !== 'noeviction')
      throw new FootfallError('bad-setting', {
        detail: `Redis at ${node.options.host}:${node.options.port} has maxmemory-policy ${policy ?? 'unknown'}: it may drop state that must stay.`,
        hint: 'Set `maxmemory-policy noeviction` in redis.conf, and with `redis-cli CONFIG SET maxmemory-policy noeviction` meanwhile.',
      })
  }
}

export const connect = (options: ConnectionOptions): Connection => {
  const { clock, deadlineMs = defaultDeadlineMs } = options
  const client = open(options, deadlineMs)
  let lastError: unknown
  let checked: Promise<void> | undefined
  const closing = new AbortController()
  client.on('error', (error: unknown) => {
    lastError = error
  })
  // Another server may stand behind the address, or in the Cluster, by now.
  const checkAgain = () => {
    checked = undefined
  }
  client.on('close', checkAgain)
  client.on('+node', checkAgain)

  /** Waits no longer than the deadline, and not after the connection was closed. */
  const within = <Value>(run: Promise<Value>, late: () => string): Promise<Value> =>
    new Promise((resolve, reject) => {
      const hasClosed = () => reject(unavailable(lastError, 'Its connection was closed.'))
      const cancel = clock.after(deadlineMs, () => reject(unavailable(lastError, `${late()} within ${deadlineMs} ms.`)))
      closing.signal.addEventListener('abort', hasClosed)
      run.then(resolve, reject).finally(() => {
        cancel()
        closing.signal.removeEventListener('abort', hasClosed)
      })
    })

  const ready = async (): Promise<void> => {
    if (closing.signal.aborted) throw unavailable(lastError, 'Its connection was closed.')
    if (client.status === 'ready') return
    // Its failure is told as `error`; it is tried again all the same.
    if (client.status === 'wait') client.connect().catch(() => undefined)
    let isReady = (): void => undefined
    const becomesReady = new Promise<void>((resolve) => {
      isReady = resolve
      client.on('ready', isReady)
    })
    const why = () => (lastError instanceof Error ? ` (${lastError.message})` : '')
    await within(becomesReady, () => `There was no connection${why()}`).finally(() => client.off('ready', isReady))
  }

  const policyChecked = (): Promise<void> => {
    checked ??= checkPolicy(client)
    const check = checked
    check.catch(() => {
      if (checked === check) checked = undefined
    })
    return check
  }

  /** Asks when the connection stands and the servers keep what they are told; errors are ours. */
  const ask = async <Value>(question: () => Promise<Value>): Promise<Value> => {
    try {
      await ready()
      return await within(policyChecked().then(question), () => 'It has not answered')
    } catch (error) {
      const ours = translated(error)
      // Among others that went well a command that was sent to the wrong node is not sent again by the driver, and nothing learnt of it.
      if (client instanceof Cluster && ours instanceof FootfallError && ours.code === 'store-unavailable') client.refreshSlotsCache()
      throw ours
    }
  }

  return {
    send: (command, args) => ask(() => client.call(command, [...args])),
    memory: () =>
      ask(() =>
        Promise.all(
          mastersOf(client).map(async (node) => ({ node: `${node.options.host}:${node.options.port}`, info: await node.info('memory') })),
        ),
      ),
    close: () =>
      new Promise((resolve) => {
        // Without a socket nothing is left to end, and the driver does not say so.
        const isOpen = !['wait', 'reconnecting', 'close', 'end'].includes(client.status)
        closing.abort()
        const cancel = clock.after(closeMs, resolve)
        client.once('end', () => {
          cancel()
          resolve()
        })
        client.disconnect()
        if (isOpen) return
        cancel()
        resolve()
      }),
  }
}

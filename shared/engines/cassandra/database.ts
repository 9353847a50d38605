import { auth, Client, errors, policies, types } from 'cassandra-driver'
import type { Clock } from '../../clock.ts'
import { FootfallError } from '../../errors.ts'
import { migrations } from './schema.ts'
import { createSlots } from './slots.ts'

/**
 * One connection pool to Cassandra, and the few ways in which the engines speak with it: everything prepared, read and written at
 * LOCAL_QUORUM, within a deadline, so many requests at once. Every failure of the driver is `store-unavailable` here.
 */
export type CassandraAddress = {
  /** `host:port`, all with the same port: the driver learns of the other nodes by their hosts alone. */
  contactPoints: readonly string[]
  dataCenter: string
  /** Who we are; without it nobody asks. */
  login?: { user: string; password: string } | undefined
  /** TLS only. `ca`: authorities, PEM, in place of those that Node.js knows. A certificate names the address of its node. */
  tls?: { ca: string | undefined } | undefined
}

/** A request is given up after so long, whatever the driver still tries. */
const deadlineMs = 10_000
/** A node that has not answered within this is given up for another one: twice fits into the deadline. */
const nodeMs = 4_500
/** A conditional write is asked once. */
const conditionalMs = 9_500
/** Requests of one process at once. */
const requestsAtOnce = 32
/** Rows of one page of an answer, where nothing else is said. */
const pageRows = 2_000

export type Value = string | number | boolean | Buffer | null | readonly types.Tuple[] | Readonly<Record<string, string>>
export type Statement = { query: string; params: readonly Value[] }
export const statement = (query: string, ...params: Value[]): Statement => ({ query, params })

/** What a conditional write answers: whether it was done; if it was not, the row that stood in its way, where there is one. */
export type Outcome = { applied: boolean; row: types.Row | undefined }

export type Database = {
  /** All rows of an answer, page by page. */
  rows(what: Statement, fetchSize?: number): Promise<types.Row[]>
  /** The first row. */
  row(what: Statement): Promise<types.Row | undefined>
  /** The rows of an answer while they are asked for: what is not reached is not read. */
  eachRow(what: Statement, fetchSize: number): AsyncIterable<types.Row>
  run(what: Statement): Promise<void>
  /** Statements of one partition: all or none of them, at once. */
  batch(list: readonly Statement[]): Promise<void>
  /** A conditional write, or several of one partition and table that are done if all of their conditions hold. Never repeated by itself. */
  change(...list: readonly Statement[]): Promise<Outcome>
  close(): Promise<void>
}

/** Asks once more, at another node, what may be repeated; a second failure is told. */
class RetryOnce extends policies.retry.RetryPolicy {
  #once(info: policies.retry.OperationInfo): policies.retry.DecisionInfo {
    const consistency = types.consistencies.localQuorum
    return info.nbRetry === 0 && info.executionOptions.isIdempotent() ? this.retryResult(consistency, false) : this.rethrowResult()
  }
  override onReadTimeout(info: policies.retry.OperationInfo) {
    return this.#once(info)
  }
  override onWriteTimeout(info: policies.retry.OperationInfo) {
    return this.#once(info)
  }
  override onUnavailable(info: policies.retry.OperationInfo) {
    return this.#once(info)
  }
  override onRequestError(info: policies.retry.OperationInfo) {
    return this.#once(info)
  }
}

/** Codes of answers by which the server says that it cannot just now, or not to us. What is left are bugs of ours. */
const { responseErrorCodes: code } = types
const serverCannot = new Set<number>([
  code.serverError,
  code.badCredentials,
  code.unavailableException,
  code.overloaded,
  code.isBootstrapping,
  code.truncateError,
  code.writeTimeout,
  code.readTimeout,
  code.readFailure,
  code.writeFailure,
  code.unauthorized,
])

const cure = 'Run `footfall migrate`; then send the request again.'
const isMissing = (cause: unknown): boolean =>
  cause instanceof errors.ResponseError && cause.code === code.invalid && /does not exist|unconfigured table/i.test(cause.message)

/** What a failure to reach any node came from. */
const innerErrors = (cause: unknown): unknown[] =>
  cause instanceof errors.NoHostAvailableError ? Object.values(cause.innerErrors ?? {}) : []

/** A driver's exception as one of ours; a bug (a wrong type, wrong CQL) stays itself. */
export const storeError = (cause: unknown): unknown => {
  if (cause instanceof FootfallError) return cause
  const refused = [cause, ...innerErrors(cause)].find((one) => one instanceof errors.AuthenticationError)
  if (refused)
    return new FootfallError('store-unavailable', {
      detail: `Cassandra refuses the login: ${refused.message}.`,
      hint: 'Compare FOOTFALL_CASSANDRA_USER and FOOTFALL_CASSANDRA_PASSWORD_FILE with its roles.',
      cause,
    })
  const missing = [cause, ...innerErrors(cause)].find(isMissing)
  if (missing instanceof Error)
    return new FootfallError('store-unavailable', { detail: `Cassandra has no tables of Footfall: ${missing.message}.`, hint: cure, cause })
  if (cause instanceof errors.ResponseError) return serverCannot.has(cause.code) ? unavailable(cause) : cause
  if (cause instanceof errors.ArgumentError || cause instanceof errors.NotSupportedError) return cause
  const isOfNetwork = cause instanceof Error && typeof Object.getOwnPropertyDescriptor(cause, 'syscall')?.value === 'string'
  return cause instanceof errors.DriverError || isOfNetwork ? unavailable(cause) : cause
}
const unavailable = (cause: unknown) => new FootfallError('store-unavailable', { detail: 'Cassandra does not answer.', cause })

/** A client of the driver as all of Footfall has it. It does no I/O before it is asked something. */
export const createClient = ({ contactPoints, dataCenter, login, tls }: CassandraAddress, keyspace: string | undefined): Client =>
  new Client({
    contactPoints: [...contactPoints],
    localDataCenter: dataCenter,
    ...(login && { authProvider: new auth.PlainTextAuthProvider(login.user, login.password) }),
    // The driver's own default would believe any certificate.
    ...(tls && { sslOptions: { rejectUnauthorized: true, ...(tls.ca === undefined ? {} : { ca: tls.ca }) } }),
    ...(keyspace === undefined ? {} : { keyspace }),
    protocolOptions: { port: Number(/:(\d+)$/.exec(contactPoints[0] ?? '')?.[1] ?? 9042) },
    socketOptions: { connectTimeout: 4_000, readTimeout: nodeMs },
    policies: { retry: new RetryOnce(), reconnection: new policies.reconnection.ExponentialReconnectionPolicy(250, 4_000, false) },
    encoding: { map: Map },
    queryOptions: {
      consistency: types.consistencies.localQuorum,
      serialConsistency: types.consistencies.localSerial,
      prepare: true,
      isIdempotent: true,
      fetchSize: pageRows,
    },
  })

/** Throws where the tables are older than this code. Newer ones are as good: migrations only add. */
const checkTables = async (client: Client): Promise<void> => {
  const { rows } = await client.execute('SELECT version FROM migration')
  const ran = new Set(rows.map((row) => row['version']))
  const lacking = migrations.filter(({ version }) => !ran.has(version))
  if (lacking.length === 0) return
  const detail = `The tables in Cassandra lack migration ${lacking.map(({ version }) => version).join(', ')}.`
  throw new FootfallError('store-unavailable', { detail, hint: cure })
}

/** Connects at the first request, again at the next one where that fails. Keyspace and tables must be there: nothing here makes them. */
export const openDatabase = (address: CassandraAddress & { keyspace: string }, clock: Pick<Clock, 'after'>): Database => {
  let connecting: Promise<Client> | undefined
  let isClosed = false
  const slots = createSlots(requestsAtOnce)

  const connect = async (): Promise<Client> => {
    const client = createClient(address, address.keyspace)
    try {
      await client.connect()
      await checkTables(client)
      return client
    } catch (error) {
      connecting = undefined
      await client.shutdown()
      throw error
    }
  }

  /** One request: within the deadline, waiting for a slot included; not begun any more once it has passed. */
  const request = <T>(work: (client: Client) => Promise<T>): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      let isOver = false
      const fail = (cause: unknown) => reject(storeError(cause))
      const cancel = clock.after(deadlineMs, () => {
        isOver = true
        reject(new FootfallError('store-unavailable', { detail: `Cassandra did not answer within ${deadlineMs / 1_000} s.` }))
      })
      const begin = async (): Promise<T | undefined> => {
        if (isOver) return undefined
        if (isClosed) throw new FootfallError('stopping')
        connecting ??= connect()
        const client = await connecting
        // Not after the caller has been told that it failed.
        return isOver ? undefined : await work(client)
      }
      slots
        .run(begin)
        .then((answer) => resolve(answer as T), fail)
        .finally(cancel)
    })

  const paramsOf = ({ params }: Statement): Value[] => [...params]
  const execute = (what: Statement, options: { fetchSize?: number; pageState?: string } = {}) =>
    request((client) => client.execute(what.query, paramsOf(what), options))

  async function* eachRow(what: Statement, fetchSize: number) {
    let pageState: string | undefined
    do {
      const page = await execute(what, { fetchSize, ...(pageState === undefined ? {} : { pageState }) })
      yield* page.rows
      pageState = page.pageState
    } while (pageState)
  }

  const rows = async (what: Statement, fetchSize = pageRows): Promise<types.Row[]> => {
    const all: types.Row[] = []
    for await (const row of eachRow(what, fetchSize)) all.push(row)
    return all
  }

  const batch = async (list: readonly Statement[]): Promise<void> => {
    if (list.length === 0) return
    await request((client) =>
      client.batch(
        list.map((one) => ({ query: one.query, params: paramsOf(one) })),
        { logged: false },
      ),
    )
  }

  const conditional = { isIdempotent: false, readTimeout: conditionalMs }
  return {
    rows,
    row: async (what) => (await execute(what)).rows[0],
    eachRow,
    run: async (what) => {
      await execute(what)
    },
    batch,
    change: async (...list) => {
      const [first] = list
      const result = await request((client) =>
        first && list.length === 1
          ? client.execute(first.query, paramsOf(first), conditional)
          : client.batch(
              list.map((one) => ({ query: one.query, params: paramsOf(one) })),
              { ...conditional, logged: false },
            ),
      )
      return { applied: result.wasApplied(), row: result.rows?.[0] }
    },
    close: async () => {
      if (isClosed) return
      isClosed = true
      const client = await connecting?.catch(() => undefined)
      await client?.shutdown()
    },
  }
}

import { connect } from 'node:net'
import { writeWhole } from '../../services/processes.ts'
import { most } from './deployment.ts'

/**
 * The data path: HAProxy between the gateway and the replicas, so that no request goes through Node. There is a backend for each function that
 * there may be, with room for its replicas; over its socket HAProxy is told which function is which backend, and where replicas are. So it
 * is never loaded anew, and no connection is cut because something is deployed. Its files say the same, for the next start.
 */

/** Where HAProxy's files are, and where it listens for the gateway; `control` is the provider's own address. */
export type DataPathPlace = { config: string; names: string; socket: string; listen: string; control: string }

/** Room for a function's replicas and those that take their places. */
export const slots = 2 * most.replicas

export type Slot = { slot: number; address: string }

/** A function: which backend it is, and where its replicas that take requests are. */
export type Route = { name: string; index: number; slots: readonly Slot[] }

const backendOf = (index: number): string => `function${index}`
const serverOf = (slot: number): string => `r${slot}`

const backend = (index: number, taken: readonly Slot[]): string => {
  const servers = Array.from({ length: slots }, (_, slot) => {
    const there = taken.find((one) => one.slot === slot)
    return `    server ${serverOf(slot)} ${there ? there.address : '127.0.0.1:1 disabled'}`
  })
  return [
    `backend ${backendOf(index)}`,
    '    balance leastconn',
    '    # The function sees what stands behind its name.',
    '    http-request replace-path ^/function/[^/]+/?(.*)$ /\\1',
    '    http-error status 503 content-type text/plain string "No endpoints available" hdr X-OpenFaaS-Internal proxy',
    ...servers,
  ].join('\n')
}

/** Which function is which backend. */
const renderNames = (routes: readonly Route[]): string => routes.map(({ name, index }) => `${name} ${backendOf(index)}\n`).join('')

/** The whole configuration. */
const render = ({ socket, names, listen, control }: DataPathPlace, routes: readonly Route[]): string =>
  `global
    maxconn 4000
    stats socket ${socket} mode 600 level admin
    hard-stop-after 130s

defaults
    mode http
    timeout connect 2s
    timeout client 130s
    timeout server 125s
    timeout http-request 10s
    # Longer than the gateway keeps a connection idle (90 s): else its next request meets one that is being closed.
    timeout http-keep-alive 100s
    http-reuse safe
    # Only a connection that could not be made is tried again, at another replica: a request that was sent may have been taken.
    retries 3
    retry-on conn-failure
    option redispatch 1

frontend gateway
    bind ${listen}
    http-request return status 200 content-type text/plain string "ok" if { path /healthz/data-path }
    http-request set-var(txn.function) path,field(3,/),field(1,.) if { path_beg /function/ }
    use_backend %[var(txn.function),map(${names},control)] if { path_beg /function/ }
    default_backend control

backend control
    server provider ${control}

${Array.from({ length: most.functions }, (_, index) => backend(index, routes.find((route) => route.index === index)?.slots ?? [])).join('\n\n')}
`

/** Writes what HAProxy is to know when it starts. */
export const writeDataPath = async (place: DataPathPlace, routes: readonly Route[]): Promise<void> => {
  await writeWhole(place.names, renderNames(routes))
  await writeWhole(place.config, render(place, routes))
}

const answerMs = 5_000

/** Says a command at a socket of HAProxy; answers what it says. */
const say = (socket: string, command: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const said: Buffer[] = []
    const client = connect(socket)
    client.setTimeout(answerMs, () => client.destroy(new Error(`HAProxy at ${socket} does not answer.`)))
    client.once('error', reject)
    client.on('data', (part) => said.push(part))
    client.once('end', () => resolve(Buffer.concat(said).toString().trim()))
    client.write(`${command}\n`)
  })

/** `routes` is asked when it is their turn: commands come one after the other, and the last word is of what is so then. */
export type DataPath = {
  /** Brings HAProxy to these routes where it is not known to be there: it was started anew, or was away when it was told something. */
  follow(routes: () => readonly Route[]): Promise<void>
  /** Requests for this function are led to its backend from now on; `undefined`: it is unknown. */
  name(name: string, index: number | undefined): Promise<void>
  /** Requests go to this replica too. */
  admit(index: number, slot: Slot): Promise<void>
  /** No new request goes to it; resolves when those that run there have ended, or after `withinMs`. */
  drain(index: number, slot: number, withinMs: number): Promise<void>
}

const lookEveryMs = 50
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** What HAProxy answers to a command that was done: nothing, or what has changed. */
const done = /^(no need to change|IP changed|port changed|New version created)/i

export const createDataPath = ({ socket, names }: DataPathPlace): DataPath => {
  const server = (index: number, slot: number) => `${backendOf(index)}/${serverOf(slot)}`
  /** The process of HAProxy that has been told everything. */
  let told: string | undefined

  let last: Promise<unknown> = Promise.resolve()
  /** One after the other; after one that failed nobody knows what HAProxy knows. */
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work).catch((error: unknown) => {
      told = undefined
      throw error
    })
    last = mine.catch(() => undefined)
    return mine
  }

  /** Says a command; throws when it was not done. */
  const command = async (text: string): Promise<string> => {
    const answer = await say(socket, text)
    if (answer !== '' && !done.test(answer)) throw new Error(`HAProxy, ${text}: ${answer}`)
    return answer
  }
  const tell = async (...commands: string[]): Promise<void> => {
    for (const one of commands) await command(one)
  }

  /** Requests that run at a replica. */
  const running = async (index: number, slot: number): Promise<number> => {
    const [header = '', ...rows] = (await say(socket, `show stat ${backendOf(index)} 4 -1`)).split('\n')
    const columns = header.replace(/^# /, '').split(',')
    const row = rows.map((line) => line.split(',')).find((fields) => fields[columns.indexOf('svname')] === serverOf(slot))
    return Number(row?.[columns.indexOf('scur')] ?? 0)
  }

  const admitting = (index: number, { slot, address }: Slot): string[] => {
    const [host, port] = address.split(':')
    return [`set server ${server(index, slot)} addr ${host} port ${port}`, `set server ${server(index, slot)} state ready`]
  }

  /** All names at once: a function that is there is unknown at no moment. */
  const tellNames = async (routes: readonly Route[]): Promise<void> => {
    const version = /\d+/.exec(await command(`prepare map ${names}`))?.[0]
    for (const { name, index } of routes) await command(`add map @${version} ${names} ${name} ${backendOf(index)}`)
    await command(`commit map @${version} ${names}`)
  }

  const restore = async (routes: readonly Route[]): Promise<void> => {
    for (const { index, slots: taken } of routes)
      for (let slot = 0; slot < slots; slot++) {
        const there = taken.find((one) => one.slot === slot)
        await tell(...(there ? admitting(index, there) : [`set server ${server(index, slot)} state maint`]))
      }
    await tellNames(routes)
  }

  return {
    follow: (routes) =>
      inTurn(async () => {
        const process = /^Pid: (\d+)$/m.exec(await say(socket, 'show info'))?.[1]
        if (process === undefined) throw new Error(`HAProxy at ${socket} does not say who it is.`)
        if (process === told) return
        await restore(routes())
        told = process
      }),
    name: (name, index) =>
      inTurn(() => tell(index === undefined ? `del map ${names} ${name}` : `add map ${names} ${name} ${backendOf(index)}`)),
    admit: (index, slot) => inTurn(() => tell(...admitting(index, slot))),
    async drain(index, slot, withinMs) {
      await inTurn(() => tell(`set server ${server(index, slot)} state drain`))
      const deadline = performance.now() + withinMs
      while ((await running(index, slot)) > 0 && performance.now() < deadline) await sleep(lookEveryMs)
      await inTurn(() => tell(`set server ${server(index, slot)} state maint`))
    },
  }
}

import { connect, type Socket } from 'node:net'

/**
 * The load generator, a process of its own: raw sockets with requests built by hand, since an HTTP client would cost more than the
 * server that is measured. Closed: each connection sends when it was answered (capacity). Open: sends at fixed times and counts
 * latency from the intended start (no coordinated omission). Reads its task as JSON from the command line, prints its result as JSON.
 */
export type Task = {
  port: number
  path: string
  connections: number
  seconds: number
  /** Requests a second in all; 0 = closed. */
  rate: number
  seed: number
  site: string
  /** Stop after this many requests; 0 = by time. */
  requests: number
  /** Hits of one request, all of one visitor; 1 = a hit alone. */
  batch: number
}
export type Result = { sent: number; ok: number; failed: number; seconds: number; p50: number; p99: number; max: number; cpuMicros: number }

const pages = Array.from({ length: 500 }, (_, i) => `/section-${i % 17}/page-${i}`)
const agents = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Mobile Safari/537.36',
]

const createRequests = ({ path, port, seed, site, batch }: Task) => {
  let state = seed
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state / 2 ** 32
  }
  const zipf = (n: number) => Math.floor(n ** next()) - 1
  let count = 0
  const hitOf = (visitor: number): string => {
    // Ordered by time with a random tail, as the tracker makes them.
    const id = `${Date.now().toString(36)}${(count++).toString(36).padStart(6, '0')}${seed.toString(36)}`
    return `{"site":"${site}","id":"${id}","url":"https://${site}${pages[zipf(pages.length)]}","referrer":"https://www.google.com/","title":"A page of the site","visitor":"v${visitor}-abcdefgh.20261001","screen":"1920x1080","language":"de-DE"}`
  }
  return (): string => {
    const visitor = Math.floor(next() * 20_000)
    const body = batch === 1 ? hitOf(visitor) : `{"hits":[${Array.from({ length: batch }, () => hitOf(visitor)).join(',')}]}`
    return `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: ${agents[visitor % agents.length]}\r\nX-Forwarded-For: 10.${visitor >> 8}.${visitor & 255}.7\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  }
}

/** Requests are built before the clock starts: what the generator costs, the server cannot have (two cores for both). */
const buildAhead = (task: Task): (() => Buffer) => {
  const build = createRequests(task)
  const most =
    task.requests > 0 ? task.requests + task.connections : Math.ceil(task.seconds * (task.rate > 0 ? task.rate * 1.1 : builtPerSecond))
  const ahead: Buffer[] = Array.from({ length: Math.min(most, task.batch === 1 ? builtAtMost : batchesAtMost) }, () =>
    Buffer.from(build(), 'latin1'),
  )
  let next = 0
  return () => ahead[next++] ?? Buffer.from(build(), 'latin1')
}
const builtPerSecond = 60_000
const builtAtMost = 400_000
/** A batch is large: so many of them are made ahead that they take no more memory. */
const batchesAtMost = 20_000

/** Calls `answered` once per complete reply; replies have a Content-Length. A reply as long as the last one is taken for its like. */
const readReplies = (socket: Socket, answered: (ok: boolean) => void) => {
  let rest = ''
  let usual = -1
  socket.on('data', (chunk) => {
    if (rest === '' && chunk.length === usual) return answered(chunk[9] === two)
    rest += chunk.toString('latin1')
    for (;;) {
      const end = rest.indexOf('\r\n\r\n')
      if (end === -1) return
      const length = Number(/content-length: (\d+)/i.exec(rest.slice(0, end))?.[1] ?? 0)
      if (rest.length < end + 4 + length) return
      const ok = rest.startsWith('HTTP/1.1 2')
      if (rest.length === end + 4 + length) usual = rest.length
      rest = rest.slice(end + 4 + length)
      answered(ok)
    }
  })
}
const two = '2'.charCodeAt(0)

const run = async (task: Task): Promise<Result> => {
  const take = buildAhead(task)
  const latencies: number[] = []
  let sent = 0
  let ok = 0
  let failed = 0
  const cpu = process.cpuUsage()
  const begin = performance.now()
  const ends = begin + task.seconds * 1000
  const isOver = () => performance.now() >= ends || (task.requests > 0 && sent >= task.requests)
  const idle: { send(intended: number): void }[] = []
  const due: number[] = []

  const open = (): Promise<{ finished: Promise<void>; socket: Socket; send(intended: number): void }> =>
    new Promise((resolve, reject) => {
      const socket = connect(task.port, '127.0.0.1', () => resolve(connection))
      socket.setNoDelay(true)
      socket.on('error', reject)
      let started = 0
      let finish = () => {}
      const finished = new Promise<void>((done) => {
        finish = done
      })
      const connection = {
        socket,
        finished,
        send(intended: number) {
          started = intended
          sent++
          socket.write(take())
        },
      }
      readReplies(socket, (good) => {
        latencies.push(performance.now() - started)
        if (good) ok++
        else failed++
        if (task.rate > 0) {
          const next = due.shift()
          if (next !== undefined) connection.send(next)
          else if (isOver()) finish()
          else idle.push(connection)
        } else if (isOver()) finish()
        else connection.send(performance.now())
      })
    })

  const all = await Promise.all(Array.from({ length: task.connections }, open))
  if (task.rate === 0) for (const connection of all) connection.send(performance.now())
  else {
    idle.push(...all)
    let planned = 0
    await new Promise<void>((resolve) => {
      const pump = () => {
        const now = performance.now()
        for (; begin + (planned * 1000) / task.rate <= now && !isOver(); planned++) {
          const intended = begin + (planned * 1000) / task.rate
          // In turn: a connection that says nothing for 10 s is closed by whoever listens.
          const free = idle.shift()
          if (free) free.send(intended)
          else due.push(intended)
        }
        if (isOver()) resolve()
        else setTimeout(pump, 1)
      }
      pump()
    })
  }
  const busy = task.rate === 0 ? all : all.filter((connection) => !idle.includes(connection))
  await Promise.all(busy.map(({ finished }) => finished))
  const seconds = (performance.now() - begin) / 1000
  for (const { socket } of all) socket.destroy()
  latencies.sort((a, b) => a - b)
  const at = (q: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0
  const { user, system } = process.cpuUsage(cpu)
  return { sent, ok, failed, seconds, p50: at(0.5), p99: at(0.99), max: at(1), cpuMicros: user + system }
}

process.stdout.write(`${JSON.stringify(await run(JSON.parse(process.argv[2]!) as Task))}\n`)

import type { DatabaseSync } from 'node:sqlite'
import { createHandler as createCollect } from '#functions/collect-hit/handler.ts'
import { createHandler as createEnrich } from '#functions/enrich-session/handler.ts'
import { createHandler as createQuery } from '#functions/query-metrics/handler.ts'
import { createHandler as createRollup } from '#functions/rollup-window/handler.ts'
import { createSessions } from '#shared/engines/sqlite/sessions.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import type { LogRecord } from '#shared/ports/log.ts'
import type { Memtables, RollupFence } from '#shared/ports/memtables.ts'
import type { Sessions } from '#shared/ports/sessions.ts'
import { type LifeLimits, lifeLimits } from '#shared/rollup/life.ts'
import { hashOf } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { saltDates } from '#shared/site/salts.ts'
import { createLoop, type Loop } from '#shared/trigger/loop.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { createGates, type Gates } from './gates.ts'
import type { Random } from './random.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

/**
 * The real handlers over the SQLite engine in memory, with the clock turned by hand and every port call at a gate. A world can do
 * to its pipeline what a bad night can: let calls fail, kill and wake processes, lose and set back state.
 */

/** Parts that a mutation replaces: a handler, or a port that keeps one rule less. */
export type Parts = {
  enrich: typeof createEnrich
  rollup: typeof createRollup
  sessions: (sessions: Sessions, pause: () => Promise<void>) => Sessions
  memtables: (memtables: Memtables, pause: () => Promise<void>) => Memtables
  /** Ports of the life of a day. */
  life: (ports: LifeStores) => LifeStores
  /** The ports that questions read by. */
  reading: (ports: ReadingStores) => ReadingStores
}
type LifeStores = Pick<Stores, 'seals' | 'segments' | 'progress' | 'memtables'>
type ReadingStores = Pick<Stores, 'memtables' | 'segments'>

export const realParts: Parts = {
  enrich: createEnrich,
  rollup: createRollup,
  sessions: (s) => s,
  memtables: (m) => m,
  life: (l) => l,
  reading: (r) => r,
}

export const readKey = `ff_read_${'r'.repeat(43)}`
/** For imports. */
export const ownKey = `ff_own_${'o'.repeat(43)}`

type Stage = 'enrich-session' | 'rollup-window'
type Process = { stage: Stage; group: string; loop: Loop; busy: boolean }

/** Tables that regress and vanish together: one fence and the state it guards. */
const stageTables: Record<Stage, readonly string[]> = {
  'enrich-session': ['enrich_fence', 'sess', 'ids', 'imp'],
  'rollup-window': ['rollup_fence', 'block', 'memtable', 'sealed', 'seen', 'minute'],
}
type Snapshot = { table: string; rows: Record<string, string | number>[] }[]

const takeSnapshot = (db: DatabaseSync, stage: Stage): Snapshot =>
  stageTables[stage].map((table) => ({ table, rows: db.prepare(`SELECT * FROM ${table}`).all() as Record<string, string | number>[] }))

const clearTables = (db: DatabaseSync, stage: Stage) => {
  for (const table of stageTables[stage]) db.exec(`DELETE FROM ${table}`)
}

const putSnapshot = (db: DatabaseSync, stage: Stage, snapshot: Snapshot) => {
  clearTables(db, stage)
  for (const { table, rows } of snapshot)
    for (const row of rows) {
      const names = Object.keys(row)
      db.prepare(`INSERT INTO ${table} (${names.map((name) => `"${name}"`)}) VALUES (${names.map(() => '?')})`).run(...Object.values(row))
    }
}

const pipelinePorts = {
  log: ['append', 'read', 'ends', 'offsetAt', 'trim'],
  sessions: ['load', 'init', 'durable', 'commit', 'sweep'],
  memtables: ['fence', 'init', 'commit', 'trimLive'],
  seals: ['bases', 'look', 'low', 'seal', 'readSealed', 'dropSealed', 'forgetBase'],
  segments: ['put', 'list', 'head', 'read', 'open', 'dropSuperseded'],
  progress: ['get', 'advance'],
  retention: ['sites', 'days', 'drop'],
  sites: ['find', 'at'],
} as const

export type World = {
  clock: VirtualClock
  gates: Gates
  stores: Stores
  /** Sends a request to collect-hit; undefined when the answer was lost. */
  send(request: Request): Promise<Reply | undefined>
  query(body: unknown): Promise<Answered>
  /** Asks while everything else goes on; with the fence that the answer stands on. */
  queryBeside(body: unknown): Promise<Answered & { fence: RollupFence | undefined }>
  /** Lets so much time go by, with ticks, faults ended; then something bad may happen to what is old by now. */
  age(ms: number, isBad: boolean): Promise<void>
  ledger(site: string, from: string, to: string): Promise<LedgerAnswer>
  /** Lets one thing happen: a waiting call goes on, or an idle process begins a step. */
  turn(): Promise<void>
  /** Something bad happens, chosen by chance. */
  nemesis(): void
  snapshot(): void
  /** Ends all faults and runs until nothing is left to do. Throws when that does not come about. */
  drain(): Promise<void>
  putSite(config: SiteConfig): Promise<void>
  hits(): Promise<LogRecord[]>
  /** All events that there ever were, also those that have been trimmed. */
  events(): Promise<LogRecord[]>
  close(): void
}

type Answered = { results: { dimensions: unknown[]; metrics: unknown[] }[] }

export type LedgerAnswer = {
  hours: {
    from: string
    received: number
    counted: number
    flagged: Record<string, number>
    refused: Record<string, number>
    repeated: number
    dead: number
    lost: number
  }[]
  balanced: boolean
}

/** Lets everything run that can run without a gate or a timer. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const createWorld = async (random: Random, start: number, parts: Parts = realParts, crowded = false): Promise<World> => {
  const clock = createVirtualClock(start, random)
  const gates = createGates(random)
  const stores = await wire(':memory:', 'all', clock)
  const db = stores.files.state
  // Half of the worlds write session state behind: what is put into the tables by hand then finds nothing held in memory.
  const flushMs = random.chance(0.5) ? 2_000 : 0
  let engine = createSessions(db, clock, flushMs)
  const forgetHeld = () => {
    engine = createSessions(db, clock, flushMs)
  }
  stores.sessions = {
    load: (...args) => engine.load(...args),
    init: (...args) => engine.init(...args),
    durable: (...args) => engine.durable(...args),
    commit: (...args) => engine.commit(...args),
    sweep: (...args) => engine.sweep(...args),
    flush: () => engine.flush(),
  }
  const processes: Process[] = []
  const snapshots: Record<Stage, Snapshot[]> = { 'enrich-session': [], 'rollup-window': [] }
  let names = 0
  let favourite: Process | undefined

  for (const [key, role] of [
    [readKey, 'read'],
    [ownKey, 'own'],
  ] as const)
    await stores.secrets.put({ hash: hashOf(key), kind: 'key', role, site: '', label: '', created: 0, until: 0 })
  const makeSalts = async () => {
    const { make, dropBefore } = saltDates(clock.now())
    for (const day of make) await stores.salts.make(day, clock.random(16))
    await stores.salts.dropBefore(dropBefore)
  }
  await makeSalts()

  /** Events that were trimmed, for the check: what was taken is asked of all there ever were. */
  const trimmed: LogRecord[] = []
  const everything = { records: 100_000, bytes: 1e9, waitMs: 0 }
  const log: Stores['log'] = {
    ...stores.log,
    async trim(topic, partition, offset) {
      const known = trimmed.at(-1)?.offset ?? -1
      const gone = await stores.log.read(topic, partition, 0, everything)
      trimmed.push(...gone.filter((record) => record.offset > known && record.offset < offset))
      await stores.log.trim(topic, partition, offset)
    },
  }

  const pauseFor = (group: string) => gates.guard({ pause: async () => undefined }, group, ['pause']).pause

  // Days live fast: a few rows fill a memtable, a flushed copy goes at once in half of the worlds, and each looks for work after each commit.
  const limits: Partial<LifeLimits> = {
    flushRows: 1 + random.below(20),
    flushBytes: random.pick([1, 3_000, 1_000_000]),
    flushAgeMs: random.pick([60_000, 30 * 60_000]),
    closeAfterMs: random.pick([0, 2 * 3_600_000]),
    closeAgainMs: random.pick([0, 60_000, 3_600_000]),
    holdMs: random.pick([0, 30_000]),
    lookMs: 0,
  }
  const life = parts.life(stores)

  const guardedPorts = (group: string) => ({
    log: gates.guard(log, group, pipelinePorts.log),
    sessions: gates.guard(parts.sessions(stores.sessions, pauseFor(group)), group, pipelinePorts.sessions),
    memtables: gates.guard(parts.memtables(stores.memtables, pauseFor(group)), group, pipelinePorts.memtables),
    seals: gates.guard(life.seals, group, pipelinePorts.seals),
    segments: gates.guard(life.segments, group, pipelinePorts.segments),
    progress: gates.guard(life.progress, group, pipelinePorts.progress),
    retention: gates.guard(stores.retention, group, pipelinePorts.retention),
    sites: gates.guard(stores.sites, group, pipelinePorts.sites),
    bus: stores.bus,
    clock,
  })

  const begin = (stage: Stage) => {
    const group = `${stage} ${names++}`
    const ports = guardedPorts(group)
    const handler: Handler = stage === 'enrich-session' ? parts.enrich(ports) : parts.rollup(ports, limits)
    // Leases are a hint: here nobody takes one, so that two triggers do meet.
    const leases = { hold: async () => true, release: async () => undefined }
    const topic = stage === 'enrich-session' ? 'hits' : 'events'
    const loop = createLoop({ name: stage, topic, partition: 0 }, { log: ports.log, leases, clock, call: () => handler })
    processes.push({ stage, group, loop, busy: false })
  }
  for (const stage of ['enrich-session', 'rollup-window'] as const)
    for (let i = crowded || random.chance(0.3) ? 2 : 1; i > 0; i--) begin(stage)

  const agent = { device: { br: 'Firefox', brv: '140', os: 'Linux', osv: '', type: 'Desktop' as const } }
  const collect = createCollect(
    {
      ...stores,
      log: gates.guard(stores.log, 'edge', ['append']),
      clock,
      agents: (ua) => (ua.startsWith('bot') ? { ...agent, bot: 'agent' } : agent),
      places: (address) => ({ c: address.endsWith('.1') ? 'DE' : 'FR' }),
      isTrustedProxy: () => false,
    },
    { rate: 0 },
  )
  const reading = parts.reading(stores)
  const ask = createQuery({ ...stores, ...reading, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  let asked: RollupFence | undefined
  const beside = {
    memtables: gates.guard(
      {
        ...reading.memtables,
        fence: async (partition: number) => {
          asked = await reading.memtables.fence(partition)
          return asked
        },
      },
      'reader',
      ['fence', 'read', 'days'],
    ),
    segments: gates.guard(reading.segments, 'reader', ['list', 'head', 'read', 'days']),
  }
  const askBeside = createQuery({ ...stores, ...beside, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  const headers = { authorization: `Bearer ${readKey}` }
  const request = (body: unknown): Request => ({
    method: 'POST',
    path: '/api/v2/query',
    query: '',
    headers,
    body: Buffer.from(JSON.stringify(body)),
    address: '',
  })

  const step = (process: Process) => {
    process.busy = true
    void process.loop.step(undefined, 0).then(() => {
      process.busy = false
    })
  }

  const turn = async () => {
    const idle = processes.filter(({ busy }) => !busy)
    const begins = idle.length > 0 && random.chance(0.3)
    // One process goes ahead for a while, so that what another has just read grows old.
    if (!favourite || !processes.includes(favourite) || random.chance(0.04)) favourite = random.pick(processes)
    if (begins) step(favourite.busy || random.chance(0.2) ? random.pick(idle) : favourite)
    else if (!(random.chance(0.85) && gates.release(favourite.group)) && !gates.release() && idle.length > 0) step(random.pick(idle))
    await settle()
  }

  const replace = (process: Process, how: 'kill' | 'sleep') => {
    processes.splice(processes.indexOf(process), 1)
    if (how === 'kill') gates.kill(process.group)
    else gates.rename(process.group, `zombie ${names++}`)
    begin(process.stage)
  }

  const nemesis = () => {
    const stage = random.pick(['enrich-session', 'rollup-window'] as const)
    const what = random.below(10)
    if (what < 4) replace(random.pick(processes), 'kill')
    else if (what < 7) replace(random.pick(processes), 'sleep')
    else if (what < 9 && snapshots[stage].length > 0) {
      putSnapshot(db, stage, random.pick(snapshots[stage]))
      forgetHeld()
    } else {
      clearTables(db, stage)
      forgetHeld()
      snapshots[stage] = [] // what is lost whole does not come back as an older state: a new generation begins
    }
  }

  const snapshot = () => {
    const stage = random.pick(['enrich-session', 'rollup-window'] as const)
    snapshots[stage].push(takeSnapshot(db, stage))
  }

  const isDrained = async (): Promise<boolean> => {
    const { fence } = await stores.sessions.load(0, [], [], [])
    const rollup = await stores.memtables.fence(0)
    const hits = await stores.log.ends('hits', 0)
    const events = await stores.log.ends('events', 0)
    // Copies that nobody takes may stand behind enrich's last event: it looks at them when there is something to append again.
    return fence?.mode === '' && fence.next === hits.end && rollup?.next === events.end && rollup.src === hits.end - 1
  }

  const drain = async () => {
    gates.faults.probability = 0
    delete gates.faults.nth
    for (let turns = 0; turns < 20_000; turns++) {
      await turn()
      const stuck = gates.waiting() === 0 && processes.every(({ busy }) => busy)
      if (stuck) clock.advance((clock.untilNext() ?? 0) + 1)
      if (turns % 20 === 0 && gates.waiting() === 0 && processes.every(({ busy }) => !busy) && (await isDrained())) return
      if (turns % 200 === 199) clock.advance(11_000) // a tick
    }
    throw new Error(`never caught up: ${JSON.stringify(processes.map(({ loop }) => loop.report()))}`)
  }

  const answerOf = async (reply: Reply) => {
    if (reply.status !== 200) throw new Error(`${reply.status} ${String(reply.body)}`)
    return JSON.parse(String(reply.body))
  }

  return {
    clock,
    gates,
    stores,
    turn,
    nemesis,
    snapshot,
    drain,
    async send(request) {
      await makeSalts()
      try {
        return await collect.handle(request)
      } catch {
        return undefined // an outage between the function and its log: nobody knows whether the hits are in it
      }
    },
    query: async (body) => answerOf(await ask(request(body))),
    async queryBeside(body) {
      let done = false
      const answer = askBeside(request(body)).then(answerOf)
      const settled = () => {
        done = true
      }
      answer.then(settled, settled)
      while (!done) await turn()
      return { ...(await answer), fence: asked }
    },
    async age(ms, isBad) {
      // Of a state older than that, segments it stands on may be gone (R7); after it there is time to flush what is hot again.
      const isWithin = isBad && ms < lifeLimits.keepMs
      if (isWithin) snapshot()
      clock.advance(ms)
      for (let turns = 0; turns < 400; turns++) {
        if (turns % 40 === 0) clock.advance(isWithin && turns > 200 ? 3_600_000 : 11_000)
        if (turns === 200 && isWithin && random.chance(0.5)) nemesis()
        await turn()
      }
      await drain()
    },
    ledger: async (site, from, to) =>
      answerOf(
        await ask({
          method: 'GET',
          path: '/api/ledger',
          query: `site=${site}&from=${from}&to=${to}`,
          headers,
          body: Buffer.alloc(0),
          address: '',
        }),
      ),
    putSite: async (config) => void (await stores.sites.put(config)),
    hits: () => stores.log.read('hits', 0, 0, everything),
    events: async () => [...trimmed, ...(await stores.log.read('events', 0, 0, everything))],
    close: () => stores.close(),
  }
}

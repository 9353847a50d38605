import type { Handler, Reply, Request } from '#shared/handler.ts'
import type { RollupFence } from '#shared/ports/memtables.ts'
import { type LifeLimits, lifeLimits } from '#shared/rollup/life.ts'
import { hashOf } from '#shared/site/access.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { allPartsOf } from '#shared/site/generations.ts'
import { createKnownSites } from '#shared/site/known-sites.ts'
import { saltDates } from '#shared/site/salts.ts'
import { createLoop, type Loop } from '#shared/trigger/loop.ts'
import { retryHorizonMs } from '#shared/visit/step.ts'
import type { Ports as Stores } from '#shared/wire.ts'
import { readableLog } from '../../scripts/trigger-log.ts'
import { createGates, type Gates } from './gates.ts'
import { createGenerations } from './generations.ts'
import { type MakeGround, type StatePlace, sqliteGround, stages } from './ground.ts'
import { countedCalls } from './in-flight.ts'
import { createMoving, type Lost } from './moving.ts'
import { type Parts, realParts } from './parts.ts'
import type { Random } from './random.ts'
import { createRecords, type PartRecord } from './records.ts'
import type { LedgerHour } from './recount.ts'
import { createVirtualClock, type VirtualClock } from './virtual-clock.ts'

/**
 * The real handlers over real stores, with the clock turned by hand and every port call at a gate. A world can do
 * to its pipeline what a bad night can: let calls fail, kill and wake processes, lose and set back state.
 */

export const readKey = `ff_read_${'r'.repeat(43)}`
/** For imports. */
export const ownKey = `ff_own_${'o'.repeat(43)}`

type Process = StatePlace & { group: string; loop: Loop; busy: boolean }

const pipelinePorts = {
  log: ['append', 'read', 'ends', 'offsetAt', 'trim'],
  sessions: ['load', 'init', 'durable', 'commit', 'sweep'],
  memtables: ['fence', 'init', 'commit', 'trimLive'],
  seals: ['bases', 'look', 'low', 'seal', 'readSealed', 'dropSealed', 'forgetBase'],
  segments: ['put', 'list', 'head', 'read', 'open', 'dropSuperseded'],
  progress: ['get', 'advance'],
  retention: ['sites', 'days', 'drop'],
  sites: ['find', 'at'],
  versions: ['flip', 'begin', 'due', 'drop', 'putJob'],
  replays: ['list'],
} as const

export type World = {
  clock: VirtualClock
  /** How long ids are known, in log time. */
  horizonMs: number
  gates: Gates
  stores: Stores
  /** Sends a request to collect-hit; undefined when the answer was lost. */
  send(request: Request): Promise<Reply | undefined>
  query(body: unknown): Promise<Answered>
  /** Asks while everything else goes on; with the fences that the answer stands on, by partition. */
  queryBeside(body: unknown): Promise<Answered & { fences: ReadonlyMap<number, RollupFence | undefined> }>
  /** Lets so much time go by, with ticks, faults ended; then something bad may happen to what is old by now. */
  age(ms: number, isBad: boolean): Promise<void>
  ledger(site: string, from: string, to: string): Promise<LedgerAnswer>
  /** Lets one thing happen: a waiting call goes on, or an idle process begins a step. */
  turn(): Promise<void>
  /** Something bad happens, chosen by chance. */
  nemesis(): Promise<void>
  snapshot(): Promise<void>
  /** Ends all faults and runs until nothing is left to do. Throws when that does not come about. */
  drain(): Promise<void>
  putSite(config: SiteConfig): Promise<void>
  /** All partitions that there are by now. */
  parts(): readonly number[]
  /** Begins to move to new topics, of so many partitions if that is said; everything goes on meanwhile. */
  newTopics(partitions?: number): void
  /** Deletes topics of the generation that takes hits, when all of their records are taken. `hits` may be made anew at once. */
  loseTopics(lost: Lost): Promise<void>
  hits(): Promise<PartRecord[]>
  /** All events that there ever were, also those that have been trimmed. */
  events(): Promise<PartRecord[]>
  close(): Promise<void>
}

type Answered = { results: { dimensions: unknown[]; metrics: unknown[] }[] }

export type LedgerAnswer = { hours: (LedgerHour & { from: string; lost: number })[]; balanced: boolean }

/** `partitions` (1): how many the log has. `crowded`: two triggers for each of them. `horizonMs`: how long ids are known. */
export type WorldOptions = { parts?: Parts; crowded?: boolean; partitions?: number; ground?: MakeGround; horizonMs?: number }

export const createWorld = async (
  random: Random,
  start: number,
  { parts = realParts, crowded = false, partitions = 1, ground: makeGround = sqliteGround, horizonMs = retryHorizonMs }: WorldOptions = {},
): Promise<World> => {
  const clock = createVirtualClock(start, random)
  const gates = createGates(random)
  const ground = await makeGround(clock, random, partitions)
  const { log: topicLog, generations, ...topics } = await createGenerations(ground.stores.log, partitions)
  const { stores, settle } = countedCalls({ ...ground.stores, log: topicLog, generations })
  const numbers: number[] = []
  const { log, lose, isLost, ...records } = createRecords(stores.log, numbers)
  const processes: Process[] = []
  /** Older states, by place. */
  const snapshots = new Map<string, (() => Promise<void>)[]>()
  const nameOf = ({ stage, partition }: StatePlace) => `${stage} ${partition}`
  let names = 0
  let favourite: Process | undefined

  for (const [key, role] of [
    [readKey, 'read'],
    [ownKey, 'own'],
  ] as const)
    await stores.secrets.put({ hash: hashOf(key), kind: 'key', role, site: '', label: '', created: 0, until: 0 })
  let made = ''
  const makeSalts = async () => {
    const { make, dropBefore } = saltDates(clock.now())
    if (made === make.join()) return
    made = make.join()
    for (const day of make) await stores.salts.make(day, clock.random(16))
    await stores.salts.dropBefore(dropBefore)
  }
  await makeSalts()

  const pauseFor = (group: string) => gates.guard({ pause: async () => undefined }, group, ['pause']).pause

  // Days live fast: a few rows fill a memtable, a flushed copy goes at once in half of the worlds, and each looks for work after each commit.
  const limits: Partial<LifeLimits> = {
    // Every day that is closed has cells.
    cellRows: 0,
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
    versions: gates.guard(stores.versions, group, pipelinePorts.versions),
    replays: gates.guard(stores.replays, group, pipelinePorts.replays),
    generations: stores.generations,
    sites: gates.guard(stores.sites, group, pipelinePorts.sites),
    bus: stores.bus,
    clock,
  })

  const begin = ({ stage, partition }: StatePlace) => {
    const group = `${stage} ${names++}`
    const ports = guardedPorts(group)
    const handler: Handler = stage === 'enrich-session' ? parts.enrich(ports, { horizonMs }) : parts.rollup(ports, limits)
    // Leases are a hint: here nobody takes one, so that two triggers do meet.
    const leases = { hold: async () => true, release: async () => undefined }
    const topic = stage === 'enrich-session' ? 'hits' : 'events'
    const loop = createLoop(
      { name: stage, topic, partition },
      { log: readableLog(ports.log, stores.generations, clock), leases, clock, call: () => handler },
    )
    processes.push({ stage, partition, group, loop, busy: false })
  }
  const places: StatePlace[] = []
  const driveAll = (own: readonly number[]) => {
    numbers.push(...own)
    const more = stages.flatMap((stage) => own.map((partition): StatePlace => ({ stage, partition })))
    for (const place of more) for (let i = crowded || random.chance(0.3) ? 2 : 1; i > 0; i--) begin(place)
    places.push(...more)
  }
  driveAll(allPartsOf({ number: 0, partitions }))
  const moving = createMoving({ ...topics, generations: stores.generations, clock, driveAll, lose })

  const agent = { device: { br: 'Firefox', brv: '140', os: 'Linux', osv: '', type: 'Desktop' as const } }
  const collect = parts.collect(
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
  const ask = parts.query({ ...stores, ...reading, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
  const fences = new Map<number, RollupFence | undefined>()
  const beside = {
    memtables: gates.guard(
      {
        ...reading.memtables,
        fence: async (partition: number) => {
          const fence = await reading.memtables.fence(partition)
          fences.set(partition, fence)
          return fence
        },
      },
      'reader',
      ['fence', 'read', 'days'],
    ),
    segments: gates.guard(reading.segments, 'reader', ['list', 'head', 'read', 'days']),
  }
  const askBeside = parts.query({ ...stores, ...beside, hits: stores.log, sites: createKnownSites(stores.sites, clock), clock })
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
    begin(process)
  }

  /** State can be lost, or set back, where it can be folded again. */
  const isSafe = ({ partition }: StatePlace) => !isLost('events', partition)

  const nemesis = async () => {
    const safe = places.filter(isSafe)
    if (safe.length === 0) return
    const place = random.pick(safe)
    const older = snapshots.get(nameOf(place)) ?? []
    const what = random.below(10)
    if (what < 4) replace(random.pick(processes), 'kill')
    else if (what < 7) replace(random.pick(processes), 'sleep')
    else if (what < 9 && older.length > 0) await random.pick(older)()
    else {
      await ground.hot.lose(place)
      snapshots.delete(nameOf(place)) // what is lost whole does not come back as an older state: a new generation begins
    }
  }

  const snapshot = async () => {
    const place = random.pick(places)
    const older = snapshots.get(nameOf(place)) ?? []
    snapshots.set(nameOf(place), [...older, await ground.hot.take(place)])
  }

  const hasTakenAll = async (partition: number): Promise<boolean> => {
    if (isLost('events', partition)) return true
    if (isLost('hits', partition)) {
      const { end } = await stores.log.ends('events', partition)
      return (await stores.memtables.fence(partition))?.next === end
    }
    const { fence } = await stores.sessions.load(partition, [], [], [])
    const rollup = await stores.memtables.fence(partition)
    const hits = await stores.log.ends('hits', partition)
    const events = await stores.log.ends('events', partition)
    // Copies that nobody takes may stand behind enrich's last event: it looks at them when there is something to append again.
    return fence?.mode === '' && fence.next === hits.end && rollup?.next === events.end && rollup.src === hits.end - 1
  }
  const isDrained = async (): Promise<boolean> => !moving.isMoving() && (await Promise.all(numbers.map(hasTakenAll))).every(Boolean)

  /** Lets all calls that are under way go on to the end of their steps, and begins none. */
  const endSteps = async () => {
    while (gates.release()) await settle()
  }

  const drain = async () => {
    gates.faults.probability = 0
    delete gates.faults.nth
    for (let turns = 0; turns < 20_000; turns++) {
      await turn()
      const stuck = gates.waiting() === 0 && processes.every(({ busy }) => busy)
      if (stuck) clock.advance((clock.untilNext() ?? 0) + 1)
      if (turns % (20 * numbers.length) === 0) {
        await endSteps()
        if (processes.every(({ busy }) => !busy) && (await isDrained())) return
      }
      if (turns % 200 === 199) clock.advance(11_000) // a tick
    }
    throw new Error(`never caught up: ${JSON.stringify(processes.map(({ loop }) => loop.report()))}`)
  }

  /** Until nothing is hot: no state waits for so long that the segments before it, which others supersede, go. */
  const flushAll = async () => {
    const isHot = async (partition: number) => {
      const { sealed, due } = await stores.seals.look(partition, { rows: 0, bytes: 0, born: clock.now() }, 1)
      return sealed.length + due.length > 0
    }
    for (let hours = 0; (await Promise.all(numbers.map(isHot))).includes(true); hours++) {
      if (hours === 200) throw new Error('never flushed')
      clock.advance(3_600_000)
      for (let turns = 0; turns < 60 * numbers.length; turns++) await turn()
      await drain()
    }
  }

  const answerOf = async (reply: Reply) => {
    if (reply.status !== 200) throw new Error(`${reply.status} ${String(reply.body)}`)
    return JSON.parse(String(reply.body))
  }

  return {
    clock,
    horizonMs,
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
      fences.clear()
      const answer = askBeside(request(body)).then(answerOf)
      const settled = () => {
        done = true
      }
      answer.then(settled, settled)
      while (!done) await turn()
      return { ...(await answer), fences: new Map(fences) }
    },
    async age(ms, isBad) {
      // Of a state older than that, segments it stands on may be gone (R7).
      const isWithin = isBad && ms < lifeLimits.keepMs
      if (isWithin) await snapshot()
      else await flushAll()
      clock.advance(ms)
      for (let turns = 0; turns < 400; turns++) {
        if (turns % 40 === 0) clock.advance(isWithin && turns > 200 ? 3_600_000 : 11_000)
        if (turns === 200 && isWithin && random.chance(0.5)) await nemesis()
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
    ...records,
    parts: () => numbers,
    newTopics: moving.newTopics,
    async loseTopics(lost) {
      const { probability } = gates.faults
      await drain()
      // A sweep writes what is written behind.
      for (const part of numbers) await stores.sessions.sweep(part, { sessionsBefore: 0, idsBefore: 0 }, 1)
      gates.faults.probability = probability
      await moving.loseTopics(lost)
    },
    close: () => ground.close(),
  }
}

import { MessageChannel } from 'node:worker_threads'
import { createBus } from '#shared/engines/sqlite/bus.ts'
import { openFolder } from '#shared/engines/sqlite/folder.ts'
import { createLeases } from '#shared/engines/sqlite/leases.ts'
import { createLogFile } from '#shared/engines/sqlite/log.ts'
import { createThreadWriter, serveThreadWriter } from '#shared/engines/sqlite/log-thread.ts'
import { createSessions } from '#shared/engines/sqlite/sessions.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { createGenerationList } from '../model/generations.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'
import { busContract } from './bus.ts'
import { generationsContract, oneGenerationContract } from './generations.ts'
import { importsContract } from './imports.ts'
import { leasesContract } from './leases.ts'
import { logContract } from './log.ts'
import { memtablesContract } from './memtables.ts'
import { replaysContract } from './replays.ts'
import { retentionContract } from './retention.ts'
import { sealsContract } from './seals.ts'
import { segmentsContract } from './segments.ts'
import { sessionsContract } from './sessions.ts'
import { sitesContract } from './sites.ts'

/** The SQLite engines: in memory, in a folder, and as the threads of the product use them. */
const writes = ['log', 'state', 'site'] as const
const clockOf = () => createVirtualClock(Date.UTC(2026, 9, 25), createRandom(1))

const inMemory = async () => {
  const clock = clockOf()
  return { ...openFolder({ folder: ':memory:', writes }, clock), clock }
}

const inFolder = async () => {
  const folder = temporaryFolder()
  const clock = clockOf()
  const stores = openFolder({ folder: folder.path, writes }, clock)
  const close = () => {
    stores.close()
    folder.remove()
  }
  return { ...stores, clock, close }
}

/** log.db behind a message port, as in its own thread. */
const behindPort = async () => {
  const under = await inFolder()
  const { port1, port2 } = new MessageChannel()
  serveThreadWriter(port2, createLogFile(under.files.log, under.clock, under.bus))
  const writer = createThreadWriter(port1)
  const log = { ...under.log }
  log.append = (topic, ...rest) => (topic === 'hits' ? writer.append(topic, ...rest) : under.log.append(topic, ...rest))
  log.trim = (topic, ...rest) => (topic === 'hits' ? writer.trim(topic, ...rest) : under.log.trim(topic, ...rest))
  const close = () => {
    port1.close()
    under.close()
  }
  return { ...under, log, close }
}

/** Session state gathered in memory for two seconds. */
const gathered = async () => {
  const under = await inFolder()
  return { ...under, sessions: createSessions(under.files.state, under.clock, 2_000) }
}

logContract('SQLite in memory', inMemory)
logContract('SQLite in a folder', inFolder)
logContract('SQLite behind a message port', behindPort)
sessionsContract('SQLite in memory', inMemory)
sessionsContract('SQLite in a folder, written behind', gathered)
memtablesContract('SQLite in memory', inMemory)
memtablesContract('SQLite in a folder', inFolder)
sealsContract('SQLite in memory', inMemory)
sealsContract('SQLite in a folder', inFolder)
segmentsContract('SQLite in memory', inMemory)
segmentsContract('SQLite in a folder', inFolder)
replaysContract('SQLite in memory', inMemory)
replaysContract('SQLite in a folder', inFolder)
retentionContract('SQLite in memory', inMemory)
retentionContract('SQLite in a folder', inFolder)
oneGenerationContract('SQLite in a folder', inFolder)
generationsContract('of the model', async () => ({ generations: createGenerationList(), close: () => undefined }))
sitesContract('SQLite in memory', inMemory)
sitesContract('SQLite in a folder', inFolder)
importsContract('SQLite in memory', inMemory)
importsContract('SQLite in a folder', inFolder)

busContract('within a thread', async () => {
  const bus = createBus()
  return { near: bus, far: bus, close: () => bus.close() }
})
let channels = 0
busContract('between threads', async () => {
  const name = `bus-test-${process.pid}-${channels++}`
  const near = createBus(name)
  const far = createBus(name)
  const close = () => {
    near.close()
    far.close()
  }
  return { near, far, close }
})
leasesContract('within a process', async () => {
  const clock = clockOf()
  return { leases: createLeases(clock), advance: (ms) => clock.advance(ms), close: () => undefined }
})

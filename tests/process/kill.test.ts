import { rmSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createRandom } from '../../scripts/traffic/random.ts'
import { aLoadedHome, expectAllEqual } from './home.ts'
import { type Load, seedOf } from './load.ts'
import { expectNothingLost, expectTested } from './recount.ts'
import { killedStart, type Server } from './server.ts'

/** A hit answered 2xx is counted exactly once, whenever the process is killed; one not answered may be sent again with its id. */

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

/** Kills the server after `ms` of load, and answers when. What is under way then stays without an answer. */
const killUnderLoad = async (server: Server, load: Load, ms: number): Promise<number> => {
  const abort = new AbortController()
  const sent = load.run(abort.signal)
  await sleep(ms)
  const at = Date.now()
  server.signal('SIGKILL')
  abort.abort() // what would come later are only refused connections
  await Promise.all([server.ended, sent])
  return at
}

const expectNoneLost = async (server: Server, load: Load): Promise<void> => {
  for (const fold of load.folds()) await expectNothingLost(server, fold)
}

describe('a process that is killed', () => {
  it('has counted every acknowledged hit once, ten times over', async () => {
    const seed = seedOf('kill -9')
    const random = createRandom(seed)
    const { load, start, server, restart } = await aLoadedHome(seed, 1_000)
    const kills: number[] = []
    for (let round = 0; round < 10; round++) {
      kills.push(await killUnderLoad(server(), load, 300 + random.whole(1_200)))
      // Now and then it dies again while it starts and catches up.
      if (random.chance(0.3)) await killedStart(start, random.whole(900))
      await expectNoneLost(await restart(), load)
    }
    expectTested(load.folds(), kills)
    expect(await load.settle()).toBe(0)
    await expectAllEqual(server(), load)
    await server().stop()
    await expectAllEqual(await restart(), load)
  }, 180_000)
})

/** Pages of its write-ahead log after which SQLite copies it into the file, and what a frame of it takes. */
const walLimit = 32_000_000

describe('a state.db that has lost', () => {
  it('its last commits catches up, and counts nothing twice', async () => {
    const seed = seedOf('state.db without its last commits')
    const random = createRandom(seed)
    const { load, start, server, restart } = await aLoadedHome(seed, 600)
    const file = join(start.data, 'state.db')
    for (let round = 0; round < 4; round++) {
      const before = statSync(file).mtimeMs
      await killUnderLoad(server(), load, 400 + random.whole(600))
      // A write-ahead log that was already being copied into the file is needed whole; this load is too small for that.
      expect([statSync(file).mtimeMs, statSync(`${file}-wal`).size < walLimit]).toEqual([before, true])
      // Cut anywhere, as a power cut may leave it, or gone: the file goes back to what it was at the start.
      if (round % 2 === 0) truncateSync(`${file}-wal`, random.whole(statSync(`${file}-wal`).size))
      else rmSync(`${file}-wal`)
      rmSync(`${file}-shm`)
      await expectNoneLost(await restart(), load)
    }
    expect(await load.settle()).toBe(0)
    await expectAllEqual(server(), load)
  }, 120_000)

  it('everything is made anew from log.db', async () => {
    const seed = seedOf('no state.db')
    const { load, start, server, restart } = await aLoadedHome(seed, 600)
    await load.hits(600)
    await killUnderLoad(server(), load, 500)
    for (const name of ['state.db', 'state.db-wal', 'state.db-shm']) rmSync(join(start.data, name), { force: true })
    await expectNoneLost(await restart(), load)
    expect(await load.settle()).toBe(0)
    await load.hits(600)
    await expectAllEqual(server(), load)
  }, 60_000)
})

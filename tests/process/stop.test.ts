import { describe, expect, it } from 'vitest'
import { aHome, aLoadedHome, expectAllEqual } from './home.ts'
import { seedOf } from './load.ts'
import { openRaw, postText, statuses } from './raw.ts'
import { sumsOf, until } from './server.ts'

/** A stop that was asked for loses nothing and answers what is under way. */

describe('SIGTERM', () => {
  it('ends with exit code 0, and every request that was under way is answered', async () => {
    const home = await aHome({ FOOTFALL_LOG: 'info' })
    const server = home.server()
    const requests = Array.from({ length: 20 }, (_, i) =>
      postText(`{"site":"localhost","id":"under-way-${i}","url":"http://localhost/${i}"}`),
    )
    const half = requests.map((text) => Math.floor(text.length / 2))
    const connections = await Promise.all(requests.map(() => openRaw(server.port)))
    for (const [i, raw] of connections.entries()) raw.write(requests[i]!.slice(0, half[i]))
    const idle = await openRaw(server.port)
    idle.write(postText('{"site":"localhost","id":"kept","url":"http://localhost/kept"}'))
    expect(await idle.receives('"accepted":1')).toBe(true)
    // The requests that have begun are known to be read when a later one is answered.
    expect((await server.hit({ site: 'localhost', id: 'last-before', url: 'http://localhost/last' })).status).toBe(202)

    server.signal('SIGTERM')
    await until('the server to stop', () => (server.said.err.includes('"stopping"') ? true : undefined))
    expect(await idle.closes()).toBe(true)
    await expect(openRaw(server.port)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    for (const [i, raw] of connections.entries()) raw.write(requests[i]!.slice(half[i]))
    for (const raw of connections) {
      expect(await raw.receives('{"accepted":1,"refused":[]}')).toBe(true)
      expect(statuses(raw.got())).toEqual([202])
      expect(await raw.closes()).toBe(true)
    }
    expect(await server.ended).toMatchObject({ code: 0, signal: null })

    const again = await home.restart()
    const ledger = await again.settled('localhost')
    expect([sumsOf(ledger).counted, ledger.balanced]).toEqual([22, true])
  }, 60_000)

  // Node counts a connection on which nothing was sent yet as busy (against slow clients), so `closeIdleConnections` leaves it, and a
  it('does not wait for a connection on which nothing was ever sent', async () => {
    const home = await aHome()
    const spare = await openRaw(home.server().port)
    expect((await home.server().hit({ site: 'localhost', url: 'http://localhost/' })).status).toBe(202)
    home.server().signal('SIGTERM')
    expect(await spare.closes(4_000)).toBe(true)
  }, 30_000)

  it('does not wait for a page that looks at live numbers, which is told the end of its stream', async () => {
    const home = await aHome()
    const live = await openRaw(home.server().port)
    live.write(`GET /api/live/localhost HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${home.server().key}\r\n\r\n`)
    expect(await live.receives('event: current')).toBe(true)
    const before = performance.now()
    expect(await home.server().stop()).toMatchObject({ code: 0, err: '' })
    expect(performance.now() - before).toBeLessThan(8_000)
    expect(live.got().endsWith('0\r\n\r\n')).toBe(true)
  }, 30_000)

  it('under load loses nothing, three times', async () => {
    const seed = seedOf('SIGTERM')
    const { load, server, restart } = await aLoadedHome(seed, 800)
    for (let round = 0; round < 3; round++) {
      const abort = new AbortController()
      const sent = load.run(abort.signal)
      await until('some load', () => load.folds().every(({ hits }) => hits.size > 150 * (round + 1)) || undefined)
      server().signal('SIGTERM')
      void server().ended.then(() => abort.abort())
      const [ended] = await Promise.all([server().ended, sent])
      expect([ended.code, ended.err]).toEqual([0, ''])
      await restart()
      expect(await load.settle()).toBe(0)
      await expectAllEqual(server(), load)
    }
  }, 90_000)
})

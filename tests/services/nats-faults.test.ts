import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { type NatsBus, openNats } from '#shared/engines/nats/bus.ts'
import { natsSubject } from '#shared/engines/nats/subject.ts'
import { nats } from '../../scripts/services/nats.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** The bus on NATS while its server dies, stands still and comes late: messages may be lost, nothing else. */

const reason = await reasonAgainst(nats)

describe.skipIf(reason !== undefined)('the bus on NATS', () => {
  let place: Place
  let server: Server
  const open: NatsBus[] = []
  const errors: unknown[] = []
  const busOf = (): NatsBus => {
    const servers = [`127.0.0.1:${place.ports.client}`]
    const bus = openNats({ servers, clock: systemClock, onError: (error) => errors.push(error) })
    open.push(bus)
    return bus
  }
  beforeAll(async () => {
    place = await aPlace(nats)
    server = await place.start()
  })
  afterAll(async () => {
    await Promise.all(open.map(({ close }) => close()))
    await place.end()
  })

  /** Publishes until the subscriber has heard it: what is lost on the way is not sent again by anybody else. */
  const reaches = (from: NatsBus, to: NatsBus, subject: string): Promise<string> =>
    new Promise((resolve) => {
      const again = setInterval(() => from.publish(subject, 'there'), 20)
      const leave = to.subscribe(subject, (message) => {
        clearInterval(again)
        leave()
        resolve(message)
      })
    })

  it('drops what is published before there is a server, and finds the server when it comes', async () => {
    await server.kill()
    const [near, far] = [busOf(), busOf()]
    const heard: string[] = []
    far.subscribe('early', (message) => heard.push(message))
    for (let i = 0; i < 1_000; i++) near.publish('early', 'lost')
    server = await place.start()
    expect(await reaches(near, far, 'now')).toBe('there')
    expect(heard).toEqual([])
    expect(errors.length).toBeGreaterThan(0)
  }, 30_000)

  it('hears again what it has subscribed when the server was killed and is back', async () => {
    const [near, far] = [busOf(), busOf()]
    const heard: string[] = []
    far.subscribe('kept', (message) => heard.push(message))
    await reaches(near, far, 'before')
    errors.length = 0
    await server.kill()
    // Each client so far says once that its connection is gone.
    while (errors.length < open.length) await wait(10)
    for (let i = 0; i < 1_000; i++) near.publish('kept', 'lost')
    server = await place.start()
    expect(await reaches(near, far, 'after')).toBe('there')
    near.publish('kept', 'heard')
    await near.settled()
    await far.settled()
    expect(heard).toEqual(['heard'])
  }, 30_000)

  it('keeps no more than its bound for a server that stands still, and goes on with it', async () => {
    const [near, far] = [busOf(), busOf()]
    await reaches(near, far, 'before')
    const message = 'x'.repeat(100_000)
    server.pause()
    const before = process.memoryUsage.rss()
    for (let i = 0; i < 5_000; i++) near.publish('much', message)
    expect(process.memoryUsage.rss() - before).toBeLessThan(200_000_000)
    server.resume()
    expect(await reaches(near, far, 'after')).toBe('there')
  }, 30_000)

  it('takes hostile subjects, and keeps them apart', async () => {
    const [near, far] = [busOf(), busOf()]
    const subjects = [
      'live.*',
      'live.>',
      'live.a b',
      'live.a\r\nPUB x 1',
      '',
      '.',
      '..',
      'a..b',
      'live.ü',
      '$SYS.>',
      'x'.repeat(9_000),
      'x'.repeat(9_001),
    ]
    const heard = subjects.map(() => [] as string[])
    for (const [i, subject] of subjects.entries()) far.subscribe(subject, (message) => heard[i]!.push(message))
    await Promise.all([near.settled(), far.settled()])
    for (const [i, subject] of subjects.entries()) near.publish(subject, `${i}`)
    await near.settled()
    await far.settled()
    expect(heard).toEqual(subjects.map((_, i) => [`${i}`]))
    expect(new Set(subjects.map(natsSubject)).size).toBe(subjects.length)
    expect(natsSubject('live.a-b.example')).toBe('footfall.live.a-b.example')
  })

  it('says that a message is too large, and throws nothing', async () => {
    const bus = busOf()
    await bus.settled()
    const before = errors.length
    bus.publish('large', 'x'.repeat(2_000_000))
    expect(errors.length).toBe(before + 1)
  })
})

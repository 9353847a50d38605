import { connect } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nats } from '../../scripts/services/nats.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

const reason = await reasonAgainst(nats)

describe.skipIf(reason !== undefined)('nats', () => {
  let place: Place
  let server: Server
  beforeAll(async () => {
    place = await aPlace(nats)
    server = await place.start()
  })
  afterAll(() => place.end())

  /** Publishes three words, and answers those that a subscriber of the subject got. */
  const roundTrip = async (): Promise<string[]> => {
    const client = await connect({ servers: server.address })
    const subscription = client.subscribe('live.example', { max: 3 })
    for (const word of ['one', 'two', 'three']) client.publish('live.example', word)
    const got: string[] = []
    for await (const message of subscription) got.push(message.string())
    await client.close()
    return got
  }

  it('hands on what is published', async () => {
    expect(await roundTrip()).toEqual(['one', 'two', 'three'])
  })

  it('does so again after kill -9', async () => {
    await server.kill()
    expect(await server.healthy()).toBe(false)
    server = await place.start()
    expect(await roundTrip()).toEqual(['one', 'two', 'three'])
  })

  it('tells about itself at its second port', async () => {
    const answer = await fetch(`http://127.0.0.1:${place.ports.peer}/varz`)
    expect(await answer.json()).toMatchObject({ port: place.ports.client })
  })

  it('ends when it is told to', async () => {
    expect(await server.stop()).toBe(true)
    expect(server.running()).toBe(false)
  })
})

import { afterAll, beforeAll, describe } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openNats } from '#shared/engines/nats/bus.ts'
import { nats } from '../../scripts/services/nats.ts'
import { aPlace, type Place, reasonAgainst } from '../services/place.ts'
import { busContract } from './bus.ts'

const reason = await reasonAgainst(nats)

describe.skipIf(reason !== undefined)('nats', () => {
  let place: Place
  let servers: string[]
  beforeAll(async () => {
    place = await aPlace(nats)
    servers = [(await place.start()).address]
  }, 40_000)
  afterAll(() => place.end())

  const onError = (error: unknown) => {
    throw error
  }
  const open = () => openNats({ servers, clock: systemClock, onError })

  busContract('NATS, one client', async () => {
    const bus = open()
    return { near: bus, far: bus, settled: bus.settled, close: bus.close }
  })

  busContract('NATS, two clients', async () => {
    const [near, far] = [open(), open()]
    const settled = async () => {
      await Promise.all([near.settled(), far.settled()])
    }
    const close = async () => {
      await Promise.all([near.close(), far.close()])
    }
    return { near, far, settled, close }
  })
})

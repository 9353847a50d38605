import type { Client } from 'cassandra-driver'
import { afterAll, beforeAll, describe } from 'vitest'
import { type CassandraStores, openCassandra } from '#shared/engines/cassandra/store.ts'
import { cassandra } from '../../scripts/services/cassandra.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'
import { addressOf, bareClient, moved, openStores } from '../services/cassandra-tables.ts'
import { aPlace, type Place, reasonAgainst } from '../services/place.ts'
import { generationsContract } from './generations.ts'
import { importsContract } from './imports.ts'
import { replaysContract } from './replays.ts'
import { retentionContract } from './retention.ts'
import { segmentsContract } from './segments.ts'
import { sitesContract } from './sites.ts'

/**
 * The Cassandra engines, all tests over one node and one keyspace (a new one takes seconds): each test has partitions of its own, and what
 * is not of a partition is emptied before it.
 */
const reason = await reasonAgainst(cassandra)
const startMs = 200_000

describe.skipIf(reason !== undefined)('Cassandra', () => {
  let place: Place
  let client: Client
  let stores: CassandraStores
  beforeAll(async () => {
    place = await aPlace(cassandra)
    const server = await place.start()
    await (await openStores([server])).close()
    stores = openCassandra({ ...addressOf([server]), clock: createVirtualClock(Date.UTC(2026, 9, 25), createRandom(1)) })
    client = bareClient([server])
    await client.connect()
  }, startMs)
  afterAll(async () => {
    await stores?.close()
    await client?.shutdown()
    await place.end()
  })

  let base = 0
  const open = (tables: readonly string[]) => async () => {
    base += 10
    const at = base
    for (const table of tables) await client.execute(`TRUNCATE ${table}`)
    const progress: CassandraStores['progress'] = {
      get: (stage, partition) => stores.progress.get(stage, partition + at),
      advance: (stage, partition, mark) => stores.progress.advance(stage, partition + at, mark),
    }
    return {
      ...stores,
      segments: moved(stores.segments, at),
      versions: moved(stores.versions, at),
      retention: moved(stores.retention, at),
      progress,
      close: () => undefined,
    }
  }

  segmentsContract('Cassandra', open([]))
  replaysContract('Cassandra', open(['replay']))
  retentionContract('Cassandra', open([]))
  sitesContract('Cassandra', open(['site_cfg', 'salt', 'secret']))
  generationsContract('Cassandra', open(['generation']))
  importsContract('Cassandra', open(['import', 'import_key']))
})

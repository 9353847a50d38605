import type { Clock } from '../../clock.ts'
import type { Leases } from '../../ports/leases.ts'
import type { Memtables } from '../../ports/memtables.ts'
import type { Seals } from '../../ports/seals.ts'
import type { Sessions } from '../../ports/sessions.ts'
import type { Usage } from '../../ports/usage.ts'
import { type ConnectionOptions, connect } from './connection.ts'
import { createLeases } from './leases.ts'
import { createMemtables } from './memtables.ts'
import { createStates } from './scripts.ts'
import { createSeals } from './seals.ts'
import { createSessions } from './sessions.ts'
import { createUsage } from './usage.ts'

/**
 * The hot state of the distributed mode on one Redis server or Cluster: each method is one script (or several that may be repeated) on
 * keys of one slot, so it is done whole or not at all. Redis is a cache of the log here: state and fence lie in one slot and fall back together.
 */
export type RedisStores = { sessions: Sessions; memtables: Memtables; seals: Seals; leases: Leases; usage: Usage; close(): Promise<void> }

/** Nothing is connected before the first call. Throws `bad-setting` at a call when the server may evict keys, `store-unavailable` when it cannot be asked. */
export const openRedis = (options: Omit<ConnectionOptions, 'clock'> & { clock: Pick<Clock, 'after' | 'random'> }): RedisStores => {
  const connection = connect(options)
  const states = createStates()
  return {
    sessions: createSessions(connection, options.clock),
    memtables: createMemtables(connection, states, options.clock),
    seals: createSeals(connection, states),
    leases: createLeases(connection),
    usage: createUsage(connection),
    close: () => connection.close(),
  }
}

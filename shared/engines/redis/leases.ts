import type { Leases } from '../../ports/leases.ts'
import type { Connection } from './connection.ts'
import { run, script } from './scripts.ts'

const [hold, release] = [script('hold-lease'), script('release-lease')]
const keyOf = (name: string): string => `lease:${name}`

/** leases on Redis: a key each, which runs out by the server's own clock. */
export const createLeases = (connection: Connection): Leases => ({
  hold: async (name, holder, ttlMs) => (await run(connection, hold, [keyOf(name)], [holder, ttlMs])) === 1,
  release: async (name, holder) => void (await run(connection, release, [keyOf(name)], [holder])),
})

import type { Usage } from '../../ports/usage.ts'
import type { Connection } from './connection.ts'
import { numberOf } from './replies.ts'

/** usage on Redis: how much of its memory is taken. */

const bytesIn = (info: string, name: string): number => numberOf(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? '')

export const createUsage = (connection: Connection): Usage => ({
  async memory() {
    return (await connection.memory()).map(({ node, info }) => ({
      node,
      usedBytes: bytesIn(info, 'used_memory'),
      // Without a limit of its own it takes what the machine has.
      limitBytes: bytesIn(info, 'maxmemory') || bytesIn(info, 'total_system_memory'),
    }))
  },
})

import { join } from 'node:path'
import { ask } from './ask.ts'
import { writeWhole } from './processes.ts'
import { serviceOf } from './service.ts'

/**
 * Redis from Debian's package. Every write goes to the append-only file, synced once a second. What was written survives kill -9, but
 * while a sync goes on, Redis keeps what it has answered in its own memory, for two seconds at the most: that may be lost, as may the
 * last second at a power cut. A test that needs every answer kept sets `appendfsync always`.
 */

/** Its settings, but for address and folder. */
export const settings = {
  appendonly: 'yes',
  appendfsync: 'everysec',
  save: '""',
  // State is never evicted behind our back: a full memory is an error that one sees.
  maxmemory: '256mb',
  'maxmemory-policy': 'noeviction',
  'hash-max-listpack-value': '512',
}

export const redis = serviceOf({
  name: 'redis',
  packages: { 'redis-server': '/usr/bin/redis-server', 'redis-tools': '/usr/bin/redis-cli' },
  clusters: false,
  setting: { name: 'FOOTFALL_REDIS', value: (addresses) => addresses.map((address) => `redis://${address}`).join(',') },
  startMs: 30_000,
  stopMs: 10_000,
  prepare: async ({ folder, data, host, ports, options }) => {
    const all = { bind: host, port: ports.client, dir: `"${data}"`, daemonize: 'no', ...settings, ...options.settings }
    const path = join(folder, 'redis.conf')
    await writeWhole(
      path,
      Object.entries(all)
        .map(([name, value]) => `${name} ${value}\n`)
        .join(''),
    )
    return { command: '/usr/bin/redis-server', args: [path] }
  },
  // While it reads its file it answers -LOADING.
  answers: (host, port) => ask(host, port, 'PING\r\n', (got) => got.toString() === '+PONG\r\n'),
})

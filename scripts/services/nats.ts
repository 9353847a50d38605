import { join } from 'node:path'
import { ask } from './ask.ts'
import { writeWhole } from './processes.ts'
import { serviceOf } from './service.ts'

/** NATS from Debian's package: core NATS, which keeps nothing. The second port is its HTTP monitoring (`/varz`, `/connz`). */
export const nats = serviceOf({
  name: 'nats',
  packages: { 'nats-server': '/usr/sbin/nats-server' },
  clusters: false,
  setting: { name: 'FOOTFALL_NATS', value: (addresses) => addresses.map((address) => `nats://${address}`).join(',') },
  startMs: 30_000,
  // It waits for its clients to leave when it is told to end (lame duck) only at SIGUSR2; SIGTERM is at once.
  stopMs: 10_000,
  prepare: async ({ folder, host, ports, options }) => {
    // Its configuration language takes JSON.
    const settings = { host, port: ports.client, http: `${host}:${ports.peer}`, max_payload: 1_048_576, ...options.settings }
    const path = join(folder, 'nats.json')
    await writeWhole(path, JSON.stringify(settings, null, 2))
    return { command: '/usr/sbin/nats-server', args: ['--config', path] }
  },
  // One that asks who we are, or for TLS, answers too.
  answers: (host, port) =>
    ask(host, port, 'CONNECT {"verbose":false}\r\nPING\r\n', (got) =>
      /\r\nPONG\r\n|Authorization Violation|"tls_required":true/.test(got.toString()),
    ),
})

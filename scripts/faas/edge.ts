import { join } from 'node:path'
import { root } from '../run.ts'
import { askHttp } from '../services/ask.ts'
import { type Service, serviceOf } from '../services/service.ts'

const packages = { haproxy: '/usr/sbin/haproxy' }

export type EdgeOptions = {
  /** host:port of the gateway, and of what leads to replicas of query-metrics past it. */
  gateway: string
  live: string
  /** Certificate and key in one file, and the port for TLS. */
  tls?: { cert: string; port: number }
  /** host:port of what leads to collect-hit past the gateway; hits go by the gateway without it. */
  direct?: string
  /** Requests in 10 s from one address. */
  rate?: number
  /** Requests at a time behind the edge. */
  connections?: number
  /** Another configuration than haproxy.cfg. */
  config?: string | undefined
}

/** HAProxy at the edge, by haproxy.cfg. The second port has statistics and metrics. */
export const edgeService = ({ gateway, live, tls, direct, rate, connections, config = join(root, 'haproxy.cfg') }: EdgeOptions): Service =>
  serviceOf({
    name: 'edge',
    packages,
    clusters: false,
    startMs: 20_000,
    stopMs: 160_000,
    prepare: async ({ host, ports }) => ({
      command: packages.haproxy,
      args: ['-W', '-db', '-f', config],
      env: {
        FOOTFALL_EDGE_BIND: `${host}:${ports.client}`,
        FOOTFALL_EDGE_STATS: `${host}:${ports.peer}`,
        FOOTFALL_EDGE_GATEWAY: gateway,
        FOOTFALL_EDGE_LIVE: live,
        ...(direct !== undefined && { FOOTFALL_EDGE_DIRECT: direct }),
        ...(rate !== undefined && { FOOTFALL_EDGE_RATE: String(rate) }),
        ...(connections !== undefined && { FOOTFALL_EDGE_CONNECTIONS: String(connections) }),
        ...(tls && { FOOTFALL_EDGE_CERT: tls.cert, FOOTFALL_EDGE_TLS_BIND: `${host}:${tls.port}` }),
      },
    }),
    // Of HAProxy itself, whether or not there is anybody behind it.
    answers: async (host, port) => askHttp(host, port + 1, '/health'),
  })

import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { askHttp } from '../services/ask.ts'
import { type Service, serviceOf } from '../services/service.ts'
import { type Network, within } from './network.ts'
import { toolPath } from './tools.ts'

/** Its ports are hard-coded: the API, and metrics. */
export const gatewayPorts = { client: 8080, peer: 8082 } as const

export type GatewayOptions = {
  network: Network
  /** Where the provider is, `http://host:port`. */
  provider: string
  user: string
  password: string
  /** Prometheus, from which it has invocation counts; without one `list` and `describe` do not work. */
  prometheus?: { host: string; port: number }
}

/** Longer than a function may take, at every hop a little more: function < upstream < gateway < HAProxy. */
export const timeouts = { upstreamS: 125, gatewayS: 130, edgeS: 135 } as const

/** The open gateway of OpenFaaS. */
export const gatewayService = ({ network, provider, user, password, prometheus }: GatewayOptions): Service =>
  serviceOf({
    name: 'gateway',
    packages: {},
    clusters: false,
    host: network.gatewayHost,
    startMs: 30_000,
    stopMs: 20_000,
    prepare: async ({ folder }) => {
      const secrets = join(folder, 'secrets')
      await mkdir(secrets, { recursive: true })
      for (const [name, value] of [
        ['basic-auth-user', user],
        ['basic-auth-password', password],
      ] as const) {
        await writeFile(join(secrets, name), value)
        await chmod(join(secrets, name), 0o600)
      }
      const env = {
        // Strings are joined to it: it must end with a slash.
        functions_provider_url: `${provider}/`,
        function_namespace: 'openfaas-fn',
        basic_auth: 'true',
        secret_mount_path: `${secrets}/`,
        read_timeout: `${timeouts.gatewayS}s`,
        write_timeout: `${timeouts.gatewayS}s`,
        upstream_timeout: `${timeouts.upstreamS}s`,
        max_idle_conns: '1024',
        max_idle_conns_per_host: '1024',
        ...(prometheus && { faas_prometheus_host: prometheus.host, faas_prometheus_port: String(prometheus.port) }),
      }
      const [command, ...args] = [...within(network), toolPath('gateway')]
      return { command: command!, args, env }
    },
    // Of the gateway itself; /healthz at the other port is the provider's.
    answers: (host) => askHttp(host, gatewayPorts.peer, '/healthz'),
  })

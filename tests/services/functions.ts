import { join } from 'node:path'
import type { FunctionName } from '#shared/runtime/routes.ts'
import { askHttp } from '../../scripts/services/ask.ts'
import { type Service, serviceOf } from '../../scripts/services/service.ts'

/** Our own processes of the distributed mode, started, killed and paused as the servers are. */

const root = join(import.meta.dirname, '../..')

type Environment = Readonly<Record<string, string>>

const aProcess = (name: string, script: string, args: readonly string[], health: string, env: Environment): Service =>
  serviceOf({
    name,
    packages: {},
    clusters: false,
    startMs: 60_000,
    stopMs: 30_000,
    prepare: async ({ host, ports }) => ({
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', join(root, script), ...args],
      env: { ...env, NODE_OPTIONS: '', FOOTFALL_MODE: 'distributed', FOOTFALL_HOST: host, FOOTFALL_PORT: String(ports.client) },
    }),
    answers: (host, port) => askHttp(host, port, health),
  })

/** A function by its main.ts. */
export const functionService = (name: FunctionName, env: Environment): Service =>
  aProcess(name, `functions/${name}/main.ts`, [], '/_/health', env)

/** A trigger that finds the functions at these addresses. `stack`: path of another stack.yml than ours. */
export const triggerService = (urls: Readonly<Record<string, string>>, env: Environment, stack?: string): Service => {
  const places = Object.entries(urls).flatMap(([name, url]) => ['--function', `${name}=${url}`])
  return aProcess('trigger', 'scripts/trigger.ts', stack === undefined ? places : [...places, '--stack', stack], '/health', env)
}

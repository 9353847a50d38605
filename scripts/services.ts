import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { table } from './cli/print.ts'
import { errorText, out, runCommand, UsageError } from './ops/command.ts'
import { alertmanager } from './services/alertmanager.ts'
import { services } from './services/all.ts'
import { servicesFolder } from './services/downloads.ts'
import { addressesOf, down, look, type Plan, plan, type Seen, start, wantedAddresses } from './services/fleet.ts'
import { install } from './services/install.ts'
import { alone, writeWhole } from './services/processes.ts'
import { progressTo } from './services/progress.ts'
import { alertingTo, prometheus } from './services/prometheus.ts'
import type { Service } from './services/service.ts'

/** `npm run services`: real servers for development and tests, as processes under .services/. */

const names = services.map(({ name }) => name)

const help = `Real servers for development and tests, as processes of this machine under .services/.

Usage: npm run services -- install|up|down|status [options]

  install          fetch and check what they run from: Debian packages by apt (as root), jars by Maven
  up               install, start what does not run, wait until it is healthy, print the settings to use
  down             stop all, and wait for their end; data is kept
  status           each server: whether it runs, address, health, memory, log; exit 1 when one that should run does not

  --only NAME,…    of ${names.join(', ')}
  --nodes 3        with up: three Kafka brokers and three Cassandra nodes, on 127.0.0.1, .2 and .3
  --wipe           with down: remove data and logs too
  --help           this text

A second \`up\` starts only what does not run. The settings are in .services/env too: \`node --env-file=.services/env …\`.
docs/services.md says more.`

const progress = progressTo(process.stderr)

const seconds = (since: number): string => `${((performance.now() - since) / 1000).toFixed(1)} s`

/** Settings of Footfall for what should run, and where the rest is; written to .services/env. */
const writeEnv = async (): Promise<string[]> => {
  const lines = services.flatMap((service) => {
    const { setting, name } = service
    const addresses = wantedAddresses(service)
    if (!addresses) return []
    return setting ? `${setting.name}='${setting.value(addresses)}'` : `# ${name}: http://${addresses[0]}`
  })
  await writeWhole(join(servicesFolder, 'env'), lines.map((line) => `${line}\n`).join(''))
  return lines
}

const startOne = async (one: Plan, settings: Record<string, unknown>): Promise<boolean> => {
  const { service, absent } = one
  const began = performance.now()
  if (absent.length > 0) progress(`${service.name}: starting${absent.length > 1 ? ` ${absent.length} nodes` : ''} …`)
  try {
    await start(one, settings)
    progress(`${service.name}: ${absent.length === 0 ? 'runs already' : `healthy after ${seconds(began)}`}, ${addressesOf(one).join(' ')}`)
    return true
  } catch (error) {
    progress(`${service.name}: ${errorText(error)}`)
    return false
  }
}

/** What one service is told about another: where Prometheus sends its alerts. */
const settingsOf = (service: Service): Record<string, unknown> => {
  const alertmanagers = service === prometheus ? wantedAddresses(alertmanager) : undefined
  return alertmanagers ? alertingTo(alertmanagers) : {}
}

const up = async (chosen: readonly Service[], nodes: number | undefined): Promise<boolean> => {
  await install(chosen, progress)
  const plans: Plan[] = []
  for (const service of chosen) plans.push(await plan(service, nodes))
  const started = await Promise.all(plans.map((one) => startOne(one, settingsOf(one.service))))
  if (started.includes(false)) return false
  for (const line of await writeEnv()) out(line)
  return true
}

const stopAll = async (chosen: readonly Service[], wipe: boolean): Promise<boolean> => {
  progress(`stopping ${chosen.map(({ name }) => name).join(', ')} …`)
  const stopped = (await Promise.all(chosen.map((service) => down(service, wipe)))).flat()
  await writeEnv()
  for (const { server, byItself } of stopped)
    progress(`${server.service} (pid ${server.pid}) has ended${byItself ? '' : ', by SIGKILL: it did not end by itself'}`)
  out(`${stopped.length === 0 ? 'Nothing ran.' : 'All have ended.'}${wipe ? ' Data and logs are removed.' : ''}`)
  return true
}

const megabytes = (bytes: number | undefined): string => (bytes === undefined ? '–' : `${Math.round(bytes / 1_048_576)} MB`)

const row = ({ service, node, running, wanted, healthy, server }: Seen): string[] => [
  `${service} ${node}`,
  running ? 'runs' : wanted ? 'ended' : 'stopped',
  running ? String(server?.pid) : '–',
  server?.address ?? '–',
  running ? (healthy ? 'healthy' : 'does not answer') : '–',
  running ? megabytes(server?.memory()) : '–',
  server?.log ?? '–',
]

const status = async (chosen: readonly Service[]): Promise<boolean> => {
  const seen = (await Promise.all(chosen.map(look))).flat()
  if (seen.length === 0) out('No service was started here: `npm run services -- up`.')
  else for (const line of table(['server', 'state', 'pid', 'address', 'health', 'memory', 'log'], seen.map(row))) out(line)
  return seen.every(({ wanted, healthy }) => !wanted || healthy)
}

const chosenFrom = (only: string | undefined): readonly Service[] => {
  if (only === undefined) return services
  const wanted = only.split(',')
  const unknown = wanted.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new UsageError(`There is no service ${unknown.join(', ')}; there are ${names.join(', ')}.`)
  return services.filter(({ name }) => wanted.includes(name))
}

const nodesFrom = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined
  if (text !== '1' && text !== '3') throw new UsageError('--nodes takes 1 or 3.')
  return Number(text)
}

const options = {
  only: { type: 'string' },
  nodes: { type: 'string' },
  wipe: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true })
  } catch (error) {
    throw new UsageError(errorText(error))
  }
}

const run = async (): Promise<boolean> => {
  const { values, positionals } = parse(process.argv.slice(2))
  if (values.help) {
    out(help)
    return true
  }
  const [action, ...rest] = positionals
  if (action === undefined || rest.length > 0) throw new UsageError('Say one of install, up, down, status.')
  const chosen = chosenFrom(values.only)
  const nodes = nodesFrom(values.nodes)
  if (nodes !== undefined && action !== 'up') throw new UsageError('--nodes goes with up.')
  if (values.wipe && action !== 'down') throw new UsageError('--wipe goes with down.')
  if (action === 'status') return status(chosen)
  const actions: Record<string, () => Promise<boolean>> = {
    install: async () => {
      await install(chosen, progress)
      out(`${chosen.map(({ name }) => name).join(', ')}: all is there.`)
      return true
    },
    up: () => up(chosen, nodes),
    down: () => stopAll(chosen, values.wipe),
  }
  const act = actions[action]
  if (!act) throw new UsageError(`There is no ${action}; say one of install, up, down, status.`)
  await mkdir(servicesFolder, { recursive: true })
  return alone(join(servicesFolder, 'lock.db'), act)
}

await runCommand('services', run)

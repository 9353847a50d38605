import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../run.ts'
import { alertmanager } from '../services/alertmanager.ts'
import { askHttp } from '../services/ask.ts'
import { choosePorts, type Ports } from '../services/ports.ts'
import { writeWhole } from '../services/processes.ts'
import { prometheus } from '../services/prometheus.ts'
import { type Server, type Service, type StartOptions, serviceOf } from '../services/service.ts'
import { edgeService } from './edge.ts'
import { gatewayPorts, gatewayService } from './gateway.ts'
import { isThere, type Network, openNetwork } from './network.ts'
import { controlService, dataPathPlace, dataPathService } from './provider.ts'
import { scalingAlerts, scalingRules, scrapeOf } from './scaling.ts'
import { toolPath } from './tools.ts'

/**
 * OpenFaaS on this machine: gateway, provider, the edge in front, triggers behind, and Prometheus with Alertmanager, which scale. Functions are
 * deployed into it by faas-cli. It is a set of processes in one folder, found again by the next command.
 */

const names = ['prometheus', 'alertmanager', 'data-path', 'provider', 'gateway', 'edge', 'trigger'] as const
export type SystemPart = (typeof names)[number]

/** What was chosen when it was first started. */
export type SystemState = { network: Network; ports: Readonly<Record<SystemPart, Ports>>; password: string }

const user = 'admin'

const stateFile = (folder: string): string => join(folder, 'state.json')

export const readSystem = (folder: string): SystemState | undefined =>
  existsSync(stateFile(folder)) ? (JSON.parse(readFileSync(stateFile(folder), 'utf8')) as SystemState) : undefined

/** Decides on network, ports and password, once; a network that a restart of the machine has taken is made anew. */
export const planSystem = async (folder: string, password: string, edgePort?: number): Promise<SystemState> => {
  const known = readSystem(folder)
  if (known && isThere(known.network)) return known
  await mkdir(folder, { recursive: true })
  const ports = {} as Record<SystemPart, Ports>
  for (const name of names) ports[name] = known?.ports[name] ?? (await choosePorts())
  ports.gateway = gatewayPorts
  if (edgePort !== undefined) ports.edge = { client: edgePort, peer: edgePort + 1 }
  const state = { network: openNetwork(), ports, password: known?.password ?? password }
  await writeWhole(stateFile(folder), JSON.stringify(state, null, 2))
  return state
}

export type SystemOptions = {
  folder: string
  state: SystemState
  /** Settings of the trigger: where Kafka and Redis are. */
  env: Readonly<Record<string, string>>
  /** Folder of another version of Footfall, by the tag of its images. */
  roots?: Readonly<Record<string, string>>
  /** Another configuration of the edge than haproxy.cfg. */
  edgeConfig?: string | undefined
}

/** Of what the gateway says of a function, what is looked at. */
export type FunctionStatus = { name: string; image: string; replicas: number; availableReplicas: number; invocationCount: number }

/** What our provider says beside it, of one function. */
type ProviderStatus = FunctionStatus & { updatedReplicas: number; runningReplicas: number }

const run = promisify(execFile)

export const createSystem = ({ folder, state, env, roots = {}, edgeConfig }: SystemOptions) => {
  const { network, ports, password } = state
  const at = (part: SystemPart, host: string): string => `${host}:${ports[part].client}`
  const gateway = at('gateway', network.gatewayHost)
  const provider = at('data-path', network.ourHost)
  const place = dataPathPlace(join(folder, 'provider'), provider, at('provider', '127.0.0.1'))

  const trigger = serviceOf({
    name: 'trigger',
    packages: {},
    clusters: false,
    startMs: 60_000,
    stopMs: 30_000,
    prepare: async ({ host, ports: own }) => ({
      command: process.execPath,
      args: ['--disable-warning=ExperimentalWarning', join(root, 'scripts/trigger.ts')],
      env: {
        ...env,
        NODE_OPTIONS: '',
        FOOTFALL_MODE: 'distributed',
        FOOTFALL_HOST: host,
        FOOTFALL_PORT: String(own.client),
        FOOTFALL_GATEWAY: `http://${gateway}`,
      },
    }),
    answers: (host, port) => askHttp(host, port, '/health'),
  })

  /** In the order in which they are started. */
  const services: Readonly<Record<SystemPart, Service>> = {
    // The gateway asks it, from its own network.
    prometheus: serviceOf({ ...prometheus, host: network.ourHost }),
    alertmanager,
    'data-path': dataPathService(place, network.ourHost),
    provider: controlService({ folder: join(folder, 'provider'), user, password, dataPath: place, roots }),
    gateway: gatewayService({
      network,
      provider: `http://${provider}`,
      user,
      password,
      prometheus: { host: network.ourHost, port: ports.prometheus.client },
    }),
    edge: edgeService({ gateway, live: provider, config: edgeConfig }),
    trigger,
  }

  const settingsOf: Partial<Record<SystemPart, Record<string, unknown>>> = {
    prometheus: {
      ...scrapeOf(
        {
          gateway: `${network.gatewayHost}:${gatewayPorts.peer}`,
          trigger: at('trigger', '127.0.0.1'),
          edge: `127.0.0.1:${ports.edge.peer}`,
        },
        { address: at('provider', '127.0.0.1'), user, password },
      ),
      ...scalingAlerts([at('alertmanager', '127.0.0.1')], join(folder, 'scaling-rules.json')),
    },
    alertmanager: scalingRules.receiver(`http://${gateway}/system/alert`, user, password),
  }

  const folderOf = (part: SystemPart): string => join(folder, part)
  const find = (part: SystemPart): Server | undefined => services[part].find(folderOf(part), ports[part])

  const start = async (part: SystemPart, options: StartOptions = {}): Promise<Server> => {
    const running = find(part)
    if (running?.running()) return running
    await mkdir(folderOf(part), { recursive: true })
    await mkdir(join(folder, 'provider'), { recursive: true })
    if (part === 'prometheus') await writeWhole(join(folder, 'scaling-rules.json'), JSON.stringify(scalingRules.rules, null, 2))
    const settings = settingsOf[part]
    return services[part].start(folderOf(part), ports[part], { ...(settings && { settings }), ...options })
  }

  /** Runs the real faas-cli against this gateway; answers what it says. Rejects with that when it fails. */
  const faas = async (...args: string[]): Promise<string> => {
    const own = { OPENFAAS_CONFIG: join(folder, 'faas-cli'), OPENFAAS_URL: `http://${gateway}` }
    const options = { cwd: root, env: { ...process.env, ...own } }
    const { stdout, stderr } = await run(toolPath('faas-cli'), args, options).catch(
      (error: Error & { stdout?: string; stderr?: string }) => {
        throw new Error(`faas-cli ${args.join(' ')} failed:\n${error.stdout ?? ''}${error.stderr ?? ''}`.trim(), { cause: error })
      },
    )
    return stdout + stderr
  }

  /** A question to the provider, through the gateway. */
  const ask = (method: string, path: string, body?: unknown): Promise<Response> =>
    fetch(`http://${gateway}${path}`, {
      method,
      headers: { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })

  return {
    names,
    services,
    faas,
    ask,
    /** Where the provider keeps replicas. */
    replicasFolder: join(folder, 'provider', 'functions'),
    async functions(): Promise<FunctionStatus[]> {
      const answer = await ask('GET', '/system/functions')
      if (answer.status !== 200) throw new Error(`The gateway answers ${answer.status}: ${await answer.text()}`)
      const functions = (await answer.json()) as (Omit<FunctionStatus, 'availableReplicas'> & { availableReplicas?: number })[]
      // The gateway leaves out what is 0.
      return functions.map((one) => ({ ...one, availableReplicas: one.availableReplicas ?? 0 })).sort((a, b) => (a.name < b.name ? -1 : 1))
    },
    /** Functions of which a replica is still to start, or an old one to end. */
    async unsettled(): Promise<string[]> {
      const names = ((await (await ask('GET', '/system/functions')).json()) as { name: string }[]).map(({ name }) => name)
      const all = await Promise.all(
        names.map(async (name) => (await (await ask('GET', `/system/function/${name}`)).json()) as ProviderStatus),
      )
      const isSettled = (one: ProviderStatus) => one.updatedReplicas === one.replicas && one.runningReplicas === one.replicas
      return all.filter((one) => !isSettled(one)).map(({ name }) => name)
    },
    signIn: (): Promise<string> => faas('login', '--username', user, '--password', password),
    /** Makes a secret of a file, or replaces it. faas-cli ends with 0 whatever comes of it, so this asks. */
    async putSecret(name: string, path: string): Promise<void> {
      const there = (await (await ask('GET', '/system/secrets')).json()) as { name: string }[]
      await faas('secret', there.some((one) => one.name === name) ? 'update' : 'create', name, '--from-file', path)
      const now = (await (await ask('GET', '/system/secrets')).json()) as { name: string }[]
      if (!now.some((one) => one.name === name)) throw new Error(`The secret ${name} was not taken.`)
    },
    /** `faas-cli deploy -f stack.yml`, with the settings of this machine in place of those of the operator. Does not wait for replicas. */
    deploy(stack = 'stack.yml', ...more: string[]): Promise<string> {
      const settings = {
        ...env,
        FOOTFALL_MODE: 'distributed',
        FOOTFALL_URL: `http://${at('edge', '127.0.0.1')}`,
        // The data path of the provider, which comes from here.
        FOOTFALL_TRUSTED_PROXIES: 'loopback',
      }
      const flags = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`])
      return faas('deploy', '-f', stack, ...flags, ...more)
    },
    url: `http://${at('edge', '127.0.0.1')}`,
    gateway: `http://${gateway}`,
    find,
    start,
    credentials: { user, password },
  }
}
export type System = ReturnType<typeof createSystem>

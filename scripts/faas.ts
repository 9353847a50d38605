import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs, parseEnv } from 'node:util'
import { systemClock } from '#shared/clock.ts'
import { newKey } from '#shared/site/access.ts'
import { table } from './cli/print.ts'
import { closeNetwork } from './faas/network.ts'
import { endReplicas } from './faas/provider/replicas.ts'
import { deployedWhen, packages } from './faas/ready.ts'
import { createSystem, planSystem, readSystem, type System } from './faas/system.ts'
import { ensureTools } from './faas/tools.ts'
import { errorText, out, runCommand, UsageError } from './ops/command.ts'
import { installPackages } from './ops/packages.ts'
import { root } from './run.ts'
import { servicesFolder } from './services/downloads.ts'
import { alone } from './services/processes.ts'
import { progressTo } from './services/progress.ts'

/** `npm run faas`: OpenFaaS on this machine, with Footfall's functions in it. */

const help = `OpenFaaS on this machine, without containers: the real gateway and the real faas-cli, a provider of ours, HAProxy in front,
a trigger behind; on top of the servers of \`npm run services\`.

Usage: npm run faas -- up|deploy|status|down

  up        build gateway and faas-cli (once, with Go), start servers, tables, topics, and all of OpenFaaS; a second one starts what does not run
  deploy    \`faas-cli deploy -f stack.yml\`, with the settings of these servers, and wait until all functions serve
  status    each process, each function, and the public address; exit 1 when something that should run does not
  down      stop all of it; servers and what they hold stay (\`npm run services -- down\`)

  --help    this text

docs/openfaas.md says more.`

const folder = join(servicesFolder, 'faas')
const keyFile = join(folder, 'footfall-key')
const progress = progressTo(process.stderr)

/** Runs one of our own scripts; rejects when it fails. */
const runScript = (script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<void> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(root, 'scripts', script), ...args], {
      cwd: root,
      // What it says is progress here.
      stdio: ['ignore', 2, 2],
      env: { ...process.env, ...env },
    })
    child.once('error', reject)
    child.once('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${script} ${args.join(' ')} failed.`))))
  })

/** Where the servers are, as `npm run services` has written it down. */
const serverSettings = (): Record<string, string> => {
  const path = join(servicesFolder, 'env')
  const settings = existsSync(path) ? parseEnv(readFileSync(path, 'utf8')) : {}
  if (!settings['FOOTFALL_KAFKA']) throw new Error('No servers were started: `npm run faas -- up`.')
  return { ...settings, FOOTFALL_MODE: 'distributed', FOOTFALL_PARTITIONS: '4' } as Record<string, string>
}

const openSystem = (): System => {
  const state = readSystem(folder)
  if (!state) throw new Error('OpenFaaS was not started: `npm run faas -- up`.')
  return createSystem({ folder, state, env: serverSettings() })
}

const keepKey = async (): Promise<string> => {
  if (!existsSync(keyFile)) await writeFile(keyFile, newKey('own', systemClock), { mode: 0o600 })
  return readFileSync(keyFile, 'utf8')
}

const up = async (): Promise<boolean> => {
  const absent = installPackages(packages)
  if (absent.length > 0) throw new Error(`These Debian packages are missing: ${absent.join(' ')}. Install them as root.`)
  await ensureTools(['gateway', 'faas-cli'], progress)
  await runScript('services.ts', ['up', '--only', 'kafka,cassandra,redis,nats'])
  const env = serverSettings()
  await runScript('footfall.ts', ['migrate', '--replication', '1'], env)
  await mkdir(folder, { recursive: true })
  const state = await planSystem(folder, randomBytes(18).toString('base64url'))
  if (state.network.namespace === undefined)
    progress('network: none of its own can be made here (that takes root): the gateway takes the ports 8080 and 8082 of this machine')
  const system = createSystem({ folder, state, env })
  for (const name of system.names) {
    const isRunning = system.find(name)?.running() === true
    const { address } = await system.start(name)
    progress(`${name}: ${isRunning ? 'runs already' : 'healthy'}, ${address}`)
  }
  await keepKey()
  await system.signIn()
  await system.putSecret('footfall-key', keyFile)
  out(`OpenFaaS runs: gateway ${system.gateway}, user ${system.credentials.user}, password in ${join(folder, 'state.json')}.`)
  out(`Footfall will be at ${system.url}: \`npm run faas -- deploy\`.`)
  return true
}

const deploy = async (): Promise<boolean> => {
  const system = openSystem()
  await system.signIn()
  progress(await system.deploy())
  await deployedWhen(system, progress)
  out(`Footfall: ${system.url}`)
  out(`Sign in: FOOTFALL_URL=${system.url} FOOTFALL_KEY_FILE=${keyFile} npm run footfall -- link`)
  return true
}

const status = async (): Promise<boolean> => {
  const system = openSystem()
  const parts = await Promise.all(
    system.names.map(async (name) => {
      const server = system.find(name)
      const isWell = (await server?.healthy()) === true
      return {
        isWell,
        row: [name, server?.running() ? (isWell ? 'healthy' : 'does not answer') : 'ended', server?.address ?? '–', server?.log ?? '–'],
      }
    }),
  )
  for (const line of table(
    ['process', 'state', 'address', 'log'],
    parts.map(({ row }) => row),
  ))
    out(line)
  const functions = await system.functions().catch(() => undefined)
  if (functions === undefined) out('Its functions cannot be asked for: gateway or provider do not answer.')
  else if (functions.length === 0) out('No function is deployed: `npm run faas -- deploy`.')
  else
    for (const line of table(
      ['function', 'image', 'replicas'],
      functions.map(({ name, image, replicas, availableReplicas }) => [name, image, `${availableReplicas} of ${replicas}`]),
    ))
      out(line)
  out(`Footfall: ${system.url}`)
  return parts.every(({ isWell }) => isWell) && functions?.every((one) => one.availableReplicas >= one.replicas) === true
}

const down = async (): Promise<boolean> => {
  const state = readSystem(folder)
  if (!state) {
    out('Nothing ran.')
    return true
  }
  const system = createSystem({ folder, state, env: serverSettings() })
  for (const name of [...system.names].reverse()) {
    const server = system.find(name)
    if (!server?.running()) continue
    progress(`${name}: stopping …`)
    await server.stop()
    // Nothing reaches the functions any more.
    if (name === 'provider') await endReplicas(system.replicasFolder)
  }
  closeNetwork(state.network)
  out('All have ended. The servers run on: `npm run services -- down` stops them.')
  return true
}

const actions: Readonly<Record<string, () => Promise<boolean>>> = { up, deploy, status, down }

const run = async (): Promise<boolean> => {
  let parsed: ReturnType<typeof parseArgs>
  try {
    parsed = parseArgs({ options: { help: { type: 'boolean', short: 'h' } }, allowPositionals: true })
  } catch (error) {
    throw new UsageError(errorText(error))
  }
  if (parsed.values['help']) {
    out(help)
    return true
  }
  const [action = '', ...rest] = parsed.positionals
  const act = actions[action]
  if (!act || rest.length > 0) throw new UsageError('Say one of up, deploy, status, down.')
  if (act === status) return status()
  await mkdir(servicesFolder, { recursive: true })
  return alone(join(servicesFolder, 'faas-lock.db'), act)
}

await runCommand('faas', run)

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { functionNames } from '#shared/runtime/routes.ts'
import { deploymentSchema, refusalOf } from '../../scripts/faas/provider/deployment.ts'
import { toolPath } from '../../scripts/faas/tools.ts'
import { root } from '../../scripts/run.ts'
import { type Engine, engineProgram, makeBaseImage, startEngine } from '../deploy/engine.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { freePort, until } from '../process/server.ts'
import { reasonAgainstOpenFaas } from './open-faas.ts'

/** stack.yml as the real faas-cli understands it: build contexts, images, Kubernetes, and what it would deploy. */

const reason = await reasonAgainstOpenFaas()
const stack = parse(readFileSync(join(root, 'stack.yml'), 'utf8'))

describe('stack.yml', () => {
  it('has all functions, and stays inside the open edition', () => {
    expect(Object.keys(stack.functions).sort()).toEqual([...functionNames].sort())
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    for (const [name, said] of Object.entries<Record<string, never>>(stack.functions)) {
      expect(said['image']).toBe(`footfall/${name}:${version}`)
      expect(said['build_args']).toEqual({ FUNCTION: name })
      expect(said['handler']).toBe(`./functions/${name}`)
      expect(said['readonly_root_filesystem']).toBe(true)
      const { labels = {}, annotations = {} } = said as Record<string, object>
      for (const value of Object.values({ ...labels, ...annotations })) expect(typeof value).toBe('string')
      const deployment = deploymentSchema.parse({ service: name, image: said['image'], labels, annotations })
      expect(refusalOf(deployment)).toBeUndefined()
    }
  })
})

describe.skipIf(reason !== undefined)(`faas-cli${reason === undefined ? '' : ` (${reason})`}`, () => {
  const ends: (() => unknown)[] = []
  let checkout: string
  let engine: Engine | undefined

  beforeAll(async () => {
    const folder = temporaryFolder()
    ends.push(folder.remove)
    checkout = join(folder.path, 'footfall')
    mkdirSync(checkout, { recursive: true })
    for (const path of ['stack.yml', 'template', 'functions', 'shared', 'package.json', 'package-lock.json', '.npmrc'])
      cpSync(join(root, path), join(checkout, path), { recursive: true })
    engine = existsSync(engineProgram) ? await startEngine() : undefined
    ends.push(() => engine?.stop())
  }, 120_000)

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  })

  const faas = (...args: string[]): string => {
    const env = {
      ...process.env,
      OPENFAAS_CONFIG: join(checkout, '.faas'),
      DOCKER_BUILDKIT: '0',
      ...(engine && { DOCKER_HOST: engine.host }),
    }
    const { status, stdout, stderr } = spawnSync(toolPath('faas-cli'), args, { cwd: checkout, encoding: 'utf8', env, maxBuffer: 64e6 })
    if (status !== 0) throw new Error(`faas-cli ${args.join(' ')}:\n${stdout.slice(-3_000)}\n${stderr.slice(-3_000)}`)
    return stdout
  }

  it('makes a build context of each function, with nothing in it that is not its own', () => {
    faas('build', '--shrinkwrap', '-f', 'stack.yml')
    for (const name of functionNames) {
      const own = join(checkout, 'build', name)
      expect(readdirSync(own).sort()).toEqual(['Dockerfile', 'function', 'template.yml'].filter((file) => existsSync(join(own, file))))
      const inside = readdirSync(join(own, 'function'))
      for (const file of ['main.ts', 'handler.ts', 'shared', 'package.json', 'package-lock.json', '.npmrc']) expect(inside).toContain(file)
      for (const file of ['node_modules', '.git', '.services', 'tests', 'functions']) expect(inside).not.toContain(file)
    }
  })

  it('generates what Kubernetes takes', () => {
    const documents = parseAllDocuments(faas('generate', '-f', 'stack.yml', '--api', 'openfaas.com/v1', '-n', 'openfaas-fn'))
    const functions = documents.map((document) => document.toJS()).filter((one) => one !== null)
    expect(functions.map((one) => one.metadata.name).sort()).toEqual([...functionNames].sort())
    const enrich = functions.find((one) => one.metadata.name === 'enrich-session')
    expect(enrich).toMatchObject({
      kind: 'Function',
      spec: { annotations: { topic: 'hits', 'footfall.delivery': 'fenced' }, image: 'footfall/enrich-session:0.1.0' },
    })
  })

  it('builds images that run as nobody in particular on a file system that cannot be written', async ({ skip }) => {
    if (!engine) return skip('no container engine can run on this machine')
    makeBaseImage(engine, 'footfall-base')
    // What is built in this engine reaches no registry but by the network of the machine, which faas-cli cannot ask for: the packages are
    // installed before, by the same Dockerfile, and the engine knows that layer by its files.
    const one = join(checkout, 'build', 'serve-dashboard')
    engine.docker('build', '--network', 'host', '--build-arg', 'NODE_IMAGE=footfall-base', '-q', one)
    faas('build', '-f', 'stack.yml', '--build-arg', 'NODE_IMAGE=footfall-base', '--parallel', '1')
    for (const name of functionNames) {
      const files = engine.docker('run', '--rm', `footfall/${name}:0.1.0`, 'ls', '-a', '/app', `/app/functions/${name}`, '/app/functions')
      expect(files).toContain('main.ts')
      expect(files).not.toMatch(/^(tests|\.git|package-lock\.json|stack\.yml)$/m)
    }
    const port = await freePort()
    // Servers that the page's function has no use for, and does not connect to.
    const servers = {
      FOOTFALL_KAFKA: '127.0.0.1:9092',
      FOOTFALL_REDIS: 'redis://127.0.0.1:6379',
      FOOTFALL_CASSANDRA: '127.0.0.1:9042;dc1',
      FOOTFALL_NATS: 'nats://127.0.0.1:4222',
    }
    const settings = Object.entries({ ...servers, FOOTFALL_PORT: port }).flatMap(([name, value]) => ['-e', `${name}=${value}`])
    const limits = ['--read-only', '--network', 'host', '-m', '256m']
    engine.docker('run', '-d', '--name', 'page', ...limits, ...settings, 'footfall/serve-dashboard:0.1.0')
    const url = `http://127.0.0.1:${port}`
    await until('the function', async () => ((await fetch(`${url}/_/ready`).catch(() => undefined))?.ok ? true : undefined))
    expect(await (await fetch(url)).text()).toContain('<title>Footfall</title>')
    expect(engine.docker('exec', 'page', 'id')).toContain('uid=10001')
    engine.docker('stop', 'page')
    expect(engine.docker('inspect', 'page', '--format', '{{.State.ExitCode}}')).toBe('0')
  }, 600_000)
})

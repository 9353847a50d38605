import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { readConfig, servicesOf } from '#shared/config.ts'
import { functionNames } from '#shared/runtime/routes.ts'
import { root } from '../../scripts/run.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** deploy/kubernetes: Kubernetes' own types take it, and it names what there is. No cluster and no kubectl is needed, and none was run. */

const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const folder = 'deploy/kubernetes'

type Labels = Record<string, string>
type Probe = { httpGet: { path: string; port: string } }
type Secured = Record<string, unknown>
type Container = {
  name: string
  image: string
  command?: string[]
  args?: string[]
  env?: { name: string; value?: string; valueFrom?: { secretKeyRef: { name: string; key: string } } }[]
  envFrom?: { configMapRef: { name: string } }[]
  ports?: { name: string; containerPort: number }[]
  startupProbe?: Probe
  livenessProbe?: Probe
  readinessProbe?: Probe
  securityContext: Secured
  resources: { requests: Labels; limits: Labels }
  volumeMounts: { name: string; mountPath: string }[]
}
type Volume = { name: string; configMap?: { name: string }; secret?: { secretName: string; items?: { key: string; path: string }[] } }
type Pod = {
  securityContext: Secured
  containers: Container[]
  volumes: Volume[]
  enableServiceLinks: boolean
  automountServiceAccountToken: boolean
  terminationGracePeriodSeconds?: number
}
type Selector = { matchLabels?: Labels; matchExpressions?: { key: string; operator: string; values: string[] }[] }
type Port = { port: number | string; targetPort?: string }
type Rule = { from?: { namespaceSelector: Selector }[]; ports: Port[] }
type Resource = {
  apiVersion: string
  kind: string
  metadata: { name: string; namespace?: string; annotations?: Labels }
  spec: {
    template?: { metadata: { labels: Labels; annotations?: Labels }; spec: Pod }
    selector?: Selector & Labels
    podSelector?: Selector
    replicas?: number
    minAvailable?: number
    ports?: Port[]
    ingress?: Rule[]
  }
}
type Kustomization = {
  resources?: string[]
  components?: string[]
  configMapGenerator?: { name: string; namespace: string; files?: string[]; envs?: string[] }[]
  images?: { name: string; newName: string; newTag: string }[]
}

const filesOf = (pattern: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => pattern.test(file))
    .map((file) => join(folder, file))
const kustomizations = ['kustomization.yaml', ...filesOf(/kustomization\.yaml$/)]
const manifests = filesOf(/\.yaml$/).filter((file) => basename(file) !== 'kustomization.yaml')
const resources = manifests.flatMap((file) => parseAllDocuments(read(file)).map((one) => one.toJS() as Resource))
const kustomized = kustomizations.map((file) => ({ file, said: parse(read(file)) as Kustomization }))

const ofKind = (kind: string): Resource[] => resources.filter((one) => one.kind === kind)
const named = (kind: string, name: string): Resource => ofKind(kind).find(({ metadata }) => metadata.name === name)!
const templates = resources.flatMap((one) => (one.spec?.template ? [{ name: one.metadata.name, ...one.spec.template }] : []))
const podOf = (name: string): Pod => templates.find((one) => one.name === name)!.spec
const containers = templates.flatMap(({ spec }) => spec.containers)
const valuesOf = ({ env = [] }: Container): Record<string, string> =>
  Object.fromEntries(env.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]])))
const generators = kustomized.flatMap(({ said }) => said.configMapGenerator ?? [])
/** A line for each setting, as Kustomize reads them. */
const settings = Object.fromEntries(
  read(`${folder}/settings/settings.env`)
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
)

const ends: (() => unknown)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

test('every resource is one by the types of Kubernetes, without a field that there is not', () => {
  const types: Record<string, string> = { v1: 'core', 'apps/v1': 'apps', 'batch/v1': 'batch', 'policy/v1': 'policy' }
  types['networking.k8s.io/v1'] = 'networking'
  const lines = resources.map((one, i) => {
    const path = join(root, 'node_modules/kubernetes-types', types[one.apiVersion]!, 'v1')
    return `export const r${i}: import(${JSON.stringify(path)}).${one.kind} = ${JSON.stringify(one)}`
  })
  const { path, remove } = temporaryFolder()
  ends.push(remove)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'resources.ts'), lines.join('\n'))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const { status, stdout } = spawnSync(process.execPath, [tsc, '--noEmit', '--strict', '--skipLibCheck', 'resources.ts'], {
    cwd: path,
    encoding: 'utf8',
  })
  expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
  expect(resources.length).toBeGreaterThan(9)
})

describe('the kustomizations', () => {
  test('take every manifest once, and nothing that Kustomize would refuse', () => {
    const taken: string[] = []
    for (const { file, said } of kustomized) {
      const own = dirname(file)
      for (const one of [...(said.resources ?? []), ...(said.components ?? [])]) {
        const path = join(own, one)
        expect([file, one, existsSync(join(root, path))]).toEqual([file, one, true])
        if (path.endsWith('.yaml')) taken.push(path)
        else expect(existsSync(join(root, path, 'kustomization.yaml'))).toBe(true)
      }
      // Files are taken from a kustomization's own folder only.
      for (const one of (said.configMapGenerator ?? []).flatMap(({ files = [], envs = [] }) => [...files, ...envs])) {
        expect(existsSync(join(root, own, one))).toBe(true)
        expect(relative(own, join(own, one))).not.toMatch(/^\.\./)
      }
    }
    expect(taken.sort()).toEqual(manifests.sort())
  })

  test('run the image of this version', () => {
    const { version } = JSON.parse(read('package.json'))
    const images = kustomized.flatMap(({ said }) => said.images ?? [])
    expect(images.map(({ name, newTag }) => [name, newTag])).toEqual([['footfall', version]])
    const edge = parse(read('compose.dev.yml'), { merge: true }).services.edge.image
    expect(containers.map(({ name, image }) => [name, image]).sort()).toEqual([
      ['edge', edge],
      ['migrate', 'footfall'],
      ['trigger', 'footfall'],
    ])
  })
})

describe('settings', () => {
  test('are ones that there are, and name all servers', () => {
    const { path, remove } = temporaryFolder()
    ends.push(remove)
    const place = '/var/openfaas/secrets/'
    const moved = Object.entries(settings).map(([name, value]) => {
      if (!value.startsWith(place)) return [name, value]
      const file = join(path, value.slice(place.length))
      writeFileSync(file, 'secret')
      return [name, file]
    })
    for (const name of ['migrate', 'trigger']) {
      const [container] = podOf(name).containers
      expect(container!.envFrom).toEqual([{ configMapRef: { name: 'settings' } }])
      expect(container!.volumeMounts.map(({ mountPath }) => `${mountPath}/`)).toEqual([place])
      const own = valuesOf(container!)
      expect(Object.keys(own).every((one) => one.startsWith('FOOTFALL_'))).toBe(true)
      const secret = { FOOTFALL_REDIS: 'redis://:password@redis:6379' }
      expect(container!.env!.filter(({ value }) => value === undefined).map((one) => one.name)).toEqual(Object.keys(secret))
      const config = readConfig({ ...Object.fromEntries(moved), ...own, ...secret })
      expect(servicesOf(config).kafka.login?.user).toBe('footfall')
      expect(config).toMatchObject({ mode: 'distributed', gateway: 'http://gateway.openfaas.svc:8080' })
    }
  })

  test('of the edge are ones that haproxy.cfg asks for, and all that it must be told', () => {
    const [edge] = podOf('edge').containers
    const asked = new Set([...read('haproxy.cfg').matchAll(/\$\{(FOOTFALL_EDGE_\w+)\}/g)].map(([, name]) => name))
    const preset = [...read('haproxy.cfg').matchAll(/presetenv (\w+)/g)].map(([, name]) => name)
    const told = Object.keys(valuesOf(edge!))
    expect([...asked].filter((name) => !told.includes(name!) && !preset.includes(name)).sort()).toEqual(['FOOTFALL_EDGE_DIRECT'])
    expect(told.filter((name) => !asked.has(name))).toEqual([])
  })

  test('come from maps that are made, and secrets that the head of kustomization.yaml names', () => {
    const head = read(`${folder}/kustomization.yaml`)
    expect(generators.map(({ name, namespace }) => [name, namespace])).toEqual([
      ['edge', 'footfall'],
      ['settings', 'footfall'],
    ])
    const maps = templates.flatMap(({ spec }) => [
      ...spec.volumes.flatMap(({ configMap }) => (configMap ? [configMap.name] : [])),
      ...spec.containers.flatMap(({ envFrom = [] }) => envFrom.map(({ configMapRef }) => configMapRef.name)),
    ])
    expect([...new Set(maps)].sort()).toEqual(['edge', 'settings'])
    const secrets = templates.flatMap(({ spec }) => spec.volumes.flatMap(({ secret }) => (secret ? [secret.secretName] : [])))
    for (const name of secrets) expect(head).toMatch(new RegExp(`^#   ${name} `, 'm'))
    for (const { name, key } of containers.flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? [])))
      expect(head).toMatch(new RegExp(`generic ${name} --from-literal=${key}=`))
    for (const [name, value] of Object.entries(settings))
      if (name.endsWith('_FILE')) expect(head).toContain(`--from-file=${basename(value)}=`)
    for (const { name, spec } of templates)
      for (const mount of spec.containers.flatMap(({ volumeMounts }) => volumeMounts))
        expect([name, spec.volumes.map((one) => one.name)]).toEqual([name, expect.arrayContaining([mount.name])])
    // What HAProxy is told is where the certificate is, with its key beside it.
    const edge = podOf('edge')
    const certificate = edge.volumes.find(({ name }) => name === 'certificate')!.secret!
    const at = edge.containers[0]!.volumeMounts.find(({ name }) => name === 'certificate')!.mountPath
    expect(valuesOf(edge.containers[0]!)['FOOTFALL_EDGE_CERT']).toBe(`${at}/edge.pem`)
    expect(certificate.items!.map(({ path }) => path)).toEqual(['edge.pem', 'edge.pem.key'])
  })
})

describe('a pod', () => {
  test.each(templates.map(({ name }) => name))('%s is nobody, and may write nothing', (name) => {
    const user = Number(/^USER (\d+):/m.exec(read('Dockerfile'))![1])
    const { securityContext, enableServiceLinks, automountServiceAccountToken, containers: own } = podOf(name)
    const ids = { runAsNonRoot: true, runAsUser: user, runAsGroup: user, fsGroup: user }
    expect(securityContext).toEqual({ ...ids, seccompProfile: { type: 'RuntimeDefault' } })
    // A service called footfall-x would else become FOOTFALL_X_PORT, which is no setting.
    expect({ enableServiceLinks, automountServiceAccountToken }).toEqual({ enableServiceLinks: false, automountServiceAccountToken: false })
    for (const container of own) {
      const limits = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }
      expect(container.securityContext).toEqual(limits)
      expect(Object.keys(container.resources.requests).sort()).toEqual(['cpu', 'memory'])
      expect(container.resources.limits['memory']).toMatch(/^\d+[MG]i$/)
    }
  })

  test('runs a program that the image has', () => {
    const [trigger, migrate] = [podOf('trigger').containers[0]!, podOf('migrate').containers[0]!]
    expect(existsSync(join(root, trigger.args!.at(-1)!))).toBe(true)
    expect(migrate.args!.slice(0, 2)).toEqual(['footfall', 'migrate'])
    expect(podOf('edge').containers[0]!.command!.at(-1)).toBe(
      `${podOf('edge').containers[0]!.volumeMounts[0]!.mountPath}/${generators.find(({ name }) => name === 'edge')!.files![0]}`,
    )
    const stop = Number(/hard-stop-after (\d+)s/.exec(read('haproxy.cfg'))![1])
    expect(podOf('edge').terminationGracePeriodSeconds!).toBeGreaterThan(stop + 5)
  })

  test('listens where it is asked', () => {
    const [edge, trigger] = [podOf('edge').containers[0]!, podOf('trigger').containers[0]!]
    const portsOf = ({ ports = [] }: Container) => Object.fromEntries(ports.map(({ name, containerPort }) => [name, containerPort]))
    const own = valuesOf(edge)
    const portOf = (name: string) => Number(own[name]!.replace(/.*:/, ''))
    const [http, https, metrics] = ['BIND', 'TLS_BIND', 'STATS'].map((name) => portOf(`FOOTFALL_EDGE_${name}`))
    expect(portsOf(edge)).toEqual({ http, https, metrics })
    expect(portsOf(trigger)).toEqual({ metrics: Number(valuesOf(trigger)['FOOTFALL_PORT']) })
    for (const container of [edge, trigger]) {
      for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe])
        if (probe) expect(probe.httpGet).toEqual({ path: '/health', port: 'metrics' })
      expect(container.readinessProbe && container.livenessProbe).toBeTruthy()
      const said = templates.find(({ name }) => name === container.name)!.metadata.annotations!
      expect(said['prometheus.io.port']).toBe(String(portsOf(container)['metrics']))
    }
    const service = named('Service', 'edge').spec.ports!
    expect(service.map(({ port, targetPort }) => [port, targetPort])).toEqual([
      [80, 'http'],
      [443, 'https'],
    ])
    expect(ofKind('Service')).toHaveLength(1)
  })

  test('is found by what selects it, and by nothing else', () => {
    const matches = (selector: Labels, labels: Labels) => Object.entries(selector).every(([key, value]) => labels[key] === value)
    const found = (selector: Labels) => templates.filter(({ metadata }) => matches(selector, metadata.labels)).map(({ name }) => name)
    for (const kind of ['Deployment', 'PodDisruptionBudget'])
      for (const { metadata, spec } of ofKind(kind)) expect([kind, found(spec.selector!.matchLabels!)]).toEqual([kind, [metadata.name]])
    expect(found(named('Service', 'edge').spec.selector!)).toEqual(['edge'])
    for (const { metadata, spec } of ofKind('Deployment')) {
      expect(spec.replicas).toBe(2)
      expect(named('PodDisruptionBudget', metadata.name).spec.minAvailable).toBe(1)
    }
    const namespaces = resources.filter(({ kind }) => kind !== 'Namespace').map(({ metadata }) => metadata.namespace)
    expect([...new Set(namespaces)].sort()).toEqual(['footfall', 'openfaas-fn'])
  })

  test('is reached from outside at the edge alone', () => {
    const policies = ofKind('NetworkPolicy')
    expect(named('NetworkPolicy', 'nobody').spec).toEqual({ podSelector: {}, policyTypes: ['Ingress'] })
    const open = policies.filter(({ spec }) => spec.ingress?.some(({ from }) => from === undefined))
    expect(open.map(({ metadata }) => metadata.name)).toEqual(['edge'])
    expect(open[0]!.spec.podSelector!.matchLabels).toEqual({ 'app.kubernetes.io/name': 'edge' })
    expect(open[0]!.spec.ingress![0]!.ports.map(({ port }) => port)).toEqual(['http', 'https'])
    const functions = named('NetworkPolicy', 'footfall').spec.podSelector!.matchExpressions![0]!
    expect(functions.key).toBe('faas_function')
    expect([...functions.values].sort()).toEqual([...functionNames].sort())
  })
})

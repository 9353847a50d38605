import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRunning, readIdentity, signal } from '../../scripts/services/processes.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { until } from '../process/server.ts'
import { anOpenFaas, type OpenFaas, reasonAgainstOpenFaas } from './open-faas.ts'

/**
 * The provider by the contract of OpenFaaS, asked through the real gateway and by the real faas-cli: the cases of OpenFaaS' own conformance
 * suite (its functions are commands, run once per request), and those that it lacks.
 */

const reason = await reasonAgainstOpenFaas()

describe.skipIf(reason !== undefined)(`a provider${reason === undefined ? '' : ` (${reason})`}`, () => {
  const ends: (() => unknown)[] = []
  let faas: OpenFaas
  let folder: string

  beforeAll(async () => {
    const temporary = temporaryFolder()
    ends.push(temporary.remove)
    folder = temporary.path
    mkdirSync(folder, { recursive: true })
    faas = await anOpenFaas({ folder, parts: ['prometheus', 'data-path', 'provider', 'gateway'] })
    ends.push(faas.close)
  }, 120_000)

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  }, 120_000)

  const deploy = async (service: string, more: Record<string, unknown> = {}): Promise<Response> => {
    const body = { service, image: 'functions/alpine:latest', envProcess: 'cat', ...more }
    const put = await faas.ask('PUT', '/system/functions', body)
    return put.status === 404 ? faas.ask('POST', '/system/functions', body) : put
  }
  const invoke = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${faas.gateway}/function/${path}`, init)
  const statusOf = async (name: string) => (await faas.ask('GET', `/system/function/${name}`)).json()

  it('deploys, gets and lists what it was given', async () => {
    const given = {
      labels: { team: 'one', 'com.openfaas.scale.max': '4' },
      annotations: { topic: 'cron-function', schedule: '*/5 * * * *' },
      limits: { memory: '64Mi', cpu: '100m' },
      requests: { memory: '32Mi', cpu: '50m' },
      envVars: { COLOUR: 'red' },
      readOnlyRootFilesystem: true,
    }
    expect((await deploy('stored', given)).status).toBe(202)
    await faas.ready()
    const one = await statusOf('stored')
    expect(one).toMatchObject({
      name: 'stored',
      image: 'functions/alpine:latest',
      envProcess: 'cat',
      namespace: 'openfaas-fn',
      ...given,
      replicas: 1,
      availableReplicas: 1,
      labels: { ...given.labels, faas_function: 'stored' },
    })
    expect(Date.parse(one.createdAt)).toBeGreaterThan(Date.now() - 60_000)
    expect((await statusOf('stored.openfaas-fn')).name).toBe('stored')
    expect((await faas.functions()).map(({ name }) => name)).toContain('stored')
    expect(await faas.faas('list')).toContain('stored')
    expect(await faas.faas('describe', 'stored')).toMatch(/Status:\s+Ready/)
    expect(await (await faas.ask('GET', '/system/namespaces')).json()).toEqual(['openfaas-fn'])
    expect((await fetch(`${faas.gateway}/healthz`)).status).toBe(200)
    const info = await (await faas.ask('GET', '/system/info')).json()
    expect(info.provider).toMatchObject({
      provider: 'footfall-local',
      orchestration: 'processes',
      version: { release: expect.any(String), sha: expect.any(String) },
    })
  }, 60_000)

  it('refuses what no open edition takes, with the reason', async () => {
    const cases: [Record<string, unknown>, RegExp][] = [
      [{ labels: { 'com.openfaas.scale.zero': 'true' } }, /Pro edition/],
      [{ labels: { 'com.openfaas.scale.target': '5' } }, /Pro edition/],
      [{ labels: { 'com.openfaas.scale.max': '6' } }, /5 at the most/],
      [{ labels: { 'com.openfaas.scale.min': '3', 'com.openfaas.scale.max': '2' } }, /more than/],
      [{ annotations: { topic: 'a,b' } }, /several topics/],
      [{ secrets: ['nobody-made-it'] }, /no secret nobody-made-it: create it with/],
      [{ namespace: 'other' }, /namespace openfaas-fn/],
      [{ service: 'Not A Name' }, /a name is of/],
    ]
    for (const [more, why] of cases) {
      const answer = await deploy('refused', more)
      expect([answer.status, await answer.text()]).toEqual([400, expect.stringMatching(why)])
    }
    expect((await faas.ask('PUT', '/system/functions', { service: 'unknown', image: 'x' })).status).toBe(404)
    expect((await faas.ask('DELETE', '/system/functions', { functionName: 'unknown' })).status).toBe(404)
    expect((await faas.ask('GET', '/system/function/unknown')).status).toBe(404)
    expect((await fetch(`${faas.gateway}/system/functions`)).status).toBe(401)
    await expect(
      faas.faas('deploy', '--image', 'functions/alpine:latest', '--name', 'refused', '--fprocess', 'cat', '--secret', 'nobody-made-it'),
    ).rejects.toThrow('There is no secret')
  })

  it('invokes with every verb, query, body and environment, and tells unknown functions apart', async () => {
    await deploy('echo')
    await deploy('environment', { envProcess: 'env', envVars: { COLOUR: 'green' } })
    await deploy('failing', { envProcess: 'false' })
    await faas.ready()
    for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
      expect([method, (await invoke('echo', { method, ...(method === 'GET' ? {} : { body: 'x' }) })).status]).toEqual([method, 200])
    expect(await (await invoke('echo', { method: 'POST', body: 'whole' })).text()).toBe('whole')
    expect(await (await invoke('echo.openfaas-fn', { method: 'POST', body: 'with namespace' })).text()).toBe('with namespace')
    const said = await (await invoke('environment/a/b?c=d&e')).text()
    for (const line of ['COLOUR=green', 'Http_Path=/a/b', 'Http_Query=c=d&e', 'OPENFAAS_NAME=environment']) expect(said).toContain(line)
    expect((await invoke('failing')).status).toBe(500)
    expect(await (await invoke('environment', { headers: { 'x-call-id': 'mine' } })).text()).toMatch(/^Http_X_Call_Id=mine$/m)
    expect(said).toMatch(/^Http_X_Start_Time=\d{19}$/m)
    expect((await invoke('nobody')).status).toBe(404)
    // Chunked, as the gateway sends everything, and large.
    const large = Buffer.alloc(5_000_000, 'ab')
    const back = Buffer.from(await (await invoke('echo', { method: 'POST', body: large })).arrayBuffer())
    expect(createHash('sha256').update(back).digest('hex')).toBe(createHash('sha256').update(large).digest('hex'))
  }, 60_000)

  it('keeps secrets as files, and never tells them', async () => {
    const path = join(folder, 'a secret')
    writeFileSync(path, 'value with an end\n')
    await faas.faas('secret', 'create', 'from-file', '--from-file', path)
    await faas.faas('secret', 'create', 'from-text', '--from-literal', 'text')
    const stored = (name: string) => join(faas.replicasFolder, '../secrets', name)
    expect([readFileSync(stored('from-file'), 'utf8'), readFileSync(stored('from-text'), 'utf8')]).toEqual(['value with an end\n', 'text'])
    expect(statSync(stored('from-text')).mode & 0o777).toBe(0o600)
    expect(await (await faas.ask('GET', '/system/secrets')).json()).toEqual([
      { name: 'from-file', namespace: 'openfaas-fn' },
      { name: 'from-text', namespace: 'openfaas-fn' },
    ])
    expect(await faas.faas('secret', 'list')).toContain('from-text')
    expect((await faas.ask('POST', '/system/secrets', { name: 'from-text', value: 'x' })).status).toBe(409)
    await faas.faas('secret', 'update', 'from-text', '--from-literal', 'changed')
    await deploy('reader', { envProcess: 'cat', envVars: {}, secrets: ['from-text'] })
    await faas.ready()
    expect(readFileSync(stored('from-text'), 'utf8')).toBe('changed')
    await faas.faas('secret', 'remove', 'from-text')
    for (const method of ['PUT', 'DELETE'])
      expect((await faas.ask(method, '/system/secrets', { name: 'from-text', value: 'x' })).status).toBe(404)
    expect((await faas.ask('POST', '/system/secrets', { name: '../outside', value: 'x' })).status).toBe(400)
  }, 60_000)

  it('scales within its bounds, at once to the least, and balances', async () => {
    await deploy('scaled', { envProcess: 'printenv WHO', envVars: { WHO: 'x' }, labels: { 'com.openfaas.scale.min': '2' } })
    await faas.ready()
    expect(await statusOf('scaled')).toMatchObject({ replicas: 2, availableReplicas: 2 })
    const scale = (replicas: number) => faas.ask('POST', '/system/scale-function/scaled', { serviceName: 'scaled', replicas })
    expect((await scale(4)).status).toBe(202)
    await faas.ready()
    expect(await statusOf('scaled')).toMatchObject({ replicas: 4, availableReplicas: 4 })
    for (let i = 0; i < 20; i++) expect((await invoke('scaled')).status).toBe(200)
    // The gateway itself takes no more than five for what was asked.
    expect((await scale(9)).status).toBe(202)
    await faas.ready()
    expect(await statusOf('scaled')).toMatchObject({ replicas: 5, availableReplicas: 5 })
    await scale(1)
    await faas.ready()
    expect(await statusOf('scaled')).toMatchObject({ replicas: 1, availableReplicas: 1 })
  }, 90_000)

  it('ends no request that runs, when it scales down, updates or removes', async () => {
    await deploy('slow', { envProcess: 'sleep 3', labels: { 'com.openfaas.scale.min': '3' } })
    await faas.ready()
    const slow = (n: number) => Promise.all(Array.from({ length: n }, async () => (await invoke('slow')).status))
    const before = slow(6)
    await faas.ask('POST', '/system/scale-function/slow', { serviceName: 'slow', replicas: 1 })
    expect(await before).toEqual(Array(6).fill(200))
    await faas.ready()
    const during = slow(3)
    await deploy('slow', { envProcess: 'sleep 2' })
    expect(await during).toEqual([200, 200, 200])
    await faas.ready()
    const last = slow(1)
    // It is under way when the function goes.
    await until('the request to run', async () => ((await runningAt('slow')) > 0 ? true : undefined))
    await faas.faas('remove', 'slow')
    expect(await last).toEqual([200])
    expect((await invoke('slow')).status).toBe(404)
  }, 120_000)

  const runningAt = async (name: string): Promise<number> => {
    const metrics = await (await fetch(`${faas.gateway.replace(':8080', ':8082')}/metrics`)).text()
    const sum = (what: string) =>
      [...metrics.matchAll(new RegExp(`^gateway_function_invocation_${what}\\{[^}]*"${name}\\.openfaas-fn"[^}]*\\} (\\d+)`, 'gm'))].reduce(
        (all, [, n]) => all + Number(n),
        0,
      )
    return sum('started') - sum('total')
  }

  it('starts again what has ended by itself, and finds its replicas after its own end', async () => {
    await deploy('lasting')
    await faas.ready()
    await faas.find('provider')!.kill()
    expect(await (await invoke('lasting', { method: 'POST', body: 'without a control plane' })).text()).toBe('without a control plane')
    const list = await faas.ask('GET', '/system/functions')
    expect(list.status).toBeGreaterThanOrEqual(500)
    await faas.startAgain('provider')
    await faas.ready()
    expect(await statusOf('lasting')).toMatchObject({ replicas: 1, availableReplicas: 1 })
    const { pid } = JSON.parse(readFileSync(join(faas.replicasFolder, 'lasting/0/pid'), 'utf8'))
    process.kill(pid, 'SIGKILL')
    await until('another replica to serve', async () => {
      const { status } = await invoke('lasting')
      const [replica] = ['0', '1'].flatMap((slot) => {
        try {
          return [JSON.parse(readFileSync(join(faas.replicasFolder, 'lasting', slot, 'pid'), 'utf8')).pid]
        } catch {
          return []
        }
      })
      return status === 200 && replica !== pid ? true : undefined
    })
  }, 90_000)

  it('ends a replica that stands still, once it finds it', async () => {
    await deploy('still')
    await faas.ready()
    const first = readIdentity(join(faas.replicasFolder, 'still/0/pid'))!
    signal(first, 'SIGSTOP')
    await faas.find('provider')!.kill()
    await faas.startAgain('provider')
    await faas.ready()
    expect(await (await invoke('still', { method: 'POST', body: 'by another' })).text()).toBe('by another')
    await until('the first to be gone', async () => !isRunning(first) || undefined)
  }, 90_000)

  it('tells the data path what it has missed, once it is there again', async () => {
    // Says which replica ran it.
    const labels = { 'com.openfaas.scale.min': '1' }
    await deploy('missed', { envProcess: 'awk {print$4} /proc/self/stat', labels })
    await faas.ready()
    const provider = faas.find('provider')!
    const { user, password } = faas.credentials
    const headers = { authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}` }
    const seen = async () =>
      (await (await fetch(`http://${provider.address}/system/function/missed`, { headers })).json()) as { availableReplicas: number }
    await faas.find('data-path')!.kill()
    const body = JSON.stringify({ serviceName: 'missed', replicas: 2 })
    await fetch(`http://${provider.address}/system/scale-function/missed`, { method: 'POST', headers, body })
    await until('the second replica', async () => ((await seen()).availableReplicas === 2 ? true : undefined))
    await faas.startAgain('data-path')
    const servedBy = new Set<string>()
    await until('both replicas to serve', async () => {
      servedBy.add(await (await invoke('missed')).text())
      return servedBy.size === 2 ? true : undefined
    })
    // And it is told nothing that would cut what it knows, when a provider begins.
    let isOver = false
    const statuses = new Set<number>()
    const load = (async () => {
      while (!isOver) statuses.add((await invoke('missed')).status)
    })()
    await provider.kill()
    await faas.startAgain('provider')
    await faas.ready()
    isOver = true
    await load
    expect([...statuses]).toEqual([200])
  }, 90_000)

  it('tells what functions have written, also while they write', async () => {
    await deploy('writing', { envProcess: 'tee -a /dev/stderr' })
    await faas.ready()
    await invoke('writing', { method: 'POST', body: 'first line\n' })
    await until('the line to be told', async () =>
      (await faas.faas('logs', 'writing', '--tail=false')).includes('first line') ? true : undefined,
    )
    const abort = new AbortController()
    const credentials = Buffer.from(`${faas.credentials.user}:${faas.credentials.password}`).toString('base64')
    const stream = await fetch(`${faas.gateway}/system/logs?name=writing&follow=true`, {
      headers: { authorization: `Basic ${credentials}` },
      signal: abort.signal,
    })
    const reader = stream.body!.pipeThrough(new TextDecoderStream()).getReader()
    let said = ''
    const heard = (async () => {
      while (!said.includes('second line')) said += (await reader.read()).value ?? ''
    })()
    await until('the first line', async () => said.includes('first line') || undefined)
    await invoke('writing', { method: 'POST', body: 'second line\n' })
    await heard
    abort.abort()
    expect(JSON.parse(said.split('\n')[0]!)).toMatchObject({
      name: 'writing',
      namespace: 'openfaas-fn',
      instance: 'writing-0',
      text: 'first line',
    })
    expect((await faas.ask('GET', '/system/logs?name=nobody')).status).toBe(501)
  }, 60_000)
})

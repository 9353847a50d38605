import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server as HttpServer, type IncomingMessage, request } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import { request as requestTls } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type EdgeOptions, edgeService } from '../../scripts/faas/edge.ts'
import { installPackages } from '../../scripts/ops/packages.ts'
import { choosePorts } from '../../scripts/services/ports.ts'
import { selfSigned } from '../fixtures/certificate.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { until } from '../process/server.ts'

/**
 * haproxy.cfg in a real HAProxy, with a stand-in for what is behind it that can be slow, rude or gone: what the edge itself decides.
 * The whole chain behind it is in chain.test.ts.
 */

const absent = installPackages({ haproxy: '/usr/sbin/haproxy', openssl: '/usr/bin/openssl' })

/** Somebody behind the edge: keeps what came, and does with it what `behave` says (200 and the path when nothing is said). */
const aBehind = async () => {
  const got: { path: string; headers: IncomingMessage['headers']; body: string }[] = []
  let behave: ((request: IncomingMessage) => 'cut' | Promise<unknown> | undefined) | undefined
  const server: HttpServer = createServer(async (incoming, answer) => {
    const path = incoming.url!
    if (path === '/healthz') return answer.end('ok')
    const body = await text(incoming).catch(() => 'cut')
    got.push({ path, headers: incoming.headers, body })
    const what = behave?.(incoming)
    if (what === 'cut') return incoming.socket.destroy()
    await what
    answer.setHeader('content-type', 'application/json').end(JSON.stringify({ path }))
  })
  const listen = (port = 0) => new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await listen()
  const { port } = server.address() as { port: number }
  return {
    got,
    port,
    address: `127.0.0.1:${port}`,
    close,
    open: () => listen(port),
    behave: (now: typeof behave) => {
      behave = now
    },
    of: (path: string) => got.filter((one) => one.path === path),
  }
}
type Behind = Awaited<ReturnType<typeof aBehind>>

describe.skipIf(absent.length > 0)(`the edge${absent.length === 0 ? '' : ` (${absent.join(' ')} missing)`}`, () => {
  const ends: (() => unknown)[] = []
  let gateway: Behind
  let direct: Behind
  let folder: string
  let certificate: { pem: string; ca: Buffer }

  beforeAll(async () => {
    const temporary = temporaryFolder()
    ends.push(temporary.remove)
    folder = temporary.path
    gateway = await aBehind()
    ends.push(gateway.close)
    direct = await aBehind()
    ends.push(direct.close)
    const { certificatePath, keyPath } = selfSigned(folder)
    const pem = join(folder, 'both.pem')
    writeFileSync(pem, readFileSync(certificatePath, 'utf8') + readFileSync(keyPath, 'utf8'))
    certificate = { pem, ca: readFileSync(certificatePath) }
  })

  afterAll(async () => {
    for (const end of ends.reverse()) await end()
  })

  let edges = 0
  /** An edge of the test's own. */
  const anEdge = async (options: Partial<EdgeOptions> = {}) => {
    const ports = await choosePorts()
    const home = join(folder, `edge-${edges++}`)
    const server = await edgeService({ gateway: gateway.address, live: direct.address, ...options }).start(home, ports, {
      endsWithUs: true,
    })
    ends.push(() => server.kill())
    return { url: `http://127.0.0.1:${ports.client}`, port: ports.client, stats: `http://127.0.0.1:${ports.peer}` }
  }

  const hit = (url: string): Promise<Response> => fetch(`${url}/api/hit`, { method: 'POST', body: '{}' })

  it('speaks TLS, HTTP/1.1 and 2, and says so to who is behind', async () => {
    const { client: port } = await choosePorts()
    await anEdge({ tls: { cert: certificate.pem, port } })
    const over1 = await new Promise<IncomingMessage>((resolve, reject) =>
      requestTls({ host: '127.0.0.1', port, path: '/api/me', ca: certificate.ca }, resolve).once('error', reject).end(),
    )
    expect(JSON.parse(await text(over1))).toEqual({ path: '/function/manage-sites/api/me' })
    const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: certificate.ca })
    const stream = session.request({ ':path': '/api/sites', 'x-forwarded-for': '9.9.9.9', 'x-forwarded-proto': 'http' })
    expect(JSON.parse(await text(stream))).toEqual({ path: '/function/manage-sites/api/sites' })
    session.close()
    for (const path of ['/function/manage-sites/api/me', '/function/manage-sites/api/sites'])
      expect(gateway.of(path)[0]!.headers).toMatchObject({ 'x-forwarded-proto': 'https', 'x-forwarded-for': '127.0.0.1' })
  })

  it('believes nobody who says without TLS that it was there', async () => {
    const { url } = await anEdge()
    await fetch(`${url}/api/keys`, { headers: { 'x-forwarded-proto': 'https' } })
    expect(gateway.of('/function/manage-sites/api/keys')[0]!.headers).not.toHaveProperty('x-forwarded-proto')
  })

  it('leads hits past the gateway where that is wished, and nothing else', async () => {
    const { url } = await anEdge({ direct: direct.address })
    expect((await hit(url)).status).toBe(200)
    await fetch(`${url}/pixel.gif`)
    expect(direct.of('/function/collect-hit/api/hit')).toHaveLength(1)
    expect([gateway.of('/function/collect-hit/api/hit'), direct.of('/function/collect-hit/pixel.gif')]).toEqual([[], []])
  })

  it('tells an address that asks too much when to come again, without asking anybody', async () => {
    const { url } = await anEdge({ rate: 5 })
    const answers = []
    for (let i = 0; i < 7; i++) answers.push(await fetch(`${url}/api/ledger`))
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200, 429, 429])
    expect(answers[5]!.headers.get('retry-after')).toBe('10')
    expect(await answers[5]!.json()).toMatchObject({ code: 'rate' })
    expect(gateway.of('/function/query-metrics/api/ledger')).toHaveLength(5)
  })

  it('has its statistics at an address of their own', async () => {
    const { url, stats } = await anEdge()
    expect(await (await fetch(`${stats}/metrics`)).text()).toContain('haproxy_frontend_http_requests_total{proxy="edge"}')
    expect((await fetch(`${url}/metrics`)).status).toBe(404)
    expect((await fetch(`${url}/function/collect-hit/metrics`)).status).toBe(404)
  })

  it('refuses a body that nobody takes before it is read', async () => {
    const { url } = await anEdge()
    const answer = await fetch(`${url}/api/import`, { method: 'POST', body: 'x'.repeat(2 ** 20 + 1) })
    expect([answer.status, (await answer.json()).code]).toEqual([413, 'too-large'])
    expect(gateway.of('/function/collect-hit/api/import')).toEqual([])
  })

  it('bothers nobody with a client that is slow with its head or its body', async () => {
    const { port } = await anEdge()
    const before = gateway.got.length
    const answerTo = (sent: string): Promise<string> => {
      const socket = connect(port, '127.0.0.1', () => socket.write(sent))
      return text(socket)
    }
    const head = 'POST /api/hit HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n'
    const [silent, slowHead, slowBody] = await Promise.all([answerTo(''), answerTo(head), answerTo(`${head}\r\n{"site"`)])
    expect(silent).toBe('')
    // To one who has not even said what he wants, HAProxy says it in its own words.
    for (const answer of [slowHead, slowBody]) expect(answer).toMatch(/^HTTP\/1\.1 408 /)
    expect(slowBody).toContain('"code":"slow-request"')
    expect(gateway.got).toHaveLength(before)
  }, 30_000)

  it('sends a request once, also when its answer is lost', async () => {
    const { url } = await anEdge()
    const before = gateway.of('/function/collect-hit/api/hit').length
    gateway.behave(() => 'cut')
    const answer = await hit(url)
    gateway.behave(undefined)
    expect([answer.status, answer.headers.get('retry-after'), (await answer.json()).code]).toEqual([503, '2', 'store-unavailable'])
    expect(gateway.of('/function/collect-hit/api/hit')).toHaveLength(before + 1)
  })

  it('lets those go that would wait in vain, and those that run end', async () => {
    const { url, port } = await anEdge({ connections: 2 })
    let release: () => void = () => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const before = gateway.of('/function/collect-hit/api/hit').length
    gateway.behave(() => released)
    const running = [hit(url), hit(url)]
    await until('two to run', async () => gateway.of('/function/collect-hit/api/hit').length === before + 2 || undefined)
    // Not by fetch, which would keep the connection to itself.
    const shed = await new Promise<IncomingMessage>((resolve, reject) =>
      request({ port, host: '127.0.0.1', path: '/api/hit', method: 'POST' }, resolve).once('error', reject).end('{}'),
    )
    expect([shed.statusCode, shed.headers['retry-after'], JSON.parse(await text(shed)).code]).toEqual([503, '2', 'store-unavailable'])
    release()
    gateway.behave(undefined)
    expect((await Promise.all(running)).map(({ status }) => status)).toEqual([200, 200])
    expect((await hit(url)).status).toBe(200)
  }, 30_000)

  it('leaves a gateway alone that is away, and takes hits as soon as it is back', async () => {
    const { url, stats } = await anEdge()
    const isUp = async () =>
      (await (await fetch(`${stats}/metrics`)).text()).includes('haproxy_server_status{proxy="gateway",server="gateway",state="UP"} 1')
    await until('the gateway to be up', async () => (await isUp()) || undefined)
    await gateway.close()
    const answer = await hit(url)
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '2'])
    await until('the gateway to be left alone', async () => ((await isUp()) ? undefined : true))
    expect((await hit(url)).status).toBe(503)
    await gateway.open()
    await until('hits to be taken', async () => ((await hit(url)).status === 200 ? true : undefined))
  }, 30_000)
})

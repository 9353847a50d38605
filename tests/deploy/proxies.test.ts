import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { aFolder, freePort, type Server, startServer, until } from '../process/server.ts'

/**
 * The proxy settings of deploy/proxy, run for real in front of the product: only name, ports and certificate are changed. A visitor's
 * address must come through, one that a visitor makes up must not, and live numbers must not be held back.
 */
const root = join(import.meta.dirname, '../..')
const read = (name: string) => readFileSync(join(root, 'deploy/proxy', name), 'utf8')

type Proxy = {
  name: string
  program: string
  file: string
  /** The file with this test's ports and certificate. */
  config(text: string, at: Place): string
  args(file: string, folder: string): string[]
}
type Place = { port: number; upstream: number; folder: string }

/** Replaces what must be there. */
const swap = (text: string, ...pairs: [string, string][]): string =>
  pairs.reduce((now, [from, to]) => {
    expect(now, `the file has ${from}`).toContain(from)
    return now.replaceAll(from, to)
  }, text)

const proxies: Proxy[] = [
  {
    name: 'Nginx',
    program: '/usr/sbin/nginx',
    file: 'nginx.conf',
    config: (text, { port, upstream, folder }) => `
      worker_processes 1; pid ${folder}/nginx.pid; error_log stderr; daemon off; user root;
      events {}
      http {
        client_body_temp_path ${folder}/b; proxy_temp_path ${folder}/p; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
        ${swap(text, ['listen 443', `listen 127.0.0.1:${port}`], ['/etc/ssl/stats.example.com', folder], ['127.0.0.1:8000', `127.0.0.1:${upstream}`])}
      }`,
    args: (file, folder) => ['-c', file, '-p', folder],
  },
  {
    name: 'Caddy',
    program: '/usr/bin/caddy',
    file: 'Caddyfile',
    // It gets certificates by itself; here it is given one, since there is nobody to ask.
    config: (text, { port, upstream, folder }) =>
      `{\n admin off\n auto_https off\n storage file_system ${folder}/caddy\n}\n${swap(
        text,
        ['stats.example.com {', `https://stats.example.com:${port} {\n tls ${folder}/fullchain.pem ${folder}/privkey.pem`],
        ['127.0.0.1:8000', `127.0.0.1:${upstream}`],
      )}`,
    args: (file) => ['run', '--config', file, '--adapter', 'caddyfile'],
  },
  {
    name: 'HAProxy',
    program: '/usr/sbin/haproxy',
    file: 'haproxy.cfg',
    config: (text, { port, upstream, folder }) =>
      swap(
        text,
        ['bind :443', `bind 127.0.0.1:${port}`],
        ['/etc/ssl/stats.example.com', folder],
        ['127.0.0.1:8000', `127.0.0.1:${upstream}`],
      ),
    args: (file) => ['-db', '-f', file],
  },
]

const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'
const folder = aFolder()
let server: Server

beforeAll(async () => {
  const openssl = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=stats.example.com'],
    ...['-addext', 'subjectAltName=DNS:stats.example.com'],
    ...['-keyout', join(folder.path, 'privkey.pem'), '-out', join(folder.path, 'fullchain.pem')],
  ])
  expect(openssl.status, String(openssl.stderr)).toBe(0)
  const both = ['fullchain.pem', 'privkey.pem'].map((name) => readFileSync(join(folder.path, name), 'utf8'))
  writeFileSync(join(folder.path, 'all.pem'), both.join(''))
  server = await startServer({
    data: join(folder.path, 'data'),
    port: await freePort(),
    env: { FOOTFALL_URL: 'https://stats.example.com' },
  })
})

afterAll(async () => {
  await server?.stop()
  folder.remove()
})

type Sent = { method?: string; headers?: Record<string, string>; body?: string; from?: string }
type Got = { status: number; headers: Record<string, unknown>; text: string }

const installed = proxies.filter(({ program }) => existsSync(program))
for (const { name, program } of proxies)
  test(`${name} is there to be tried`, ({ skip }) => {
    if (!existsSync(program)) skip(`${program} is not installed`)
  })

describe.each(installed)('$name', ({ name, program, file, config, args }) => {
  const site = `${name.toLowerCase()}.example.com`
  let port: number
  let proxy: ReturnType<typeof spawn>
  let said = ''

  beforeAll(async () => {
    port = await freePort()
    const path = join(folder.path, file)
    writeFileSync(path, config(read(file), { port, upstream: server.port, folder: folder.path }))
    proxy = spawn(program, args(path, folder.path), { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, HOME: folder.path } })
    proxy.stderr!.on('data', (piece: Buffer) => {
      said += String(piece)
    })
    await server.addSite(site, { identity: 'cookieless' })
    await until(`${name} (${said})`, async () => {
      if (proxy.exitCode !== null) throw new Error(`${name} ended: ${said}`)
      return (await send('/health').catch(() => undefined))?.status === 200
    })
  })

  afterAll(async () => {
    if (!proxy || proxy.exitCode !== null) return
    const ended = new Promise((resolve) => proxy.once('close', resolve))
    proxy.kill('SIGTERM')
    await ended
  })

  const open = (path: string, { method = 'GET', headers = {}, body, from }: Sent, agentOf: Agent) => {
    const call = request({
      ...{ host: '127.0.0.1', port, path, method, servername: 'stats.example.com', rejectUnauthorized: false, agent: agentOf },
      headers: { host: 'stats.example.com', ...headers },
      ...(from ? { localAddress: from } : {}),
    })
    call.end(body)
    return call
  }

  const send = (path: string, sent: Sent = {}): Promise<Got> =>
    new Promise((resolve, reject) => {
      const once = new Agent({ keepAlive: false })
      const call = open(path, sent, once)
      call.once('error', reject)
      call.once('response', (reply) => {
        let text = ''
        reply.setEncoding('utf8').on('data', (piece: string) => {
          text += piece
        })
        reply.once('end', () => resolve({ status: reply.statusCode!, headers: reply.headers, text }))
      })
    })

  const hit = (page: string, sent: Sent = {}) =>
    send('/api/hit', {
      method: 'POST',
      ...sent,
      headers: { 'user-agent': agent, ...sent.headers },
      body: JSON.stringify({ site, url: `https://${site}${page}` }),
    })

  test('passes visitors’ addresses on, and none that a visitor makes up', async () => {
    expect((await hit('/', { from: '127.0.0.5' })).status).toBe(202)
    expect((await hit('/', { from: '127.0.0.6' })).status).toBe(202)
    // An address of a known country, which must not count.
    expect(
      (await hit('/', { from: '127.0.0.6', headers: { 'x-forwarded-for': '193.99.144.80', forwarded: 'for=193.99.144.80' } })).status,
    ).toBe(202)
    await server.settled(site)
    const { results } = await server.get('POST', '/api/v2/query', {
      ...{ site_id: site, metrics: ['visitors', 'pageviews'], date_range: 'day', dimensions: ['visit:country'] },
    })
    expect(results).toEqual([{ dimensions: ['(not set)'], metrics: [2, 3] }])
  })

  test('does not hold live numbers back', async () => {
    const stream = new Agent({ keepAlive: false })
    const call = open(`/api/live/${site}`, { headers: { authorization: `Bearer ${server.key}` } }, stream)
    let text = ''
    call.once('response', (reply) =>
      reply.setEncoding('utf8').on('data', (piece: string) => {
        text += piece
      }),
    )
    call.on('error', (error) => {
      text += `error ${error.message}`
    })
    await until('current visitors', () => text.includes('event: current'))
    await hit('/live-page')
    await until('the hit', () => text.includes('/live-page'))
    expect(text).not.toContain('error')
    call.destroy()
  })

  test('lets large bodies through, and refusals keep their words', async () => {
    const authorization = `Bearer ${server.key}`
    const large = await send('/api/hit', { method: 'POST', headers: { authorization }, body: 'x'.repeat(1_000_000) })
    expect([large.status, JSON.parse(large.text).code]).toEqual([400, 'not-json'])
    const tooLarge = await send('/api/hit', { method: 'POST', headers: { authorization }, body: 'x'.repeat(1_200_000) })
    expect([tooLarge.status, JSON.parse(tooLarge.text).code]).toEqual([413, 'too-large'])
  })

  test('brings page and tracker as they are, with their policy', async () => {
    const page = await send('/')
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    const tracker = await send('/footfall.js', { headers: { 'accept-encoding': 'br' } })
    expect([tracker.status, tracker.headers['content-encoding']]).toEqual([200, 'br'])
  })
})

import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import { timeoutOf } from '../../scripts/cli/client.ts'
import { anInstallation } from '../site/installation.ts'
import { aClosedPort, aFolder, aTerminal, listen, listenPlain, publicFace, type } from './terminal.ts'

const aServer = async () => {
  const home = await anInstallation()
  return { home, port: await listen(publicFace(home)) }
}

it('a copy of gigabytes, and the check of one, are waited for; anything else is answered in a minute', () => {
  const hour = 3_600_000
  expect([timeoutOf('POST', '/api/backups'), timeoutOf('POST', '/api/restores/restore-0a/finish')]).toEqual([hour, hour])
  for (const [method, path] of [
    ['GET', '/api/backups/backup-0a/log?offset=0'],
    ['DELETE', '/api/backups/backup-0a'],
    ['POST', '/api/restores'],
    ['PUT', '/api/restores/restore-0a/log'],
    ['POST', '/api/v2/query'],
  ])
    expect(timeoutOf(method!, path!)).toBe(60_000)
})

describe('the way to Footfall', () => {
  it('is the server on this machine, with the key of the data folder', async () => {
    const { home, port } = await aServer()
    const folder = aFolder()
    writeFileSync(join(folder, 'admin.key'), `${home.adminKey}\n`)
    const { code, out } = await type(['site', 'list'], { env: { FOOTFALL_PORT: String(port), FOOTFALL_DATA: folder } })
    expect([code, out]).toEqual([0, expect.stringContaining('a.example')])
  })

  it('is FOOTFALL_URL where it is set, with FOOTFALL_KEY before the key of the folder', async () => {
    const { home, port } = await aServer()
    const env = { FOOTFALL_URL: `http://localhost:${port}/`, FOOTFALL_KEY: await home.aKey('own', 'b.example'), FOOTFALL_DATA: aFolder() }
    expect((await type(['site', 'list'], { env })).out).not.toContain('a.example')
  })

  it('keeps the path of FOOTFALL_URL', async () => {
    const home = await anInstallation()
    const face = publicFace(home)
    const port = await listen(async (request) =>
      request.path.startsWith('/stats/') ? face({ ...request, path: request.path.slice('/stats'.length) }) : { status: 404 },
    )
    const env = { FOOTFALL_URL: `http://localhost:${port}/stats`, FOOTFALL_KEY: home.adminKey }
    expect((await type(['site', 'list'], { env })).code).toBe(0)
  })

  it('is the folder itself where nothing listens', async () => {
    const { run, closed } = await aTerminal()
    expect((await run('site list')).code).toBe(0)
    expect(closed()).toBe(1)
  })

  it('is the folder with the key that is set', async () => {
    const { home, env, world } = await aTerminal()
    const key = await home.aKey('read')
    expect((await type(['site', 'list'], { env: { ...env, FOOTFALL_KEY: key }, world })).code).toBe(0)
    expect((await type(['site', 'add', 'c.example'], { env: { ...env, FOOTFALL_KEY: key }, world })).err).toContain(
      'The key may not do this.',
    )
  })

  it('is the folder where the port is any free one', async () => {
    const { env, world } = await aTerminal()
    expect((await type(['site', 'list'], { env: { ...env, FOOTFALL_PORT: '0' }, world })).code).toBe(0)
  })

  it('is never the folder where FOOTFALL_URL is set', async () => {
    const { env, world, closed } = await aTerminal()
    const { code, err } = await type(['site', 'list'], {
      env: { ...env, FOOTFALL_URL: `http://127.0.0.1:${env.FOOTFALL_PORT}`, FOOTFALL_KEY: 'x' },
      world,
    })
    expect([code, closed()]).toEqual([1, 0])
    expect(err).toContain('cannot be reached')
    expect(err).toContain('npm start')
  })

  it('is closed where a server on another port holds the folder', async () => {
    const env = { FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_DATA: '/var/lib/footfall' }
    const world = { openFunctions: () => Promise.reject(new FootfallError('folder-in-use', { detail: 'It is /var/lib/footfall.' })) }
    const { code, err } = await type(['site', 'list'], { env, world })
    expect(code).toBe(1)
    expect(err).toContain(`It is /var/lib/footfall, and nothing listens on port ${env.FOOTFALL_PORT}.`)
    expect(err).toContain('set FOOTFALL_PORT to its port')
  })

  it('needs a key', async () => {
    const { port } = await aServer()
    const { code, err } = await type(['site', 'list'], { env: { FOOTFALL_PORT: String(port), FOOTFALL_DATA: aFolder() } })
    expect(code).toBe(1)
    expect(err).toContain('admin.key cannot be read')
    expect(err).toContain('FOOTFALL_KEY')
  })

  it('ends at a wrong key with the sentence of the server', async () => {
    const { port } = await aServer()
    const { code, err } = await type(['site', 'list'], { env: { FOOTFALL_PORT: String(port), FOOTFALL_KEY: `ff_own_${'A'.repeat(43)}` } })
    expect([code, err]).toEqual([1, expect.stringContaining('The key is missing or wrong')])
  })
})

describe('what is not Footfall', () => {
  const table: [why: string, status: number, headers: Record<string, string>, body: string, sentence: string][] = [
    ['a page', 200, { 'content-type': 'text/html' }, '<h1>Welcome</h1>', 'is not Footfall (HTTP 200, text/html)'],
    ['another 404', 404, { 'content-type': 'text/html' }, 'no', 'is not Footfall (HTTP 404, text/html)'],
    ['another API', 200, { 'content-type': 'application/json' }, '{"sites":[]}', 'is not Footfall (HTTP 200, application/json)'],
    ['another API that refuses', 401, { 'content-type': 'application/json' }, '{"error":"no"}', 'is not Footfall (HTTP 401'],
    ['JSON that is null', 401, { 'content-type': 'application/json' }, 'null', 'is not Footfall (HTTP 401'],
    ['a proxy that sends on', 301, { location: 'https://stats.example.com/' }, '', 'is not Footfall (HTTP 301'],
    ['nothing at all', 502, {}, '', 'is not Footfall (HTTP 502, no content type)'],
  ]
  it.each(table)('%s is told apart, and is not given the key', async (_why, status, headers, body, sentence) => {
    const seen: (string | undefined)[] = []
    const port = await listenPlain((request, response) => {
      seen.push(request.headers.authorization)
      response.writeHead(status, headers).end(body)
    })
    const { code, out, err } = await type(['site', 'list'], { env: { FOOTFALL_PORT: String(port), FOOTFALL_KEY: 'ff_own_secret' } })
    expect([code, out]).toEqual([1, ''])
    expect(err).toContain(sentence)
    expect(err).toContain(headers['location'] ?? 'FOOTFALL_PORT')
    expect(seen).toEqual([undefined])
  })

  it('may speak no HTTP at all', async () => {
    const server = createServer((socket) => void socket.on('error', () => undefined).end('SSH-2.0-OpenSSH_9.2\r\n'))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const { code, err } = await type(['site', 'list'], { env: { FOOTFALL_PORT: String(port), FOOTFALL_KEY: 'x' } })
    expect([code, err]).toEqual([1, expect.stringContaining('does not speak HTTP')])
  })

  it('is not what a Footfall says that is stopping', async () => {
    const port = await listen(() => Promise.reject(new FootfallError('stopping')))
    const { err } = await type(['site', 'list'], { env: { FOOTFALL_PORT: String(port), FOOTFALL_KEY: 'x' } })
    expect(err).toBe('The server is stopping.\nSend the request again.')
  })
})

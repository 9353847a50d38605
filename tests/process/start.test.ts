import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRandom } from '../../scripts/traffic/random.ts'
import { aHome } from './home.ts'
import { seedOf } from './load.ts'
import { aFolder, type Ended, freePort, killedStart, runToEnd, startServer, sumsOf } from './server.ts'

/** What a start says and does, and how it ends where it cannot start: exit 1 with a sentence and the cure, nothing done. */

const folder = (): string => {
  const { path, remove } = aFolder()
  onTestFinished(remove)
  return path
}

/** It ended with 1, said this sentence and this cure and nothing else, and printed nothing that looks like a running server. */
const expectRefusal = ({ code, out, err }: Ended, sentence: string, cure: string): void => {
  expect([code, out]).toEqual([1, ''])
  expect(err).toMatch(/^footfall: /)
  expect(err).toContain(sentence)
  expect(err).toContain(cure)
  expect(err.trim().split('\n')).toHaveLength(2)
}

/** A folder that a server has worked in and left. */
const aUsedFolder = async (): Promise<string> => {
  const home = await aHome()
  expect((await home.server().hit({ site: 'localhost', url: 'http://localhost/' })).status).toBe(202)
  await home.server().settled('localhost')
  await home.server().stop()
  return home.start.data
}

describe('a new folder', () => {
  it('gets the site localhost, a key for its owner alone, and says what comes next', async () => {
    const data = join(folder(), 'made', 'at', 'start')
    const server = await startServer({ data, port: await freePort(), env: { FOOTFALL_LOG: '' } })
    onTestFinished(() => void server.stop('SIGKILL'))
    const { out } = server.said
    expect(out).toContain(`http://localhost:${server.port}`)
    expect(out).toContain(`<script async src="http://localhost:${server.port}/footfall.js" data-site="localhost"></script>`)
    expect(out).toContain('npm run footfall -- site add example.com')
    expect(out).toContain('npm run footfall -- link')
    expect(statSync(join(data, 'admin.key')).mode & 0o777).toBe(0o600)
    expect(statSync(data).mode & 0o777).toBe(0o700)
    expect(server.key).toMatch(/^ff_own_[A-Za-z0-9_-]{43}$/)
    expect((await server.get('GET', '/api/sites')).sites.map(({ site }: { site: string }) => site)).toEqual(['localhost'])
  }, 30_000)

  // (process.umask(0o077) before anything is opened).
  it('keeps its files from others also in a folder that was there before', async () => {
    const data = join(folder(), 'there')
    mkdirSync(data, { mode: 0o755 })
    const server = await startServer({ data, port: await freePort() })
    onTestFinished(() => void server.stop('SIGKILL'))
    for (const name of readdirSync(data)) expect(statSync(join(data, name)).mode & 0o077, name).toBe(0)
  }, 30_000)

  it('prints a sign-in link that works once', async () => {
    const server = (await aHome()).server()
    const link = /http:\S+\/api\/sign-in\?token=\S+/.exec(server.said.out)![0].replace('//localhost', '//127.0.0.1')
    const first = await fetch(link, { redirect: 'manual' })
    expect([first.status, first.headers.get('location')]).toEqual([303, '/'])
    const cookie = first.headers.get('set-cookie')!
    expect(cookie).toMatch(/^ff_session=.+HttpOnly.+SameSite=Lax/)
    const me = await fetch(`${server.url}/api/me`, { headers: { cookie: cookie.split(';')[0]! } })
    expect(await me.json()).toEqual({ role: 'own', site: null, via: 'session' })
    const second = await fetch(link, { redirect: 'manual' })
    expect(second.status).toBe(401)
    expect(await second.json()).toMatchObject({ code: 'link-used' })
  }, 30_000)

  it('has secrets of its own: two installations share none', async () => {
    const homes = [await aHome(), await aHome()]
    const secrets = homes.map(({ server, start }) => {
      const db = new DatabaseSync(join(start.data, 'site.db'), { readOnly: true })
      onTestFinished(() => db.close())
      const salts = db.prepare('SELECT value FROM salt').all() as { value: Uint8Array }[]
      const sites = db.prepare('SELECT doc FROM site_cfg').all() as { doc: string }[]
      expect([salts.length > 0, sites.length]).toEqual([true, 1])
      return new Set([
        server().key,
        /token=(\S+)/.exec(server().said.out)![1]!,
        ...salts.map(({ value }) => Buffer.from(value).toString('hex')),
        ...sites.map(({ doc }) => (JSON.parse(doc) as { key: string }).key),
      ])
    })
    for (const secret of secrets[0]!) expect(secrets[1]!.has(secret)).toBe(false)
  }, 30_000)

  it('is not new the second time', async () => {
    const home = await aHome()
    const { key } = home.server()
    await home
      .server()
      .get('DELETE', '/api/sites/localhost')
      .catch(() => undefined)
    await home.server().stop()
    expect((await home.restart()).key).toBe(key)
  }, 30_000)

  it('that is killed at any moment of its first start is made good by the next', async () => {
    const data = join(folder(), 'data')
    const port = await freePort()
    const seed = seedOf('killed first starts')
    const random = createRandom(seed)
    for (let i = 0; i < 6; i++) await killedStart({ data, port }, 150 + random.whole(500))
    const server = await startServer({ data, port })
    onTestFinished(() => void server.stop('SIGKILL'))
    expect((await server.get('GET', '/api/sites')).sites.map(({ site }: { site: string }) => site)).toEqual(['localhost'])
    expect((await server.hit({ site: 'localhost', url: 'http://localhost/' })).status).toBe(202)
    expect(sumsOf(await server.settled('localhost')).counted).toBe(1)
  }, 30_000)
})

describe('it does not start, and says the cure', () => {
  it('where another process holds the folder, which goes on working', async () => {
    const home = await aHome()
    const server = home.server()
    for (let i = 0; i < 2; i++) {
      const second = await runToEnd({ ...home.start, port: await freePort() })
      expectRefusal(second, 'Another Footfall process holds the data folder.', 'Stop it, or set FOOTFALL_DATA to another folder.')
      expect(second.err).toContain(home.start.data)
      expect((await server.hit({ site: 'localhost', url: `http://localhost/${i}` })).status).toBe(202)
    }
    expect(sumsOf(await server.settled('localhost')).counted).toBe(2)
  }, 30_000)

  it('where the port is taken', async () => {
    const other = createServer()
    const port = await freePort()
    await new Promise<void>((resolve) => other.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => void other.close())
    const data = join(folder(), 'data')
    const ended = await runToEnd({ data, port })
    expectRefusal(ended, `The port is taken. It is ${port}.`, 'set FOOTFALL_PORT to a free port')
  }, 30_000)

  it.each(['log', 'state', 'site'])(
    'where %s.db is of a newer format',
    async (name) => {
      const data = await aUsedFolder()
      const db = new DatabaseSync(join(data, `${name}.db`))
      db.exec('PRAGMA user_version = 1000')
      db.close()
      const ended = await runToEnd({ data, port: await freePort() })
      expectRefusal(ended, 'The data folder was written by a newer version.', 'Start that version')
      expect(ended.err).toContain(`${name}.db has format 1000`)
    },
    30_000,
  )

  it.each(['log', 'state', 'site'])(
    'where %s.db is damaged',
    async (name) => {
      const data = await aUsedFolder()
      const file = openSync(join(data, `${name}.db`), 'r+')
      writeSync(file, Buffer.alloc(4_096, 'not what it was '), 0, 4_096, 0)
      closeSync(file)
      expectRefusal(await runToEnd({ data, port: await freePort() }), 'A file of the data folder is damaged.', 'Restore the last backup')
    },
    30_000,
  )

  it('where a file of the folder is of another program', async () => {
    const data = folder()
    const db = new DatabaseSync(join(data, 'log.db'))
    db.exec('PRAGMA application_id = 7; CREATE TABLE theirs (x)')
    db.close()
    expectRefusal(await runToEnd({ data, port: await freePort() }), "log.db is not Footfall's log.db", 'Restore')
  }, 30_000)

  it('where the folder is a file, lies below one, or cannot be made', async () => {
    const base = folder()
    writeFileSync(join(base, 'file'), '')
    symlinkSync(join(base, 'gone', 'disk'), join(base, 'dangling'))
    for (const data of [join(base, 'file'), join(base, 'file', 'below'), join(base, 'dangling')])
      expectRefusal(await runToEnd({ data, port: await freePort() }), `The data folder cannot be used. It is ${data}.`, 'set FOOTFALL_DATA')
  }, 30_000)

  it('where the folder cannot be written to', async () => {
    const base = folder()
    const data = join(base, 'locked')
    mkdirSync(data)
    for (const path of [base, data]) chmodSync(path, 0o555)
    // Root may write everywhere: then the server is started as nobody.
    const uid = process.getuid?.() === 0 ? 65_534 : undefined
    expectRefusal(await runToEnd({ data, port: await freePort(), uid }), `It is ${data}.`, 'this user can write to')
    chmodSync(base, 0o755)
    expect(readdirSync(data)).toEqual([])
  }, 30_000)

  const settings: [name: string, value: string, cure: string][] = [
    ['FOOTFALL_PORT', 'eighty', 'a port from 1 to 65535'],
    ['FOOTFALL_PORT', '70000', 'a port from 1 to 65535'],
    ['FOOTFALL_PORT', '-1', 'a port from 1 to 65535'],
    ['FOOTFALL_URL', 'stats.example.com', 'https://stats.example.com'],
    ['FOOTFALL_URL', 'ftp://stats.example.com', 'https://stats.example.com'],
    ['FOOTFALL_MODE', 'cluster', 'embedded'],
    ['FOOTFALL_TRUSTED_PROXIES', '10.0.0.0/99', 'FOOTFALL_TRUSTED_PROXIES'],
    ['FOOTFALL_TRUSTED_PROXIES', 'proxy.example.com', 'FOOTFALL_TRUSTED_PROXIES'],
    ['FOOTFALL_RATE', 'fast', 'hits per second, 0 for no limit'],
    ['FOOTFALL_RATE', '-5', 'hits per second, 0 for no limit'],
    ['FOOTFALL_GEO', '/nowhere/at.mmdb', 'FOOTFALL_GEO'],
    ['FOOTFALL_LOG', 'loud', 'debug, info, warn or error'],
    ['FOOTFALL_KEY_FILE', '/nowhere/key', 'a readable file that holds the key'],
    ['FOOTFALL_PROT', '8000', 'FOOTFALL_PORT'],
  ]
  it.each(settings)(
    'where %s is %s',
    async (name, value, cure) => {
      const ended = await runToEnd({ data: join(folder(), 'data'), port: await freePort(), env: { [name]: value } })
      expectRefusal(ended, name, cure)
      // A name that is no setting at all is told by its name alone.
      if (name !== 'FOOTFALL_PROT') expect(ended.err).toContain(value)
    },
    30_000,
  )

  it('where FOOTFALL_GEO is no database, and names it', async () => {
    const ended = await runToEnd({ data: join(folder(), 'data'), port: await freePort(), env: { FOOTFALL_GEO: import.meta.filename } })
    expectRefusal(ended, import.meta.filename, 'FOOTFALL_GEO')
  }, 30_000)

  it('where the host is not one of this machine', async () => {
    const ended = await runToEnd({ data: join(folder(), 'data'), port: await freePort(), env: { FOOTFALL_HOST: '192.0.2.1' } })
    expectRefusal(ended, '192.0.2.1', 'FOOTFALL_HOST')
  }, 30_000)
})

it('a folder of the key that was lost gets another key, and both ends are told apart', async () => {
  const data = await aUsedFolder()
  const before = readFileSync(join(data, 'admin.key'), 'utf8')
  writeFileSync(join(data, 'admin.key'), '')
  const server = await startServer({ data, port: await freePort() })
  onTestFinished(() => void server.stop('SIGKILL'))
  expect(server.key).not.toBe(before.trim())
  expect((await server.ask('GET', '/api/me')).status).toBe(200)
}, 30_000)

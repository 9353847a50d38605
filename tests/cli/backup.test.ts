import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pipeline } from 'node:stream/promises'
import { packTar, unpackTar } from 'modern-tar/fs'
import { expect, onTestFinished, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import type { Reply } from '#shared/handler.ts'
import { type Embedded, openFunctions, startEmbedded } from '#shared/runtime/embedded.ts'
import { createLogger } from '#shared/runtime/log.ts'
import { serve } from '#shared/runtime/server.ts'
import { aFolder, type } from './terminal.ts'

/** Backup and restore as they are typed: through a running server with its threads, and over a folder that no server holds. */

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })

const home = async () => {
  const folder = aFolder()
  const env = { FOOTFALL_DATA: join(folder, 'data'), FOOTFALL_PORT: String(await freePort()), FOOTFALL_LOG: 'error' }
  const command = (...argv: string[]) =>
    type(argv, { env, world: { clock: systemClock, openFunctions: (config) => openFunctions(config, systemClock) } })
  return { folder, env, command, file: join(folder, 'copy.tar') }
}

const startServer = async (env: Record<string, string>): Promise<Embedded> => {
  const config = readConfig(env)
  const embedded = await startEmbedded(config, createLogger('error', 'test'), (error) => expect.unreachable(error.message))
  const served = await serve({
    handler: embedded.handle,
    host: '127.0.0.1',
    port: config.port,
    maxBodyBytes: () => 1_048_576,
    onError: () => undefined,
  })
  onTestFinished(async () => {
    await served.close(1_000)
    await embedded.close()
  })
  return embedded
}

const agent = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0'

const hit = async (embedded: Embedded, page: string): Promise<Reply> =>
  embedded.handle({
    method: 'POST',
    path: '/api/hit',
    query: '',
    headers: { 'user-agent': agent },
    body: Buffer.from(JSON.stringify({ site: 'a.example', url: `https://a.example/${page}` })),
    address: '127.0.0.1',
  })

const pageviews = async (command: (...argv: string[]) => Promise<{ out: string; err: string }>, wanted?: number): Promise<number> => {
  for (;;) {
    const { out, err } = await command(
      'query',
      '--json',
      JSON.stringify({ site_id: 'a.example', metrics: ['pageviews'], date_range: 'day' }),
    )
    if (!out) throw new Error(err)
    const { results, meta } = JSON.parse(out)
    if (meta.lag_ms === 0 && (wanted === undefined || results[0].metrics[0] === wanted)) return results[0].metrics[0]
  }
}

test('a running server is backed up and put back, and goes on', async () => {
  const { env, command, file } = await home()
  const server = await startServer(env)
  await command('site', 'add', 'a.example')
  await hit(server, 'one')
  await hit(server, 'two')
  expect(await pageviews(command)).toBe(2)
  expect(await command('backup', file)).toMatchObject({ code: 0 })
  await hit(server, 'three')
  expect(await pageviews(command)).toBe(3)
  expect(await command('restore', '--yes', file)).toMatchObject({ code: 0 })
  expect(await pageviews(command)).toBe(2)
  expect((await hit(server, 'four')).status).toBe(202)
  expect(await pageviews(command)).toBe(3)
  expect(existsSync(join(env.FOOTFALL_DATA, 'replaced', 'log.db'))).toBe(true)
})

test('hits that were durable but not yet counted when the copy was taken are counted after the restore', async () => {
  const { env, command, file } = await home()
  const server = await startServer(env)
  await command('site', 'add', 'a.example')
  await Promise.all(Array.from({ length: 200 }, (_, i) => hit(server, `page-${i}`)))
  expect(await command('backup', file)).toMatchObject({ code: 0 })
  expect(await command('restore', '--yes', file)).toMatchObject({ code: 0 })
  expect(await pageviews(command)).toBe(200)
})

test('a folder that no server holds is backed up and put back', async () => {
  const { command, file, env } = await home()
  await command('site', 'add', 'a.example')
  expect(await command('backup', file)).toMatchObject({ code: 0 })
  await command('site', 'add', 'b.example')
  expect((await command('site', 'list')).out).toContain('b.example')
  expect(await command('restore', '--yes', file)).toMatchObject({ code: 0 })
  const { out } = await command('site', 'list')
  expect(out).toContain('a.example')
  expect(out).not.toContain('b.example')
  expect(existsSync(join(env.FOOTFALL_DATA, 'restore-ready'))).toBe(false)
})

const saltsOf = (path: string): unknown[] => {
  const db = new DatabaseSync(path, { readOnly: true })
  const salts = db.prepare('SELECT day, value FROM salt ORDER BY day').all()
  db.close()
  return salts
}

test('a backup keeps no salt, and a restore goes on with the living ones', async () => {
  const { folder, env, command, file } = await home()
  await command('site', 'add', 'a.example')
  const living = saltsOf(join(env.FOOTFALL_DATA, 'site.db'))
  expect(living.length).toBeGreaterThan(2)
  await command('backup', file)
  await pipeline(createReadStream(file), unpackTar(join(folder, 'unpacked')))
  expect(saltsOf(join(folder, 'unpacked', 'site.db'))).toEqual([])
  expect(await command('restore', '--yes', file)).toMatchObject({ code: 0 })
  expect(saltsOf(join(env.FOOTFALL_DATA, 'site.db'))).toEqual(living)
  expect(saltsOf(join(env.FOOTFALL_DATA, 'replaced', 'site.db'))).toEqual([])
})

const dropTables = (db: DatabaseSync, tables: readonly string[]): void => {
  for (const table of tables) db.exec(`DROP TABLE ${table}`)
}
const replayed = ['version_day', 'active_day', 'replay_job']

/** The files of a folder as versions before replays wrote them: days in one version. */
const toFormat2 = (folder: string): void => {
  const state = new DatabaseSync(join(folder, 'state.db'))
  dropTables(state, replayed)
  state.exec(`DROP INDEX segment_key; ALTER TABLE segment DROP COLUMN ver;
    CREATE UNIQUE INDEX segment_key ON segment (part, site, day, "from", "to", level, name);
    PRAGMA user_version = 2; PRAGMA journal_mode = DELETE; VACUUM`)
  state.close()
  siteToFormat2(folder)
}
const siteToFormat2 = (folder: string): void => {
  const site = new DatabaseSync(join(folder, 'site.db'))
  dropTables(site, ['replay'])
  site.exec('PRAGMA user_version = 2; PRAGMA journal_mode = DELETE; VACUUM')
  site.close()
}

/** The same with state.db as versions before 0.1.0's segments wrote it: rows in blocks, and nothing that says more of them. */
const toFormat1 = (folder: string): void => {
  const db = new DatabaseSync(join(folder, 'state.db'))
  dropTables(db, ['memtable', 'sealed', 'segment', 'chunk', 'open_day', 'progress', 'dropped', ...replayed])
  db.exec('PRAGMA user_version = 1; PRAGMA journal_mode = DELETE; VACUUM')
  db.close()
  siteToFormat2(folder)
}
const older = [
  ['1', toFormat1],
  ['2', toFormat2],
] as const

const packedAgain = async (unpacked: string, target: string): Promise<void> => {
  const manifest = JSON.parse(readFileSync(join(unpacked, 'manifest.json'), 'utf8'))
  for (const file of manifest.files) {
    const bytes = readFileSync(join(unpacked, `${file.name}.db`))
    file.size = bytes.length
    file.sha256 = createHash('sha256').update(bytes).digest('hex')
  }
  writeFileSync(join(unpacked, 'manifest.json'), JSON.stringify(manifest))
  await pipeline(packTar(unpacked), createWriteStream(target))
}

test.each(older)(
  'a backup of an older format (%s) is put into a running server, which goes on with its numbers',
  async (_format, toOlder) => {
    const { folder, env, command, file } = await home()
    const server = await startServer(env)
    await command('site', 'add', 'a.example')
    await hit(server, 'one')
    await hit(server, 'two')
    expect(await pageviews(command)).toBe(2)
    await command('backup', file)
    const [unpacked, old] = [join(folder, 'unpacked'), join(folder, 'old.tar')]
    await pipeline(createReadStream(file), unpackTar(unpacked))
    toOlder(unpacked)
    await packedAgain(unpacked, old)
    expect(await command('restore', '--yes', old)).toMatchObject({ code: 0 })
    expect(await pageviews(command)).toBe(2)
    await hit(server, 'three')
    expect(await pageviews(command)).toBe(3)
  },
)

test.each(older)('a folder of an older format (%s) is opened with its numbers', async (_format, toOlder) => {
  const { env, command } = await home()
  await command('site', 'add', 'a.example')
  const opened = await openFunctions(readConfig(env), systemClock)
  await hit(opened, 'one')
  await opened.close()
  expect(await pageviews(command)).toBe(1)
  toOlder(env.FOOTFALL_DATA)
  expect(await pageviews(command)).toBe(1)
})

test('nothing is replaced by mistake', async () => {
  const { command, file, folder } = await home()
  await command('site', 'add', 'a.example')
  await command('backup', file)
  const before = readFileSync(file)
  expect(await command('backup', file)).toMatchObject({ code: 1, err: expect.stringContaining('exists already') })
  expect(readFileSync(file).equals(before)).toBe(true)
  expect(await command('restore', file)).toMatchObject({ code: 1, err: expect.stringContaining('--yes') })
  expect(await command('restore', '--yes', join(folder, 'none.tar'))).toMatchObject({ code: 1, err: expect.stringContaining('no file') })
})

test('what is no backup, or a damaged one, changes nothing and says so', async () => {
  const { command, file, folder } = await home()
  await command('site', 'add', 'a.example')
  await command('backup', file)
  await command('site', 'add', 'b.example')
  const other = join(folder, 'other.tar')
  writeFileSync(other, 'not a tar file')
  expect((await command('restore', '--yes', other)).code).toBe(1)
  const bytes = readFileSync(file)
  bytes[bytes.length - 3_000] = bytes[bytes.length - 3_000]! ^ 0xff
  writeFileSync(other, bytes)
  expect(await command('restore', '--yes', other)).toMatchObject({ code: 1, err: expect.stringMatching(/not what was backed up/) })
  expect((await command('site', 'list')).out).toContain('b.example')
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FileFormat, openDatabase } from '#shared/engines/sqlite/database.ts'
import { lockFolder, type OpenFolder, openFolder, prepareFolder } from '#shared/engines/sqlite/folder.ts'
import { formats } from '#shared/engines/sqlite/formats.ts'
import type { LogFile } from '#shared/engines/sqlite/log.ts'
import { createThreadWriter, serveThreadWriter } from '#shared/engines/sqlite/log-thread.ts'
import { heldLimit } from '#shared/engines/sqlite/sessions.ts'
import { FootfallError } from '#shared/errors.ts'
import type { EnrichChange, EnrichFence } from '#shared/ports/sessions.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { day, noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** What the SQLite engines promise beyond the ports (those are in tests/contract): files, crashes, threads, full disks. */

const writes = ['log', 'state', 'site'] as const
let folder: ReturnType<typeof temporaryFolder>
let clock: VirtualClock
let opened: OpenFolder[]
beforeEach(() => {
  folder = temporaryFolder()
  clock = createVirtualClock(noon, createRandom(1))
  opened = []
})
afterEach(() => {
  for (const stores of opened) stores.close()
  folder.remove()
})
const open = (path = folder.path): OpenFolder => {
  const stores = openFolder({ folder: path, writes }, clock)
  opened.push(stores)
  return stores
}
const path = (name: string) => join(folder.path, name)
const code = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return error instanceof FootfallError ? error.code : String(error)
  }
  return 'no error'
}
const all = { records: 10_000, bytes: 1e9, waitMs: 0 }

/** What a power cut leaves: the files as they are, while the process still has them open. */
const afterCrash = (): OpenFolder => {
  const copy = join(folder.path, `crash ${opened.length}`)
  mkdirSync(copy)
  for (const name of readdirSync(folder.path).filter((file) => /\.db(-wal)?$/.test(file))) cpSync(path(name), join(copy, name))
  return open(copy)
}

describe('the lock', () => {
  test('one process holds a folder until it lets go', () => {
    const release = lockFolder(folder.path)
    expect(code(() => lockFolder(folder.path))).toBe('folder-in-use')
    release()
    release()
    lockFolder(folder.path)()
  })

  test('a process that is killed holds it no more', async () => {
    const program = `import { lockFolder } from ${JSON.stringify(join(import.meta.dirname, '../../shared/engines/sqlite/folder.ts'))}
      lockFolder(${JSON.stringify(folder.path)}); console.log('held'); setInterval(() => {}, 1000)`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(holder.stdout, 'data')
    expect(code(() => lockFolder(folder.path))).toBe('folder-in-use')
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    lockFolder(folder.path)()
  })

  test('the error names the folder and the cure', () => {
    const release = lockFolder(folder.path)
    expect(() => lockFolder(folder.path)).toThrowError(
      expect.objectContaining({ message: expect.stringContaining(folder.path), hint: expect.stringContaining('FOOTFALL_DATA') }),
    )
    release()
  })

  test('a damaged lock file is not told as another process', () => {
    writeFileSync(path('lock.db'), 'garbage '.repeat(1_000))
    expect(code(() => lockFolder(folder.path)())).not.toBe('folder-in-use')
  })

  test('a folder that cannot be one says so', () => {
    writeFileSync(path('file'), '')
    expect(code(() => prepareFolder(join(path('file'), 'below')))).toBe('not-a-folder')
    prepareFolder(path('new/and/deep'))
    expect(existsSync(path('new/and/deep'))).toBe(true)
  })
})

describe('files', () => {
  const number = (db: DatabaseSync, pragma: string) => Object.values(db.prepare(`PRAGMA ${pragma}`).get()!)[0]

  test('are stamped, and durable as they promise', () => {
    const { files } = open()
    for (const [name, db] of Object.entries(files)) {
      expect(number(db, 'application_id')).toBe(formats[name as keyof typeof formats].applicationId)
      expect(number(db, 'user_version')).toBe(formats[name as keyof typeof formats].migrations.length)
      expect(number(db, 'journal_mode')).toBe('wal')
    }
    expect([number(files.log, 'synchronous'), number(files.state, 'synchronous'), number(files.site, 'synchronous')]).toEqual([2, 1, 2])
    expect(number(files.site, 'secure_delete')).toBe(1)
  })

  test.each(['log', 'state', 'site'] as const)('%s.db of a newer version is refused, and left as it is', (name) => {
    open().close()
    const db = new DatabaseSync(path(`${name}.db`))
    db.exec('PRAGMA user_version = 99')
    db.close()
    expect(code(() => open())).toBe('newer-format')
    expect(number(new DatabaseSync(path(`${name}.db`)), 'user_version')).toBe(99)
  })

  test.each(['log', 'state', 'site'] as const)('%s.db that is no database is damaged', (name) => {
    writeFileSync(path(`${name}.db`), 'garbage '.repeat(1_000))
    expect(code(() => open())).toBe('damaged-file')
  })

  const foreign = (pragmas: string) => {
    const db = new DatabaseSync(path('log.db'))
    db.exec(`CREATE TABLE theirs (a); ${pragmas}`)
    db.close()
  }
  test.each(['PRAGMA application_id = 5', 'PRAGMA user_version = 1'])("another program's file is refused: %s", (pragmas) => {
    foreign(pragmas)
    expect(code(() => open())).toBe('damaged-file')
  })

  test("another program's file is refused though it has no numbers", () => {
    foreign('')
    expect(code(() => open())).toBe('damaged-file')
  })

  test('a file of ours under the wrong name is refused', () => {
    open().close()
    cpSync(path('log.db'), path('site.db'))
    expect(code(() => open())).toBe('damaged-file')
  })

  test('who only reads makes nothing, and cannot write', async () => {
    expect(code(() => openFolder({ folder: folder.path, writes: [] }, clock))).toBe('not-a-folder')
    open()
    const reader = openFolder({ folder: folder.path, writes: [] }, clock)
    opened.push(reader)
    await expect(reader.log.append('hits', 0, ['x'])).rejects.toMatchObject({ code: 'log-unavailable' })
    await expect(reader.salts.make(20260610, Buffer.from('x'))).rejects.toMatchObject({ code: 'store-unavailable' })
  })

  test('a damaged page is told as damage when it is met', async () => {
    const stores = open()
    await stores.log.append(
      'hits',
      0,
      Array.from({ length: 500 }, (_, i) => `${i}`.padEnd(2_000, 'x')),
    )
    stores.close()
    const bytes = readFileSync(path('log.db'))
    bytes.fill(0xff, 4_096 * 8, bytes.length)
    writeFileSync(path('log.db'), bytes)
    const again = await Promise.resolve()
      .then(() => open().log.read('hits', 0, 0, all))
      .catch((error) => error)
    expect(again).toMatchObject({ code: 'damaged-file' })
  })
})

describe('migrations', () => {
  const format = (...migrations: string[]): FileFormat => ({
    name: 'site',
    applicationId: 0x46467369,
    synchronous: 'NORMAL',
    cacheKib: 100,
    checkpointPages: 100,
    migrations,
  })
  const version = (db: DatabaseSync) => Object.values(db.prepare('PRAGMA user_version').get()!)[0]
  const one = 'CREATE TABLE a (x); INSERT INTO a VALUES (1)'
  const two = 'ALTER TABLE a ADD COLUMN y'

  test('each is done once, in order', () => {
    openDatabase(format(one), { path: path('m.db') }).close()
    const db = openDatabase(format(one, two), { path: path('m.db') })
    expect([version(db), db.prepare('SELECT * FROM a').all()]).toEqual([2, [{ x: 1, y: null }]])
    db.close()
    openDatabase(format(one, two), { path: path('m.db') }).close()
  })

  test('one that fails leaves nothing of itself, and is done again', () => {
    expect(code(() => openDatabase(format(one, `${two}; nonsense`), { path: path('m.db') }))).toBe('store-unavailable')
    const db = openDatabase(format(one), { path: path('m.db') })
    expect([version(db), db.prepare('SELECT * FROM a').all()]).toEqual([1, [{ x: 1 }]])
    db.close()
    const fixed = openDatabase(format(one, two), { path: path('m.db') })
    expect(version(fixed)).toBe(2)
    fixed.close()
  })
})

describe('the log', () => {
  test('what was answered is there after a crash', async () => {
    const { log } = open()
    await log.append('hits', 0, ['a', 'b'])
    await log.append('hits', 0, ['c'])
    expect((await afterCrash().log.read('hits', 0, 0, all)).map(({ body }) => body)).toEqual(['a', 'b', 'c'])
  })

  test('goes on behind its end when it is opened again, also when all of it was trimmed', async () => {
    const first = open()
    await first.log.append('hits', 0, ['a', 'b', 'c'])
    const { id } = await first.log.ends('hits', 0)
    await first.log.trim('hits', 0, 3)
    first.close()
    const { log } = open()
    expect(await log.ends('hits', 0)).toEqual({ id, earliest: 3, end: 3 })
    expect(await log.append('hits', 0, ['d'])).toBe(3)
  })

  test('append times never go back over a new start', async () => {
    const first = open()
    await first.log.append('hits', 0, ['a'])
    first.close()
    clock.advance(-day)
    const { log } = open()
    await log.append('hits', 0, ['b'])
    expect((await log.read('hits', 0, 0, all)).map(({ time }) => time)).toEqual([noon, noon])
  })

  test('any text comes back as it was written', async () => {
    const { log } = open()
    const texts = ['', '\u0000', 'a\u0000b', '€😀', '', 'x'.repeat(600_000), '"']
    await log.append('hits', 0, texts)
    expect((await log.read('hits', 0, 0, all)).map(({ body }) => body)).toEqual(texts)
    expect((await log.read('hits', 0, 3, { ...all, records: 2 })).map(({ offset, body }) => [offset, body])).toEqual([
      [3, '€😀'],
      [4, ''],
    ])
  })

  test('a read that ends early holds no page of the file', async () => {
    const { log, files } = open()
    for (let i = 0; i < 50; i++) await log.append('hits', 0, ['x'.repeat(10_000)])
    await log.read('hits', 0, 0, { ...all, records: 1 })
    expect(files.log.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()).toMatchObject({ busy: 0 })
  })
})

describe('a full disk', () => {
  const fill = (db: DatabaseSync, room = 3) => {
    const pages = Number(Object.values(db.prepare('PRAGMA page_count').get()!)[0])
    db.exec(`PRAGMA max_page_count = ${pages + room}`)
    return () => db.exec('PRAGMA max_page_count = 1000000')
  }
  const large = 'x'.repeat(100_000)

  test('disk-full, nothing of it is there; with room again it goes on', async () => {
    const { log, files } = open()
    await log.append('hits', 0, ['before'])
    const makeRoom = fill(files.log)
    await expect(log.append('hits', 0, ['small', large])).rejects.toMatchObject({ code: 'disk-full', status: 503, retryable: true })
    expect((await log.ends('hits', 0)).end).toBe(1)
    makeRoom()
    expect(await log.append('hits', 0, ['after'])).toBe(1)
    expect((await log.read('hits', 0, 0, all)).map(({ body }) => body)).toEqual(['before', 'after'])
  })

  test('also when the first rows of an append still had room', async () => {
    const { log, files } = open()
    await log.append('hits', 0, ['before'])
    const makeRoom = fill(files.log, 200)
    await expect(log.append('hits', 0, ['x'.repeat(400_000), 'y'.repeat(450_000)])).rejects.toMatchObject({ code: 'disk-full' })
    makeRoom()
    expect(await log.append('hits', 0, ['after'])).toBe(1)
    expect((await log.read('hits', 0, 0, all)).map(({ body }) => body)).toEqual(['before', 'after'])
  })

  test('of sites and salts as well', async () => {
    const { secrets, files } = open()
    const makeRoom = fill(files.site)
    const secret = { hash: 'h', kind: 'key' as const, role: 'read' as const, site: '', label: large, created: 0, until: 0 }
    await expect(secrets.put(secret)).rejects.toMatchObject({ code: 'disk-full' })
    makeRoom()
    await secrets.put(secret)
    expect(await secrets.find('h')).toBeDefined()
  })

  test('session state that could not be written is lost together with its fence', async () => {
    const { sessions, files } = open()
    const begin = await sessions.init(0, aFence(0))
    await sessions.commit(0, begin, aFence(1), change('first'))
    clock.advance(2_000)
    await sessions.commit(0, aFence(1), aFence(2), change('second'))
    const makeRoom = fill(files.state)
    clock.advance(2_000)
    await sessions.commit(0, aFence(2), aFence(3), change('held only'))
    clock.advance(2_000)
    await expect(sessions.commit(0, aFence(3), aFence(4), change(large))).rejects.toMatchObject({ code: 'disk-full' })
    const standing = async () => {
      const { fence, sessions: held } = await sessions.load(0, [visitor], [], [])
      return [fence!.next, held[0]!.state]
    }
    expect(await standing()).toEqual([2, 'second'])
    expect(await sessions.commit(0, aFence(4), aFence(5), change('x'))).toBe('stale')
    makeRoom()
    clock.advance(2_000)
    await sessions.commit(0, aFence(2), aFence(3), change('third'))
    expect(await standing()).toEqual([3, 'third'])
  })
})

const visitor = { site: 'example.com', key: 'v' }
const aFence = (next: number): EnrichFence => ({ gen: 1, topic: 't', next, ev: next, logTime: next, mode: '' })
const change = (state: string): EnrichChange => ({
  sessions: [{ ...visitor, state, lt: 1 }],
  dropped: [],
  ids: [{ site: 'example.com', id: state.slice(0, 10), lt: 1 }],
  lines: [],
})

describe('sessions are written behind', () => {
  const stateOf = async ({ sessions }: OpenFolder) => {
    const { fence, sessions: held, ids } = await sessions.load(0, [visitor], [{ site: 'example.com', id: 'second' }], [])
    return [fence?.next, held[0]?.state, ids[0]]
  }

  test('what is held in memory is what is read, a crash takes state and fence together', async () => {
    const stores = open()
    await stores.sessions.init(0, aFence(0))
    await stores.sessions.commit(0, aFence(0), aFence(1), change('first'))
    clock.advance(2_000)
    await stores.sessions.commit(0, aFence(1), aFence(2), change('second'))
    expect(await stateOf(stores)).toEqual([2, 'second', 1])
    const written = await stateOf(afterCrash())
    await stores.sessions.commit(0, aFence(2), aFence(3), change('third'))
    expect(await stateOf(stores)).toEqual([3, 'third', 1])
    expect(await stateOf(afterCrash())).toEqual(written)
  })

  test('an older pair stands, never half of a newer one', async () => {
    const stores = open()
    await stores.sessions.init(0, aFence(0))
    await stores.sessions.commit(0, aFence(0), aFence(1), change('first'))
    expect(await stateOf(afterCrash())).toEqual([0, undefined, undefined])
    clock.advance(1_999)
    await stores.sessions.commit(0, aFence(1), aFence(2), change('second'))
    expect(await stateOf(afterCrash())).toEqual([0, undefined, undefined])
    clock.advance(1)
    await stores.sessions.commit(0, aFence(2), aFence(3), change('second'))
    expect(await stateOf(afterCrash())).toEqual([3, 'second', 1])
  })

  test('a tick, many changes, and the end write at once', async () => {
    const stores = open()
    await stores.sessions.init(0, aFence(0))
    await stores.sessions.commit(0, aFence(0), aFence(1), change('first'))
    await stores.sessions.sweep(0, { sessionsBefore: 0, idsBefore: 0 }, 10)
    expect((await stateOf(afterCrash()))[0]).toBe(1)
    const many = Array.from({ length: heldLimit }, (_, i) => ({ site: 'example.com', id: `many ${i}`, lt: 1 }))
    await stores.sessions.commit(0, aFence(1), aFence(2), { sessions: [], dropped: [], ids: many, lines: [] })
    expect((await stateOf(afterCrash()))[0]).toBe(2)
    await stores.sessions.commit(0, aFence(2), aFence(3), change('second'))
    stores.close()
    expect(await stateOf(open())).toEqual([3, 'second', 1])
  })

  test('names with blanks and odd characters are kept apart', async () => {
    const stores = open()
    await stores.sessions.init(0, aFence(0))
    const ids = ['a b', 'a', ' ', 'a\u0000b', '__proto__'].map((id) => ({ site: 'example.com', id, lt: 1 }))
    await stores.sessions.commit(0, aFence(0), aFence(1), { sessions: [], dropped: [], ids, lines: [] })
    stores.close()
    const { ids: held } = await open().sessions.load(0, [], [...ids, { site: 'example.com', id: 'b' }], [])
    expect(held).toEqual([1, 1, 1, 1, 1, undefined])
  })

  test('settled state tells the hits that no crash needs again', async () => {
    const stores = open()
    await stores.sessions.init(0, aFence(0))
    await stores.sessions.commit(0, aFence(0), aFence(7), change('first'))
    expect(stores.settleState(0)).toBe(7)
    expect((await stateOf(afterCrash()))[0]).toBe(7)
  })
})

test('a salt that is destroyed is in no file any more', async () => {
  const { salts } = open()
  const secret = Buffer.from('a salt that must not be found again')
  await salts.make(20260610, secret)
  await salts.make(20260611, Buffer.from('another'))
  const found = () => readdirSync(folder.path).some((name) => readFileSync(path(name)).includes(secret))
  expect(found()).toBe(true)
  expect(await salts.dropBefore(20260611)).toBe(1)
  expect(found()).toBe(false)
})

describe('the thread that owns the log', () => {
  const ports: MessageChannel[] = []
  afterEach(() => {
    for (const { port1 } of ports.splice(0)) port1.close()
  })

  /** A writer whose other end is a file that a test makes up. */
  const aWriter = (commit: LogFile['commit'], trim: LogFile['trim'] = () => undefined) => {
    const channel = new MessageChannel()
    ports.push(channel)
    serveThreadWriter(channel.port2, { commit, trim })
    return { writer: createThreadWriter(channel.port1), close: () => channel.port1.close() }
  }
  /** Remembers how many records each commit took; answers offsets as a log would. */
  const aCounting = () => {
    const commits: number[] = []
    let end = 0
    const commit: LogFile['commit'] = (parts) => {
      commits.push(parts.reduce((sum, { lengths }) => sum + lengths.length, 0))
      return parts.map(({ lengths }) => {
        const first = end
        end += lengths.length
        return first
      })
    }
    return { commits, commit }
  }

  test('appends of one turn go in one commit, and each is told its own offset', async () => {
    const { commits, commit } = aCounting()
    const { writer } = aWriter(commit)
    const firsts = await Promise.all(Array.from({ length: 100 }, (_, i) => writer.append('hits', 0, i % 2 === 0 ? ['a'] : ['b', 'c'])))
    expect(commits).toEqual([150])
    expect(firsts).toEqual(Array.from({ length: 100 }, (_, i) => Math.floor(i / 2) * 3 + (i % 2)))
  })

  test('what comes during a commit forms the next one', async () => {
    const { commits, commit } = aCounting()
    const { writer } = aWriter(commit)
    const first = writer.append('hits', 0, ['a'])
    await new Promise(setImmediate)
    const rest = Array.from({ length: 9 }, () => writer.append('hits', 0, ['b']))
    await Promise.all([first, ...rest])
    expect(commits).toEqual([1, 9])
  })

  test('a group is bounded', async () => {
    const { commits, commit } = aCounting()
    const { writer } = aWriter(commit)
    await Promise.all(Array.from({ length: 5_000 }, () => writer.append('hits', 0, ['a'])))
    expect(commits).toEqual([4_096, 904])
  })

  test('topics and partitions of one group are told apart', async () => {
    const { writer } = aWriter((parts) => parts.map(({ topic, partition }) => (topic === 'hits' ? 100 : 200) + partition * 10))
    expect(
      await Promise.all([
        writer.append('hits', 0, ['a']),
        writer.append('dead', 0, ['b']),
        writer.append('hits', 1, ['c']),
        writer.append('hits', 0, ['d']),
      ]),
    ).toEqual([100, 200, 110, 101])
  })

  test('a commit that fails fails for all in it, with its code; the next one is another', async () => {
    let fails = true
    const { commit } = aCounting()
    const { writer } = aWriter((parts) => {
      if (fails) throw new FootfallError('disk-full')
      return commit(parts)
    })
    const outcomes = await Promise.allSettled([writer.append('hits', 0, ['a']), writer.append('hits', 0, ['b'])])
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: { code: 'disk-full', retryable: true } },
      { status: 'rejected', reason: { code: 'disk-full' } },
    ])
    fails = false
    expect(await writer.append('hits', 0, ['c'])).toBe(0)
  })

  test('what is unforeseen is an outage', async () => {
    const { writer } = aWriter(() => {
      throw new Error('a bug')
    })
    await expect(writer.append('hits', 0, ['a'])).rejects.toMatchObject({ code: 'log-unavailable' })
  })

  test('trims go between commits, in the order they were asked for', async () => {
    const done: string[] = []
    const { writer } = aWriter(
      (parts) => {
        done.push('commit')
        return parts.map(() => 0)
      },
      (_topic, _partition, offset) => {
        done.push(`trim ${offset}`)
        if (offset === 2) throw new FootfallError('store-unavailable')
      },
    )
    const outcomes = await Promise.allSettled([writer.trim('hits', 0, 1), writer.append('hits', 0, ['a']), writer.trim('hits', 0, 2)])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
    expect(done.toSorted()).toEqual(['commit', 'trim 1', 'trim 2'])
  })

  test('a thread that dies leaves an unknown outcome: asked again with the same ids', async () => {
    const { writer, close } = aWriter(() => [0])
    const lost = writer.append('hits', 0, ['a'])
    close()
    await expect(lost).rejects.toMatchObject({ code: 'log-unavailable', retryable: true })
    await expect(writer.append('hits', 0, ['b'])).rejects.toMatchObject({ code: 'log-unavailable' })
    await expect(writer.trim('hits', 0, 1)).rejects.toMatchObject({ code: 'log-unavailable' })
  })
})

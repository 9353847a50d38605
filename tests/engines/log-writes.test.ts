import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createBus } from '#shared/engines/sqlite/bus.ts'
import { lockFolder, type OpenFolder, openFolder } from '#shared/engines/sqlite/folder.ts'
import { createLogFile, type LogFile } from '#shared/engines/sqlite/log.ts'
import { createThreadWriter, groupLimits, type LogPort, serveThreadWriter } from '#shared/engines/sqlite/log-thread.ts'
import { FootfallError } from '#shared/errors.ts'
import { createHealth } from '#shared/runtime/public.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** Writes of log.db where they could fail, be too large or hold each other up. */

let folder: ReturnType<typeof temporaryFolder>
let clock: VirtualClock
let stores: OpenFolder
let channel: MessageChannel
beforeEach(() => {
  folder = temporaryFolder()
  clock = createVirtualClock(noon, createRandom(1))
  stores = openFolder({ folder: folder.path, writes: ['log', 'state', 'site'] }, clock)
  channel = new MessageChannel()
})
afterEach(() => {
  channel.port1.close()
  stores.close()
  folder.remove()
})
const all = { records: 10_000, bytes: 1e9, waitMs: 0 }
const number = (db: DatabaseSync, sql: string) => Number(Object.values(db.prepare(sql).get()!)[0])
const fill = (db: DatabaseSync) => {
  db.exec(`PRAGMA max_page_count = ${number(db, 'PRAGMA page_count')}`)
  return () => db.exec('PRAGMA max_page_count = 1000000')
}

describe('an append of nothing', () => {
  const health = () => createHealth(stores.log)()

  test('fails where a hit would: health is 503 on a full disk, and 200 with room again', async () => {
    await stores.log.append('hits', 0, ['a'])
    const makeRoom = fill(stores.files.log)
    await expect(health()).rejects.toMatchObject({ status: 503, code: 'disk-full' })
    makeRoom()
    expect((await health()).status).toBe(200)
    expect(await stores.log.append('hits', 0, ['b'])).toBe(1)
  })

  test('writes, and leaves nothing behind', async () => {
    clock.advance(1_000)
    await stores.log.append('hits', 0, ['a'])
    stores.files.log.exec('PRAGMA wal_checkpoint(TRUNCATE)')
    const before = number(stores.files.log, 'PRAGMA page_count')
    for (let i = 0; i < 100; i++) expect(await stores.log.append('hits', 0, [])).toBe(1)
    const { log } = stores.files.log.prepare('PRAGMA wal_checkpoint(PASSIVE)').get() as { log: number }
    expect(log).toBeGreaterThan(0)
    expect(number(stores.files.log, 'SELECT count(*) FROM hits')).toBe(1)
    expect(number(stores.files.log, 'PRAGMA page_count')).toBeLessThan(before + 5)
    expect((await stores.log.read('hits', 0, 0, all)).map(({ body }) => body)).toEqual(['a'])
  })
})

describe('a trim', () => {
  const rows = 1_000
  const append = async () => {
    for (let i = 0; i < rows; i++) await stores.log.append('events', 0, [`${i}`])
  }
  const fileOf = (): LogFile => createLogFile(stores.files.state, clock, createBus())
  const count = () => number(stores.files.state, 'SELECT count(*) FROM events')

  test('deletes a bounded number of rows at a time; from the first on nothing of it is given out', async () => {
    await append()
    const file = fileOf()
    const left: number[] = []
    while (file.trim('events', 0, rows - 10) === 'more') {
      left.push(count())
      expect((await stores.log.ends('events', 0)).earliest).toBe(rows - 10)
    }
    expect(left.length).toBeGreaterThan(2)
    expect(count()).toBe(10)
  })

  test('that was cut off is ended by the next one', async () => {
    await append()
    expect(fileOf().trim('events', 0, rows)).toBe('more')
    await stores.log.trim('events', 0, 1)
    expect([count(), (await stores.log.ends('events', 0)).earliest]).toEqual([0, rows])
  })

  test('over the port lets commits in between', async () => {
    const done: string[] = []
    serveThreadWriter(channel.port2, {
      commit: (parts) => {
        done.push('commit')
        return parts.map(() => 0)
      },
      trim: () => {
        done.push('slice')
        return done.length < 6 ? 'more' : undefined
      },
    })
    const writer = createThreadWriter(channel.port1)
    await Promise.all([writer.trim('hits', 0, 9), writer.append('hits', 0, ['a'])])
    expect(done.at(-1)).toBe('slice')
    expect(done.indexOf('commit')).toBeLessThan(done.lastIndexOf('slice'))
    expect(done.filter((one) => one === 'slice').length).toBeGreaterThan(2)
  })
})

describe('the thread that owns the log', () => {
  const sized = (chars: number) => ['x'.repeat(chars)]

  test('tells why it could not write, though only the code goes over', async () => {
    const told: unknown[] = []
    const cause = new Error('EIO')
    const fail = () => {
      throw new FootfallError('disk-full', { cause })
    }
    serveThreadWriter(channel.port2, { commit: fail, trim: fail }, (error) => told.push(error))
    const writer = createThreadWriter(channel.port1)
    await expect(writer.append('hits', 0, ['a'])).rejects.toMatchObject({ code: 'disk-full' })
    await expect(writer.trim('hits', 0, 1)).rejects.toMatchObject({ code: 'disk-full' })
    expect(told).toMatchObject([{ cause }, { cause }])
  })

  test('a group is bounded in size, and one append always goes', async () => {
    const commits: number[] = []
    serveThreadWriter(channel.port2, {
      commit: (parts) => {
        commits.push(parts.reduce((sum, { text }) => sum + text.length, 0))
        return parts.map(() => 0)
      },
      trim: () => undefined,
    })
    const writer = createThreadWriter(channel.port1)
    const half = groupLimits.chars / 2
    await Promise.all([half, half, 1, groupLimits.chars + 1, 1].map((chars) => writer.append('hits', 0, sized(chars))))
    expect(commits).toEqual([2 * half, 1, groupLimits.chars + 1, 1])
  })

  test('when too much waits an append is refused; what waits is not lost', async () => {
    serveThreadWriter(channel.port2, { commit: (parts) => parts.map(() => 0), trim: () => undefined })
    const writer = createThreadWriter(channel.port1)
    const text = sized(groupLimits.waitingChars / 8)
    const waiting = Array.from({ length: 8 }, () => writer.append('hits', 0, text))
    await expect(writer.append('hits', 0, ['a'])).rejects.toMatchObject({ code: 'overloaded', status: 503, retryable: true })
    expect(await Promise.all(waiting)).toHaveLength(8)
    await writer.append('hits', 0, ['a'])
  })

  test('what is durable is told before the next message is made', async () => {
    const happened: string[] = []
    let hear: (told: unknown) => void = () => undefined
    const port = {
      postMessage: ({ kind }: { kind: string }) => happened.push(kind),
      on: (name: string, listener: typeof hear) => {
        if (name === 'message') hear = listener
      },
    } as unknown as LogPort
    const writer = createThreadWriter(port)
    // Its length is asked for when the offset of the next one is counted.
    const bodies = new Proxy(['a'], {
      get: (target, name) => {
        if (name === 'length') happened.push('told')
        return Reflect.get(target, name)
      },
    })
    void writer.append('hits', 0, bodies)
    await new Promise(setImmediate)
    void writer.append('hits', 0, ['b'])
    happened.length = 0
    hear({ kind: 'log', firsts: [0] })
    expect(happened).toEqual(['told', 'commit'])
  })
})

test('a lock file that cannot be opened is told as one of ours', () => {
  mkdirSync(join(folder.path, 'other', 'lock.db'), { recursive: true })
  expect(() => lockFolder(join(folder.path, 'other'))).toThrow(expect.objectContaining({ code: 'damaged-file' }))
})

test('a file that cannot be closed does not keep the others open', () => {
  stores.files.site.close() // closing it twice throws
  expect(() => stores.close()).toThrow(AggregateError)
  expect([stores.files.log.isOpen, stores.files.state.isOpen]).toEqual([false, false])
  stores.close()
})

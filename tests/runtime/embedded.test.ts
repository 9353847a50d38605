import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import type { Reply } from '#shared/handler.ts'
import { createClosers, type Embedded, openFunctions, startEmbedded, startSchedule } from '#shared/runtime/embedded.ts'
import { createLogger } from '#shared/runtime/log.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

/** How the product in one process begins, begins again, and ends. */

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => folder.remove())
const config = () => readConfig({ FOOTFALL_DATA: folder.path, FOOTFALL_LOG: 'error' })

const ask = (embedded: Embedded, method: string, target: string, body: unknown = undefined): Promise<Reply> => {
  const [path = '', query = ''] = target.split('?')
  const headers = { authorization: `Bearer ${embedded.adminKey}` }
  return embedded.handle({ method, path, query, headers, body: Buffer.from(JSON.stringify(body) ?? ''), address: '127.0.0.1' })
}
const bodyOf = (reply: Reply) => JSON.parse(String(reply.body))

describe('closers', () => {
  test('all run, last first, also when one fails; the errors come together', async () => {
    const { add, close } = createClosers()
    const ran: number[] = []
    for (const n of [1, 2, 3, 4])
      add(async () => {
        ran.push(n)
        if (n % 2 === 0) throw new Error(`closer ${n}`)
      })
    await expect(close()).rejects.toMatchObject({ errors: [{ message: 'closer 4' }, { message: 'closer 2' }] })
    expect(ran).toEqual([4, 3, 2, 1])
    await close()
    expect(ran).toHaveLength(4)
  })
})

test('a schedule that is under way when it is ended is waited for, and does not begin again', async () => {
  const clock = createVirtualClock(noon, createRandom(1))
  let runs = 0
  let end = () => {}
  const manage = async () => {
    if (++runs > 1)
      await new Promise<void>((resolve) => {
        end = resolve
      })
    return { status: 200 }
  }
  const stop = await startSchedule(manage, clock, () => undefined)
  clock.advance(3_600_000)
  expect(runs).toBe(2)
  let stopped = false
  const stopping = stop().then(() => {
    stopped = true
  })
  await new Promise(setImmediate)
  expect(stopped).toBe(false)
  end()
  await stopping
  expect(clock.untilNext()).toBeUndefined()
})

test('a folder is new until it has had a site: a removed localhost does not come back', async () => {
  const first = await openFunctions(config(), systemClock)
  expect(first.isNew).toBe(true)
  await ask(first, 'POST', '/api/sites', { site: 'localhost' })
  await ask(first, 'DELETE', '/api/sites/localhost')
  expect(bodyOf(await ask(first, 'GET', '/api/sites')).sites).toEqual([])
  await first.close()
  const second = await openFunctions(config(), systemClock)
  expect(second.isNew).toBe(false)
  await second.close()
})

test('a command over a stopped partition is told so, and does not wait for ever', async () => {
  const first = await openFunctions(config(), systemClock)
  await ask(first, 'POST', '/api/sites', { site: 'a.example' })
  await ask(first, 'POST', '/api/hit', { site: 'a.example', url: 'https://a.example/', visitor: 'somebody-1' })
  await ask(first, 'GET', '/api/sites')
  await first.close()
  rmSync(join(folder.path, 'log.db')) // the state is of a log that is gone
  const second = await openFunctions(config(), systemClock)
  await expect(ask(second, 'GET', '/api/sites')).rejects.toMatchObject({ code: 'partition-stopped' })
  await second.close()
})

/** Sends a copy of the folder back to it; answers how to finish. */
const sendBack = async (embedded: Embedded) => {
  const backup = bodyOf(await ask(embedded, 'POST', '/api/backups'))
  const { id } = bodyOf(await ask(embedded, 'POST', '/api/restores'))
  for (const { name } of backup.files) {
    const { data } = bodyOf(await ask(embedded, 'GET', `/api/backups/${backup.id}/${name}`))
    await ask(embedded, 'PUT', `/api/restores/${id}/${name}`, { offset: 0, data })
  }
  return () => ask(embedded, 'POST', `/api/restores/${id}/finish`, { files: backup.files })
}

describe('a restore of a running server', () => {
  test('that cannot be opened ends the process, which would answer 503 for ever', async () => {
    const fatal: Error[] = []
    const server = await startEmbedded(config(), createLogger('error', 'test'), (error) => fatal.push(error))
    const finish = await sendBack(server)
    writeFileSync(join(folder.path, 'admin.key'), 'garbage')
    await expect(finish()).rejects.toMatchObject({ code: 'damaged-file' })
    expect(fatal).toMatchObject([{ cause: { code: 'damaged-file' } }])
    await server.close()
  })

  test('that is under way when the server stops is ended first', async () => {
    const server = await startEmbedded(config(), createLogger('error', 'test'), (error) => expect.unreachable(error.message))
    const key = readFileSync(join(folder.path, 'admin.key'), 'utf8')
    const finish = await sendBack(server)
    const finished = finish()
    await new Promise((resolve) => setTimeout(resolve, 20))
    await Promise.all([finished.catch(() => undefined), server.close()])
    const db = new DatabaseSync(join(folder.path, 'log.db'))
    db.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT')
    db.close()
    expect(readFileSync(join(folder.path, 'admin.key'), 'utf8')).toBe(key)
  })
})

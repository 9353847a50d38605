import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler } from '#shared/handler.ts'
import { ensureAdminKey } from '#shared/runtime/admin-key.ts'
import { createBackups } from '#shared/runtime/backups.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock, type VirtualClock } from '../model/virtual-clock.ts'

/** Backup and restore as paths: what a client may get wrong, and what is left of those that never come back. */

let folder: ReturnType<typeof temporaryFolder>
let clock: VirtualClock
let stores: Stores
let handle: Handler
let key: string
let restarts: (() => void)[]
beforeEach(async () => {
  folder = temporaryFolder()
  clock = createVirtualClock(noon, createRandom(1))
  stores = await wire(folder.path, 'all', clock)
  key = await ensureAdminKey(folder.path, stores.secrets, clock)
  restarts = []
  const restart = () => new Promise<void>((resolve) => restarts.push(resolve))
  handle = await createBackups({ folder: folder.path, secrets: stores.secrets, clock, restart })
})
afterEach(() => {
  stores.close()
  folder.remove()
})

const ask = async (method: string, target: string, body?: unknown) => {
  const [path = '', query = ''] = target.split('?')
  const headers = { authorization: `Bearer ${key}` }
  const reply = await handle({ method, path, query, headers, body: Buffer.from(JSON.stringify(body) ?? ''), address: '' }).catch(
    (error) => {
      if (error instanceof FootfallError) return replyOf(error)
      throw error
    },
  )
  return { status: reply.status, body: JSON.parse(String(reply.body)) }
}
const begin = async (kind: 'backups' | 'restores') => (await ask('POST', `/api/${kind}`)).body

/** A restore for which everything was sent. */
const aSentRestore = async () => {
  const backup = await begin('backups')
  const { id } = await begin('restores')
  for (const { name } of backup.files) {
    const { data } = (await ask('GET', `/api/backups/${backup.id}/${name}`)).body
    await ask('PUT', `/api/restores/${id}/${name}`, { offset: 0, data })
  }
  return { id, files: backup.files }
}

test('the hashes are those of the files', async () => {
  const { id, files } = await begin('backups')
  for (const { name, sha256 } of files) {
    const { data } = (await ask('GET', `/api/backups/${id}/${name}`)).body
    expect(createHash('sha256').update(Buffer.from(data, 'base64')).digest('hex')).toBe(sha256)
  }
})

describe('a client that is wrong is told 400', () => {
  test.each(['abc', '-1', '1.5', '1e3', ''])('offset=%s', async (offset) => {
    const { id } = await begin('backups')
    expect(await ask('GET', `/api/backups/${id}/log?offset=${offset}`)).toMatchObject({ status: 400, body: { code: 'bad-request' } })
  })

  test('the first piece is missing', async () => {
    const { id } = await begin('restores')
    const reply = await ask('PUT', `/api/restores/${id}/log`, { offset: 10, data: 'AAAA' })
    expect(reply).toMatchObject({ status: 400, body: { error: expect.stringContaining('first piece') } })
  })

  test('a file is missing, or is not what it was; then it may be mended', async () => {
    const { id, files } = await aSentRestore()
    const { data } = (await ask('GET', `/api/backups/${(await begin('backups')).id}/log`)).body
    await ask('PUT', `/api/restores/${id}/log`, { offset: 0, data: 'AAAA' })
    expect(await ask('POST', `/api/restores/${id}/finish`, { files })).toMatchObject({
      status: 400,
      body: { code: 'damaged-file', error: expect.stringContaining('log.db is not what was backed up') },
    })
    const { id: empty } = await begin('restores')
    expect(await ask('POST', `/api/restores/${empty}/finish`, { files })).toMatchObject({ status: 400, body: { code: 'bad-request' } })
    expect(restarts).toEqual([])
    await ask('PUT', `/api/restores/${id}/log`, { offset: 0, data })
    const finished = ask('POST', `/api/restores/${id}/finish`, { files })
    while (restarts.length === 0) await new Promise(setImmediate)
    restarts[0]!()
    expect((await finished).status).toBe(200)
  })

  test('the id of a backup is none of a restore, and the other way round', async () => {
    const { id: backup, files } = await begin('backups')
    const { id: restore } = await begin('restores')
    const piece = { offset: 0, data: 'AAAA' }
    expect((await ask('PUT', `/api/restores/${backup}/log`, piece)).status).toBe(404)
    expect((await ask('POST', `/api/restores/${backup}/finish`, { files })).status).toBe(404)
    expect((await ask('DELETE', `/api/backups/${restore}`)).status).toBe(404)
    expect((await ask('PUT', `/api/restores/${restore}/log`, piece)).status).toBe(200)
    expect((await ask('GET', `/api/backups/${restore}/log`)).status).toBe(404)
  })
})

test('of two that finish at once one is refused', async () => {
  const [one, two] = [await aSentRestore(), await aSentRestore()]
  const first = ask('POST', `/api/restores/${one.id}/finish`, { files: one.files })
  expect(await ask('POST', `/api/restores/${two.id}/finish`, { files: two.files })).toMatchObject({ status: 409 })
  while (restarts.length === 0) await new Promise(setImmediate)
  restarts[0]!()
  expect((await first).status).toBe(200)
  expect(restarts).toHaveLength(1)
})

test('copies that nobody asks about any more go after an hour, when the next begins', async () => {
  const copies = () => readdirSync(folder.path).filter((name) => /^(backup|restore)-/.test(name))
  const lost = await begin('backups')
  const kept = await begin('backups')
  await begin('restores')
  clock.advance(3_000_000)
  await ask('GET', `/api/backups/${kept.id}/log`)
  clock.advance(3_000_000)
  const next = await begin('backups')
  expect(copies().sort()).toEqual([kept.id, next.id].sort())
  expect(existsSync(join(folder.path, lost.id))).toBe(false)
  expect((await ask('GET', `/api/backups/${lost.id}/log`)).status).toBe(404)
})

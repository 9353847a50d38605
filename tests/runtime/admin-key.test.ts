import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { adminKeyPath, ensureAdminKey } from '#shared/runtime/admin-key.ts'
import { hashOf } from '#shared/site/access.ts'
import { type Stores, wire } from '#shared/wire.ts'
import { temporaryFolder } from '../fixtures/folder.ts'
import { noon } from '../fixtures/hit.ts'
import { createRandom } from '../model/random.ts'
import { createVirtualClock } from '../model/virtual-clock.ts'

let folder: ReturnType<typeof temporaryFolder>
let stores: Stores
const clock = createVirtualClock(noon, createRandom(1))
beforeEach(async () => {
  folder = temporaryFolder()
  stores = await wire(':memory:', 'all', clock)
})
afterEach(() => {
  stores.close()
  folder.remove()
})
const ensure = () => ensureAdminKey(folder.path, stores.secrets, clock)
const path = () => adminKeyPath(folder.path)

test('the key is made once, and the file not written again', async () => {
  const key = await ensure()
  const { ino, mtimeMs, mode } = statSync(path())
  expect([readFileSync(path(), 'utf8'), mode & 0o777]).toEqual([`${key}\n`, 0o600])
  expect(await ensure()).toBe(key)
  expect(statSync(path())).toMatchObject({ ino, mtimeMs })
  expect(await stores.secrets.find(hashOf(key))).toMatchObject({ role: 'own', site: '' })
})

test('a file that others may read is closed to them', async () => {
  await ensure()
  chmodSync(path(), 0o644)
  await ensure()
  expect(statSync(path()).mode & 0o777).toBe(0o600)
})

test('an empty file, as a killed start of an older version could leave it, is made good', async () => {
  writeFileSync(path(), '')
  expect(await ensure()).toMatch(/^ff_own_/)
})

test.each(['x', 'secret', `ff_read_${'a'.repeat(43)}`, `ff_own_${'a'.repeat(43)} and more`])(
  '%j is no key: the file and the cure are told',
  async (text) => {
    writeFileSync(path(), text)
    await expect(ensure()).rejects.toMatchObject({
      code: 'damaged-file',
      message: expect.stringContaining(path()),
      hint: expect.stringContaining('remove the file'),
    })
    expect(readFileSync(path(), 'utf8')).toBe(text)
    expect(await stores.secrets.list('key')).toEqual([])
  },
)

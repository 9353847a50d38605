import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { keepKeys } from '#shared/engines/sqlite/backup.ts'
import { openDatabase } from '#shared/engines/sqlite/database.ts'
import { formats } from '#shared/engines/sqlite/formats.ts'
import { createImports } from '#shared/engines/sqlite/imports.ts'
import { copyKeys, forgetKeys } from '#shared/engines/sqlite/secrecy.ts'
import { createSites } from '#shared/engines/sqlite/sites.ts'
import { emptyTally } from '#shared/hit/import-tally.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** A salt, or a key of imports, that is destroyed can be read nowhere: not in the file, not in its write-ahead log, not in a copy. */

const yesterday = 20260609
const today = 20260610
const secretOf = (day: number) => Buffer.from(`a salt that must not be found again ${day}`)

let folder: ReturnType<typeof temporaryFolder>
const opened: DatabaseSync[] = []
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => {
  for (const db of opened.splice(0)) if (db.isOpen) db.close()
  folder.remove()
})

const at = (name: string) => join(folder.path, name)
const open = (name = 'site.db') => {
  const db = openDatabase(formats.site, { path: at(name) })
  opened.push(db)
  return { db, ...createSites(db), ...createImports(db) }
}
const isAnywhere = (day: number, prefix = '') =>
  readdirSync(folder.path).some(
    (name) => name.startsWith(prefix) && statSync(at(name)).isFile() && readFileSync(at(name)).includes(secretOf(day)),
  )
const daysIn = (name: string) => {
  const db = new DatabaseSync(at(name), { readOnly: true })
  const days = db.prepare('SELECT day FROM salt ORDER BY day').all() as { day: number }[]
  db.close()
  return days.map(({ day }) => day)
}

test('a reader in the way is an error that may be repeated, and the next call ends what this one could not', {
  timeout: 30_000,
}, async () => {
  const { db, salts } = open()
  await salts.make(yesterday, secretOf(yesterday))
  await salts.make(today, secretOf(today))
  db.exec('PRAGMA busy_timeout = 0')
  const reader = new DatabaseSync(at('site.db'), { readOnly: true })
  opened.push(reader)
  reader.exec('BEGIN')
  reader.prepare('SELECT count(*) FROM salt').get()
  await expect(salts.dropBefore(today)).rejects.toMatchObject({ code: 'store-unavailable', retryable: true })
  expect(await salts.get(yesterday)).toBeUndefined()
  reader.exec('COMMIT')
  expect(await salts.dropBefore(today)).toBe(0)
  expect([isAnywhere(yesterday), isAnywhere(today)]).toEqual([false, true])
})

test('a copy forgets them all, the rest stays', async () => {
  const { db, salts, secrets } = open()
  await salts.make(today, secretOf(today))
  await secrets.put({ hash: 'h', kind: 'key', role: 'own', site: '', label: 'l', created: 1, until: 0 })
  await backup(db, at('copy.db'))
  const copy = new DatabaseSync(at('copy.db'))
  opened.push(copy)
  forgetKeys(copy)
  expect(isAnywhere(today, 'copy.db')).toBe(false)
  expect(await createSites(copy).secrets.find('h')).toBeDefined()
  expect(await salts.get(today)).toEqual(secretOf(today))
})

test('a restored file gets the living ones, and only them', async () => {
  const { salts } = open()
  await salts.make(today, secretOf(today))
  const old = open('old.db')
  await old.salts.make(yesterday, secretOf(yesterday))
  await old.salts.make(today, Buffer.from('another'))
  old.db.close()
  copyKeys(at('site.db'), at('old.db'))
  expect(daysIn('old.db')).toEqual([today])
  expect(isAnywhere(yesterday)).toBe(false)
  expect(await open('old.db').salts.get(today)).toEqual(secretOf(today))
  copyKeys(at('site.db'), at('old.db'))
  expect(daysIn('old.db')).toEqual([today])
})

test.each(['missing', 'damaged'])('with a folder whose own file is %s a restore has none: the schedule makes new ones', async (what) => {
  const old = open('old.db')
  await old.salts.make(yesterday, secretOf(yesterday))
  old.db.close()
  if (what === 'damaged') writeFileSync(at('site.db'), 'no database')
  copyKeys(at('site.db'), at('old.db'))
  expect(daysIn('old.db')).toEqual([])
  expect(isAnywhere(yesterday)).toBe(false)
})

const site = 'a.example'
const anImport = { site, source: 'one', next: 9, begun: 1, at: 1, tally: emptyTally() }

test('a key of imports that was not used for long is nowhere any more', async () => {
  const { importKeys } = open()
  await importKeys.use(site, [{ day: yesterday, key: secretOf(yesterday) }], 0)
  await importKeys.use(site, [{ day: today, key: secretOf(today) }], 10)
  expect(await importKeys.dropUnused(5)).toBe(1)
  expect([isAnywhere(yesterday), isAnywhere(today)]).toEqual([false, true])
})

test('a copy has no keys of imports, and forgets where imports stand', async () => {
  const { db, importKeys, imports } = open()
  await importKeys.use(site, [{ day: today, key: secretOf(today) }], 0)
  await imports.advance(anImport, 1)
  await backup(db, at('copy.db'))
  const copy = new DatabaseSync(at('copy.db'))
  opened.push(copy)
  forgetKeys(copy)
  expect(isAnywhere(today, 'copy.db')).toBe(false)
  expect(await createImports(copy).imports.list(site, 9)).toEqual([])
  expect([await imports.list(site, 9), await importKeys.find(site, [today])]).toEqual([[anImport], [{ day: today, key: secretOf(today) }]])
})

test('a restored file goes on with the living keys, and its imports begin again', async () => {
  const { importKeys } = open()
  await importKeys.use(site, [{ day: today, key: secretOf(today) }], 7)
  const old = open('old.db')
  await old.importKeys.use(site, [{ day: yesterday, key: secretOf(yesterday) }], 0)
  await old.imports.advance(anImport, 1)
  old.db.close()
  copyKeys(at('site.db'), at('old.db'))
  const restored = open('old.db')
  expect(await restored.importKeys.find(site, [yesterday, today])).toEqual([{ day: today, key: secretOf(today) }])
  expect(await restored.importKeys.dropUnused(7)).toBe(0)
  expect(await restored.imports.find(site, 'one')).toBeUndefined()
  expect(isAnywhere(yesterday)).toBe(false)
})

test('a backup of an older format is given a place for the living keys', async () => {
  const { importKeys } = open()
  await importKeys.use(site, [{ day: today, key: secretOf(today) }], 7)
  mkdirSync(at('sent'))
  openDatabase({ ...formats.site, migrations: formats.site.migrations.slice(0, 1) }, { path: at('sent/site.db') }).close()
  keepKeys(folder.path, at('sent'))
  expect(await open('sent/site.db').importKeys.find(site, [today])).toEqual([{ day: today, key: secretOf(today) }])
})

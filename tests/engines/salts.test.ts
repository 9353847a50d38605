import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openDatabase } from '#shared/engines/sqlite/database.ts'
import { formats } from '#shared/engines/sqlite/formats.ts'
import { copySalts, createSites, forgetSalts } from '#shared/engines/sqlite/sites.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** A salt that is destroyed can be read nowhere: not in the file, not in its write-ahead log, not in a copy. */

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
  return { db, ...createSites(db) }
}
const isAnywhere = (day: number, prefix = '') =>
  readdirSync(folder.path).some((name) => name.startsWith(prefix) && readFileSync(at(name)).includes(secretOf(day)))
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
  forgetSalts(copy)
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
  copySalts(at('site.db'), at('old.db'))
  expect(daysIn('old.db')).toEqual([today])
  expect(isAnywhere(yesterday)).toBe(false)
  expect(await open('old.db').salts.get(today)).toEqual(secretOf(today))
  copySalts(at('site.db'), at('old.db'))
  expect(daysIn('old.db')).toEqual([today])
})

test.each(['missing', 'damaged'])('with a folder whose own file is %s a restore has none: the schedule makes new ones', async (what) => {
  const old = open('old.db')
  await old.salts.make(yesterday, secretOf(yesterday))
  old.db.close()
  if (what === 'damaged') writeFileSync(at('site.db'), 'no database')
  copySalts(at('site.db'), at('old.db'))
  expect(daysIn('old.db')).toEqual([])
  expect(isAnywhere(yesterday)).toBe(false)
})

import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { finishRestore, stageRestore } from '#shared/engines/sqlite/backup.ts'
import { backupOrder } from '#shared/engines/sqlite/formats.ts'
import { temporaryFolder } from '../fixtures/folder.ts'

/** A restore that is cut off at any move ends in the new files, with all old ones in `replaced/`. */

let folder: ReturnType<typeof temporaryFolder>
beforeEach(() => {
  folder = temporaryFolder()
  for (const name of backupOrder) {
    writeFileSync(at(`${name}.db`), `old ${name}`)
    writeFileSync(at(`${name}.db-wal`), `old ${name} wal`)
  }
  mkdirSync(at('sent'))
  for (const name of backupOrder) writeFileSync(at(`sent/${name}.db`), `new ${name}`)
  mkdirSync(at('replaced'))
  writeFileSync(at('replaced/log.db-shm'), 'of an earlier restore')
})
afterEach(() => folder.remove())
const at = (name: string) => join(folder.path, name)
const text = (name: string) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : undefined)

const expectRestored = () => {
  for (const name of backupOrder) {
    expect([text(`${name}.db`), text(`${name}.db-wal`)]).toEqual([`new ${name}`, undefined])
    expect([text(`replaced/${name}.db`), text(`replaced/${name}.db-wal`)]).toEqual([`old ${name}`, `old ${name} wal`])
  }
  expect([existsSync(at('restore-ready')), existsSync(at('replaced/log.db-shm'))]).toEqual([false, false])
}

test('in one go', () => {
  stageRestore(folder.path, at('sent'))
  finishRestore(folder.path)
  expectRestored()
  finishRestore(folder.path)
  expectRestored()
})

/** The moves in their order, as they are on the disk after a cut. */
const moves = backupOrder.flatMap((name) => [
  [`${name}.db-wal`, `replaced/${name}.db-wal`],
  [`${name}.db`, `replaced/${name}.db`],
  [`restore-ready/${name}.db`, `${name}.db`],
])
test.each(moves.map((_, done) => done + 1))('cut off after move %i', (done) => {
  stageRestore(folder.path, at('sent'))
  writeFileSync(at('restore-ready/started'), '')
  renameSync(at('replaced/log.db-shm'), at('gone'))
  for (const [from, to] of moves.slice(0, done)) renameSync(at(from!), at(to!))
  finishRestore(folder.path)
  expectRestored()
})

test('cut off while the emptied folder is removed: what was replaced stays', () => {
  stageRestore(folder.path, at('sent'))
  finishRestore(folder.path)
  mkdirSync(at('restore-ready'))
  finishRestore(folder.path)
  expectRestored()
})

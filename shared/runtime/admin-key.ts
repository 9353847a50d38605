import { chmodSync, closeSync, fsyncSync, openSync, readFileSync, renameSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Secrets } from '../ports/sites.ts'
import { hashOf, newKey } from '../site/access.ts'

/** File of the installation key: `own` on all sites, for the command line on the same machine. */
export const adminKeyPath = (folder: string): string => join(folder, 'admin.key')

/** What `newKey` makes; anything else in the file would become a secret that holds for everything. */
const keyForm = /^ff_own_[A-Za-z0-9_-]{43}$/

const readKey = (path: string): string | undefined => {
  let text: string
  try {
    text = readFileSync(path, 'utf8').trim()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new FootfallError('not-a-folder', { detail: `${path} cannot be read.`, cause })
  }
  if (text === '') return undefined
  if (keyForm.test(text)) return text
  const hint = 'Put the key back, or remove the file and start again: a new key is made.'
  throw new FootfallError('damaged-file', { detail: `${path} holds no key.`, hint })
}

/** Whole or not there: an earlier start may be killed, or the power cut, at any moment. */
const writeKey = (path: string, key: string): void => {
  const part = `${path}.part`
  const file = openSync(part, 'w', 0o600)
  try {
    writeSync(file, `${key}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  renameSync(part, path)
}

/** Makes an installation key known to the secrets. Throws `bad-setting` for a text that no `newKey` has made. */
export const ensureKey = async (key: string, secrets: Secrets, clock: Clock): Promise<void> => {
  if (!keyForm.test(key))
    throw new FootfallError('bad-setting', {
      detail: 'The installation key is none.',
      hint: 'Put a key as `footfall key new` prints it into the file that FOOTFALL_KEY_FILE names.',
    })
  const hash = hashOf(key)
  if (!(await secrets.find(hash)))
    await secrets.put({ hash, kind: 'key', role: 'own', site: '', label: 'installation', created: clock.now(), until: 0 })
}

/**
 * The installation key, made at the first start (mode 0600), and known to the secrets whatever backup they came from. A file that is
 * there is not written again: a power cut in the middle would take the key away.
 */
export const ensureAdminKey = async (folder: string, secrets: Secrets, clock: Clock): Promise<string> => {
  const path = adminKeyPath(folder)
  const held = readKey(path)
  const key = held ?? newKey('own', clock)
  if (held === undefined) writeKey(path, key)
  else if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
  await ensureKey(key, secrets, clock)
  return key
}

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import type { Secrets } from '../ports/sites.ts'
import { hashOf, newKey } from '../site/access.ts'

/** File of the installation key: `own` on all sites, for the command line on the same machine. */
export const adminKeyPath = (folder: string): string => join(folder, 'admin.key')

const readKey = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim() || undefined
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new FootfallError('not-a-folder', { detail: `${path} cannot be read.`, cause })
  }
}

/** The installation key, made at the first start (mode 0600), and known to the secrets whatever backup they came from. */
export const ensureAdminKey = async (folder: string, secrets: Secrets, clock: Clock): Promise<string> => {
  const path = adminKeyPath(folder)
  const key = readKey(path) ?? newKey('own', clock)
  writeFileSync(path, `${key}\n`, { mode: 0o600 })
  const hash = hashOf(key)
  if (!(await secrets.find(hash)))
    await secrets.put({ hash, kind: 'key', role: 'own', site: '', label: 'installation', created: clock.now(), until: 0 })
  return key
}

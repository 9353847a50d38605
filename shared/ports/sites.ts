import type { SiteConfig } from '../site/config.ts'

/** sites — what is configured: site versions, daily salts, secrets. Rows are insert-only unless said otherwise. */

export type Sites = {
  /** The newest version, also of a removed site (`removed` is set). */
  find(site: string): Promise<SiteConfig | undefined>
  /** Exactly this version. */
  at(site: string, version: number): Promise<SiteConfig | undefined>
  /** The newest version of every site that is not removed, by name. */
  list(): Promise<SiteConfig[]>
  /** Inserts a version; `stale` when that version exists already. Atomic. */
  put(config: SiteConfig): Promise<'done' | 'stale'>
}

export type Salts = {
  /** Salt of a date YYYYMMDD. */
  get(day: number): Promise<Buffer | undefined>
  /** Inserts if absent and answers the salt that stands. Atomic. */
  make(day: number, value: Buffer): Promise<Buffer>
  /** Destroys the salts of dates before `day`, unreadably; answers how many went. Throws `store-unavailable` when a copy is still left. */
  dropBefore(day: number): Promise<number>
}

/** Something whose plain text only its owner holds. `hash` is the SHA-256 of that text, hex. */
export type Secret = {
  hash: string
  kind: 'key' | 'link' | 'session'
  role: 'read' | 'write' | 'own'
  /** Site it holds for; '' = all. */
  site: string
  /** First characters, for lists. */
  label: string
  created: number
  /** Expires at, ms UTC; 0 = never. */
  until: number
}

export type Secrets = {
  find(hash: string): Promise<Secret | undefined>
  put(secret: Secret): Promise<void>
  /** Removes it and answers it; of two callers only one is given it. Atomic. */
  take(hash: string): Promise<Secret | undefined>
  list(kind: Secret['kind']): Promise<Secret[]>
  /** Removes what expired before `now`; answers how many went. */
  dropExpired(now: number): Promise<number>
}

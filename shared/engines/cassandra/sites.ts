import { createHash } from 'node:crypto'
import type { types } from 'cassandra-driver'
import type { Salts, Secret, Secrets, Sites } from '../../ports/sites.ts'
import type { SiteConfig } from '../../site/config.ts'
import { type Database, statement } from './database.ts'
import { eachAtOnce } from './slots.ts'

/**
 * sites, salts and secrets on Cassandra. A table of these is only written conditionally, or the order of its writes would hang on two kinds
 * of clocks (a client's, and that of Paxos).
 */

const parse = (row: types.Row | undefined): SiteConfig | undefined => row && (JSON.parse(row['doc']) as SiteConfig)

/**
 * Sites lie on so many shelves (partitions), whose order is that of the list. A list of all of them so is a few reads of whole partitions,
 * at which a dead replica is passed over, as it is not where a whole table is read; and it is the truth itself: no second table of
 * names could be behind it.
 */
const siteShelves = 16
const shelves = Array.from({ length: siteShelves }, (_, shelf) => shelf)
const shelvesAtOnce = 8
const shelfOf = (site: string): number => createHash('sha256').update(site).digest()[0]! % siteShelves

export const createSites = (db: Database): Sites => {
  const on = 'FROM site_cfg WHERE shelf = ?'
  return {
    find: async (site) => parse(await db.row(statement(`SELECT doc ${on} AND site = ? LIMIT 1`, shelfOf(site), site))),
    at: async (site, version) => parse(await db.row(statement(`SELECT doc ${on} AND site = ? AND ver = ?`, shelfOf(site), site, version))),
    list: async () => {
      // Of a site the first row is the newest version.
      const rows = await eachAtOnce(shelves, shelvesAtOnce, (shelf) => db.rows(statement(`SELECT doc ${on} GROUP BY site`, shelf)))
      const newest = rows.flat().map((row) => parse(row)!)
      return newest.filter(({ removed }) => !removed).sort((a, b) => (a.site < b.site ? -1 : 1))
    },
    put: async (config) => {
      const query = 'INSERT INTO site_cfg (shelf, site, ver, doc) VALUES (?, ?, ?, ?) IF NOT EXISTS'
      const { site, version } = config
      return (await db.change(statement(query, shelfOf(site), site, version, JSON.stringify(config)))).applied ? 'done' : 'stale'
    },
  }
}

/** All salts lie on one shelf: there are never more than a dozen. */
const saltShelf = 0

export const createSalts = (db: Database): Salts => {
  const get: Salts['get'] = async (day) =>
    (await db.row(statement('SELECT value FROM salt WHERE shelf = ? AND day = ?', saltShelf, day)))?.['value'] ?? undefined

  return {
    get,
    make: async (day, value) => {
      const query = 'INSERT INTO salt (shelf, day, value) VALUES (?, ?, ?) IF NOT EXISTS'
      const { applied, row } = await db.change(statement(query, saltShelf, day, value))
      return applied ? value : row!['value']
    },
    dropBefore: async (day) => {
      const old = await db.rows(statement('SELECT day FROM salt WHERE shelf = ? AND day < ?', saltShelf, day))
      let gone = 0
      for (const row of old) {
        const { applied } = await db.change(statement('DELETE FROM salt WHERE shelf = ? AND day = ? IF EXISTS', saltShelf, row['day']))
        if (applied) gone++
      }
      return gone
    },
  }
}

/** Secrets that are deleted at once. */
const dropsAtOnce = 4

const secretOf = (row: types.Row): Secret => ({
  hash: row['hash'],
  kind: row['kind'],
  role: row['role'],
  site: row['site'],
  label: row['label'],
  created: Number(row['created']),
  until: Number(row['until']),
})

export const createSecrets = (db: Database): Secrets => {
  const columns = 'hash, kind, role, site, label, created, until'
  const find: Secrets['find'] = async (hash) => {
    const row = await db.row(statement(`SELECT ${columns} FROM secret WHERE hash = ?`, hash))
    return row && secretOf(row)
  }
  /** Few thousands: keys and links of people, and their sessions at the page. */
  const all = async (): Promise<Secret[]> => (await db.rows(statement(`SELECT ${columns} FROM secret`))).map(secretOf)

  return {
    find,
    put: async ({ hash, kind, role, site, label, created, until }) => {
      const insert = `INSERT INTO secret (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?) IF NOT EXISTS`
      const replace = 'UPDATE secret SET kind = ?, role = ?, site = ?, label = ?, created = ?, until = ? WHERE hash = ? IF EXISTS'
      for (;;) {
        if ((await db.change(statement(insert, hash, kind, role, site, label, created, until))).applied) return
        // Where it was taken in between, it is put again.
        if ((await db.change(statement(replace, kind, role, site, label, created, until, hash))).applied) return
      }
    },
    take: async (hash) => {
      const found = await find(hash)
      if (!found) return undefined
      return (await db.change(statement('DELETE FROM secret WHERE hash = ? IF EXISTS', hash))).applied ? found : undefined
    },
    list: async (kind) =>
      (await all()).filter((one) => one.kind === kind).sort((a, b) => a.created - b.created || (a.hash < b.hash ? -1 : 1)),
    dropExpired: async (now) => {
      const expired = (await all()).filter(({ until }) => until !== 0 && until < now)
      const drop = 'DELETE FROM secret WHERE hash = ? IF until = ?'
      const ends = await eachAtOnce(expired, dropsAtOnce, ({ hash, until }) => db.change(statement(drop, hash, until)))
      return ends.filter(({ applied }) => applied).length
    },
  }
}

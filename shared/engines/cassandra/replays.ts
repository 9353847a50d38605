import type { types } from 'cassandra-driver'
import type { ReplayOrder, Replays } from '../../ports/replays.ts'
import { type Database, statement } from './database.ts'

/**
 * Orders of replays on Cassandra: all of them in one partition, since all are asked for together at every tick, in the order in which they
 * are kept. Each write is conditional.
 */
const shelf = 0

const parse = (row: types.Row): ReplayOrder => ({ ...(JSON.parse(row['doc']) as Omit<ReplayOrder, 'wanted'>), wanted: row['wanted'] })

export const createReplays = (db: Database): Replays => {
  const ofSite = async (site: string): Promise<ReplayOrder[]> =>
    (await db.rows(statement('SELECT wanted, doc FROM replay WHERE shelf = ? AND site = ? ORDER BY site DESC, ver DESC', shelf, site))).map(
      parse,
    )
  const find: Replays['find'] = async (site, id) => (await ofSite(site)).find((order) => order.id === id)

  return {
    put: async ({ wanted, ...rest }) => {
      const query = 'INSERT INTO replay (shelf, site, ver, id, wanted, doc) VALUES (?, ?, ?, ?, ?, ?) IF NOT EXISTS'
      const { applied } = await db.change(statement(query, shelf, rest.site, rest.ver, rest.id, wanted, JSON.stringify(rest)))
      return applied ? 'done' : 'stale'
    },
    find,
    list: ofSite,
    all: async () => (await db.rows(statement('SELECT wanted, doc FROM replay WHERE shelf = ?', shelf))).map(parse),
    want: async (site, id, was, now) => {
      const order = await find(site, id)
      if (!order) return 'stale'
      const query = 'UPDATE replay SET wanted = ? WHERE shelf = ? AND site = ? AND ver = ? IF wanted = ?'
      const { applied } = await db.change(statement(query, now, shelf, site, order.ver, was))
      return applied ? 'done' : 'stale'
    },
  }
}

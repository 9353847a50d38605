import type { types } from 'cassandra-driver'
import type { Generation, GenerationChanges } from '../../ports/generations.ts'
import { type Database, statement } from './database.ts'

/** generations on Cassandra: all of them in one partition, since all are asked for together. Each write is conditional. */
const shelf = 0

const parse = (row: types.Row): Generation => ({
  ...(JSON.parse(row['doc']) as Pick<Generation, 'partitions' | 'hits' | 'ids'>),
  number: row['number'],
  state: row['state'],
  at: Number(row['at']),
})

export const createGenerations = (db: Database): GenerationChanges => ({
  list: async () =>
    (await db.rows(statement('SELECT number, state, at, doc FROM generation WHERE shelf = ? ORDER BY number ASC', shelf))).map(parse),
  add: async ({ number, state, at, ...rest }) => {
    const query = 'INSERT INTO generation (shelf, number, state, at, doc) VALUES (?, ?, ?, ?, ?) IF NOT EXISTS'
    return (await db.change(statement(query, shelf, number, state, at, JSON.stringify(rest)))).applied ? 'done' : 'stale'
  },
  move: async (number, was, now, at) => {
    const query = 'UPDATE generation SET state = ?, at = ? WHERE shelf = ? AND number = ? IF state = ?'
    return (await db.change(statement(query, now, at, shelf, number, was))).applied ? 'done' : 'stale'
  },
})

import { createRandom } from '../model/random.ts'
import { anyWorld, plainQuestion, randomQuery, wholeDays } from './seeded.ts'
import { randomQuestion, sqlWorld } from './sql-questions.ts'
import type { openStored } from './stored.ts'

/** The questions of columns.test.ts, cells.test.ts and duckdb.test.ts, seed by seed, to sites that lie in stores. */

type Compare = Awaited<ReturnType<typeof openStored>>

const times = <T>(n: number, make: () => T): T[] => Array.from({ length: n }, make)

/** Questions of each world. */
export const questionsEach = { any: 5, wholeDays: 8, sql: 4 } as const

/** Compares what is answered of the three worlds of a seed; how their rows lie follows from the seed too. */
export const compareSeed = async (compare: Compare, seed: number): Promise<void> => {
  const lying = createRandom(130_000 + seed)
  const any = anyWorld(seed)
  const asked = times(questionsEach.any, () => {
    const query = randomQuery(any.random, any.night)
    any.random.chance(0.5) // columns.test.ts asks here how rows lie
    return query
  })
  await compare(`any${seed}.example`, any, asked, lying)
  const whole = wholeDays(seed)
  const plain = times(questionsEach.wholeDays, () => plainQuestion(whole.random, whole.days))
  await compare(`days${seed}.example`, whole, plain, lying)
  const sql = sqlWorld(seed)
  const questions = times(questionsEach.sql, () => ({ ...randomQuestion(sql.random, sql.at, sql.hasEmpty) }))
  await compare(`sql${seed}.example`, { ...sql, now: new Date(sql.now).toISOString() }, questions, lying)
}

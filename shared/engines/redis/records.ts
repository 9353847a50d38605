import type { RollupFence } from '../../ports/memtables.ts'
import type { Block } from '../../segment/row.ts'
import { fieldOf, numberAt, numberOf, stringAt } from './replies.ts'

/**
 * How rollup's state lies in Redis. Keys of partition 17, where 3f… names the state that stands:
 *   {r17}:f                      fence and name of the state
 *   {r17}:3f…:m                  `site day` → record: memtable and sealed copies (lua/record.lua)
 *   {r17}:3f…:rows bytes born first sealed    where to look among the records
 *   {r17}:3f…:d:<site>           days that the site has blocks of
 *   {r17}:3f…:p:<site> <day>     its blocks in order: `from to rows bytes characters`
 *   {r17}:3f…:b:<site> <day>     their bodies by `from`
 *   {r17}:3f…:rt:<site>          visitors by when they were last seen
 *   {r17}:3f…:min:<site>         minute → `pageviews events visits`
 *   {r17}:3f…:live               sites with either
 *   {r17}:old                    states that were given up and are not yet deleted
 */
export const tagOf = (partition: number): string => `{r${partition}}:`
export const fenceKey = (partition: number): string => `${tagOf(partition)}f`
export const prefixOf = (partition: number, state: string): string => `${tagOf(partition)}${state}:`
/** No site has a blank in its name. */
export const nameOf = (site: string, day: number): string => `${site} ${day}`

/** What a script may write that changes a record. */
export const recordKeys = (prefix: string): string[] => ['m', 'rows', 'bytes', 'born', 'first', 'sealed'].map((key) => prefix + key)
/** What a script may write that changes the blocks of a site's day. */
export const blockKeys = (prefix: string, site: string, day: number): string[] => [
  `${prefix}b:${nameOf(site, day)}`,
  `${prefix}p:${nameOf(site, day)}`,
  `${prefix}d:${site}`,
]

export const fenceOf = (fields: ReadonlyMap<string, string>): RollupFence => {
  const number = (name: string) => numberOf(fieldOf(fields, name))
  return { gen: number('gen'), topic: fieldOf(fields, 'topic'), next: number('next'), src: number('src'), logTime: number('logTime') }
}

export type Copy = { from: number; to: number; rows: number; at: number }
export type HotRecord = { site: string; day: number; base: number; rows: number; bytes: number; born: number; copies: Copy[] }

const numbersOf = (line: string): number[] => line.split(' ').map(numberOf)

/** `name` is `site day`, `packed` a record. */
export const recordOf = (name: string, packed: string): HotRecord => {
  const [site, day] = name.split(' ')
  const [memtable, ...copies] = packed.split('\n').map(numbersOf)
  const [base, , , rows, bytes, born] = memtable!
  return {
    ...{ site: site!, day: numberOf(day ?? ''), base: base!, rows: rows!, bytes: bytes!, born: born! },
    copies: copies.map(([from, to, , , copied, at]) => ({ from: from!, to: to!, rows: copied!, at: at! })),
  }
}

/** `place` is `from to rows bytes characters`. */
export const blockOf = (site: string, day: number, place: string, body: string): Block => {
  const parts = place.split(' ')
  return { site, day, from: numberAt(parts, 0), to: numberAt(parts, 1), rows: numberAt(parts, 2), body: stringAt([body], 0) }
}

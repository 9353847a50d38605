import type { Props } from '../hit/record.ts'
import type { Built, Dictionaries, Finals } from './columns.ts'
import { createTextColumn, textHead } from './columns.ts'
import { propColumn, propKeys, propRest } from './fields.ts'
import { type Growing, growingCodes } from './growing.ts'
import { toPlanes, widthOf } from './planes.ts'
import type { Steps } from './steps.ts'
import { createDictionary, type Dictionary } from './texts.ts'

/**
 * Properties of hits. The commonest keys have a column each, what is left of a hit goes together as JSON. Anyone may send any key: so
 * only so many are counted, and the keys that come after them are left over at once.
 */
export const propLimits = { columns: 50, counted: 4_096 } as const

type Value = Props[string]
/** Where a key occurs, and with what. Most hits have no properties: only those that have the key are listed. */
type Counted = { hits: Growing<Uint32Array>; codes: Growing<Uint32Array>; dictionary: Dictionary }

/** Values keep their type in front of their text: `sfree`, `n12.5`, `btrue`. Behind it they read as `String(value)` does. */
const tagged = (value: Value): string => `${typeof value === 'string' ? 's' : typeof value === 'number' ? 'n' : 'b'}${value}`
export const untagged = (text: string): Value => {
  const value = text.slice(1)
  return text[0] === 's' ? value : text[0] === 'n' ? Number(value) : value === 'true'
}

/**
 * A list of pairs and no object: V8 of Node.js 24 reads a key of one escaped character as `\\` once it has read an object of the same
 * shape with that key (nodejs/node#63785).
 */
const restText = (pairs: readonly (readonly [string, Value])[]): string => JSON.stringify(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)))
export const restOf = (text: string): [string, Value][] => JSON.parse(text)

export const createPropColumns = (dictionaries: Dictionaries) => {
  const keys = createTextColumn(propKeys.column, propKeys.dictionary, dictionaries)
  const counted = new Map<string, Counted>()
  const rest = new Map<number, [string, Value][]>()
  let hits = 0

  const leave = (hit: number, key: string, value: Value): void => {
    const pairs = rest.get(hit)
    if (pairs) pairs.push([key, value])
    else rest.set(hit, [[key, value]])
  }

  const put = (key: string, value: Value): void => {
    let own = counted.get(key)
    if (!own) {
      if (counted.size === propLimits.counted) return leave(hits, key, value)
      own = { hits: growingCodes(), codes: growingCodes(), dictionary: createDictionary() }
      counted.set(key, own)
    }
    own.hits.push(hits)
    own.codes.push(own.dictionary.codeOf(tagged(value)))
  }

  /** The keys that get a column, by name; what hits have of the others is left over. */
  function* chosen(): Steps<[string, Counted][]> {
    const ranked = [...counted].sort(([a, one], [b, other]) => other.hits.length - one.hits.length || (a < b ? -1 : 1))
    for (const [key, own] of ranked.slice(propLimits.columns)) {
      giveUp(key, own)
      yield
    }
    return ranked.slice(0, propLimits.columns).sort(([a], [b]) => (a < b ? -1 : 1))
  }

  const giveUp = (key: string, { hits, codes, dictionary }: Counted): void => {
    const { texts, final } = dictionary.done()
    const [where, what] = [hits.slice(0, hits.length), codes.slice(0, codes.length)]
    for (let i = 0; i < where.length; i++) leave(where[i]!, key, untagged(texts[final[what[i]!]! - 1]!))
  }

  return {
    push(props: Props | undefined): void {
      const own = props && Object.keys(props).filter((key) => props[key] !== undefined)
      keys.push(own && JSON.stringify(own.sort()))
      for (const key of own ?? []) put(key, props![key]!)
      hits++
    },
    /** The rest goes into its dictionary; to be called before dictionaries are done. In steps, as all that takes long with many rows. */
    *close(): Steps<{ keys: string[]; done(finals: Finals): { built: Built[]; own: Finals } }> {
      const columns = yield* chosen()
      const restColumn = createTextColumn(propRest.column, propRest.dictionary, dictionaries)
      if (rest.size > 0) for (let hit = 0; hit < hits; hit++) restColumn.push(rest.has(hit) ? restText(rest.get(hit)!) : undefined)
      const own = new Map<string, ReturnType<Dictionary['done']>>()
      for (const [n, [, { dictionary }]] of columns.entries()) {
        own.set(propColumn(n).dictionary, dictionary.done())
        yield
      }
      const done = (finals: Finals) => ({
        own,
        built: [
          ...keys.done(finals),
          ...columns.map(([, column], n) => sparse(n, column, own.get(propColumn(n).dictionary)!)),
          ...restColumn.done(finals),
        ],
      })
      return { keys: columns.map(([key]) => key), done }
    },
  }
}

/** A column of which the hits that have a value are known. */
const sparse = (n: number, { hits, codes }: Counted, { texts, final }: { texts: string[]; final: Uint32Array }): Built => {
  const { column, dictionary } = propColumn(n)
  const width = widthOf(texts.length)
  const [where, what] = [hits.slice(0, hits.length), codes.slice(0, codes.length)]
  const raw = (from: number, to: number) => {
    const all = new Uint32Array(to - from)
    for (let i = firstAt(where, from); i < where.length && where[i]! < to; i++) all[where[i]! - from] = final[what[i]!]!
    return toPlanes(all, width)
  }
  return { head: textHead(column, dictionary, width), raw }
}

const firstAt = (sorted: ArrayLike<number>, least: number): number => {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if (sorted[middle]! < least) from = middle + 1
    else to = middle
  }
  return from
}

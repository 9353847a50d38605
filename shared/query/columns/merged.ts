import { hash } from 'node:crypto'
import type { Cache } from './cache.ts'
import { type Order, orderOf } from './order.ts'
import { type Identity, type NumberColumn, type Rows, type Table, type TextColumn, valueAt } from './table.ts'

/**
 * Several intervals of one day as one table. Of a visit that several of them have, the row of the newest event offset stands, and the
 * hits of all of them are its hits (segment/merge.ts): so columns of `s.` are gathered from the rows that stand, and columns of `h.` from
 * the hits of all rows, visit by visit.
 */

/** Its name follows from those of its parts: what was gathered of the same parts before is found in the cache. */
export const mergedTable = (parts: readonly Table[], cache: Cache): Table => {
  const [{ day }] = parts as [Table]
  const name = hash('sha1', parts.map((part) => part.name).join('\n'))
  const key = (what: string): string => `${name} ${what}`
  let order: Promise<Order> | undefined
  const ordered = (): Promise<Order> => {
    // A store that failed once may be there when it is asked again.
    order ??= cachedOrder().catch((error) => {
      order = undefined
      throw error
    })
    return order
  }
  const cachedOrder = async (): Promise<Order> => {
    const known = cache.get<Order>(key('order'))
    if (known) return known
    const made = await orderOf(parts)
    return cache.put(key('order'), made, 10 * made.hits.index.length + 30 * made.visitors.length)
  }

  const loadSources = async (columns: readonly string[]): Promise<Rows[]> => {
    const { sources } = await ordered()
    const loaded: Rows[] = []
    for (const { part, group } of sources) loaded.push(await parts[part]!.load(group, columns))
    return loaded
  }

  const kindOf = (column: string) => parts.map((part) => part.kindOf(column)).find((kind) => kind !== undefined)

  /** One dictionary of all parts; `to[part][code]` is the code in it. */
  const textsOf = async (column: string): Promise<{ texts: string[]; to: Uint32Array[] }> => {
    const known = cache.get<{ texts: string[]; to: Uint32Array[] }>(key(`texts ${column}`))
    if (known) return known
    const texts = ['']
    const codes = new Map<string, number>()
    const to: Uint32Array[] = []
    for (const part of parts) {
      const own = part.kindOf(column) === 'text' ? await part.texts(column) : ['']
      to.push(Uint32Array.from(own, (text, code) => (code === 0 ? 0 : codeOf(codes, texts, text))))
    }
    return cache.put(key(`texts ${column}`), { texts, to }, textsBytes(texts))
  }

  const gatherTexts = async (column: string): Promise<TextColumn> => {
    const { texts, to } = await textsOf(column)
    const known = cache.get<Uint32Array>(key(column))
    if (known) return { codes: known, texts }
    const { sources, rows, hits } = await ordered()
    const loaded = await loadSources([column])
    const { source, index } = column.startsWith('s.') ? rows : hits
    const codesOf = loaded.map((one) => one.text(column)?.codes)
    const toOf = sources.map(({ part }) => to[part]!)
    const codes = new Uint32Array(index.length)
    for (let i = 0; i < codes.length; i++) {
      const from = source[i]!
      codes[i] = toOf[from]![codesOf[from]?.[index[i]!] ?? 0]!
    }
    return { codes: cache.put(key(column), codes, codes.byteLength), texts }
  }

  const gatherNumbers = async (column: string): Promise<NumberColumn> => {
    const known = cache.get<NumberColumn>(key(column))
    if (known) return known
    const { rows, hits } = await ordered()
    const loaded = await loadSources([column])
    const { source, index } = column.startsWith('s.') ? rows : hits
    const columns = loaded.map((one) => one.number(column))
    const values = new Float64Array(index.length)
    let least = Number.POSITIVE_INFINITY
    for (let i = 0; i < values.length; i++) {
      const value = valueAt(columns[source[i]!], index[i]!) ?? Number.NaN
      values[i] = value
      if (value < least) least = value
    }
    const base = least === Number.POSITIVE_INFINITY ? 0 : least - 1
    for (let i = 0; i < values.length; i++) values[i] = Number.isNaN(values[i]) ? 0 : values[i]! - base
    return cache.put(key(column), { values, base, nullable: true }, values.byteLength)
  }

  const identityOf = async (): Promise<(row: number) => Identity> => {
    const { sources, rows } = await ordered()
    const readers = await Promise.all(sources.map(({ part, group }) => parts[part]!.identityOf(group)))
    return (row) => readers[rows.source[row]!]!(rows.index[row]!)
  }

  return {
    name,
    day,
    rows: parts.reduce((sum, { rows }) => sum + rows, 0),
    groups: [{ rows: parts.reduce((sum, { rows }) => sum + rows, 0), from: 0, to: 2 ** 48 }],
    kindOf,
    texts: async (column) => (kindOf(column) === 'text' ? (await textsOf(column)).texts : []),
    async load(_group, columns): Promise<Rows> {
      const { visitors, firstHit } = await ordered()
      const texts = new Map<string, TextColumn>()
      const numbers = new Map<string, NumberColumn>()
      for (const column of new Set(columns)) {
        const kind = kindOf(column)
        if (kind === 'text') texts.set(column, await gatherTexts(column))
        if (kind === 'number') numbers.set(column, await gatherNumbers(column))
      }
      return {
        rows: visitors.length,
        hits: firstHit.at(-1)!,
        visitors,
        firstHit,
        text: (column) => texts.get(column),
        number: (column) => numbers.get(column),
      }
    },
    bytesOf: (_group, columns) =>
      parts.reduce((sum, part) => {
        const own = part.groups.map((_, group) => part.bytesOf(group, columns))
        return own.reduce((all, bytes) => all + 2 * bytes, sum)
      }, 0),
    async identities(_group, indices) {
      const of = await identityOf()
      return indices.map(of)
    },
    identityOf,
    cells: undefined,
    async propsOf() {
      const { sources, hits } = await ordered()
      const readers = await Promise.all(sources.map(({ part, group }) => parts[part]!.propsOf(group)))
      return (hit) => readers[hits.source[hit]!]!(hits.index[hit]!)
    },
  }
}

const textsBytes = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + 2 * length + 64, 0)

const codeOf = (codes: Map<string, number>, texts: string[], text: string): number => {
  const known = codes.get(text)
  if (known !== undefined) return known
  codes.set(text, texts.length)
  return texts.push(text) - 1
}

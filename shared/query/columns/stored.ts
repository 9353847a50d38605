import type { Props } from '../../hit/record.ts'
import { damaged } from '../../segment/damaged.ts'
import { idText, ownNumbers, propRest, visitorColumn } from '../../segment/fields.ts'
import { hashText } from '../../segment/groups.ts'
import { restOf, untagged } from '../../segment/props.ts'
import {
  type Column,
  decodeChunk,
  decodeDictionary,
  dictionaryChunks,
  groupRange,
  hasChunks,
  openSegment,
  type SegmentReader,
} from '../../segment/read.ts'
import type { Cache } from './cache.ts'
import { storedCells } from './stored-cells.ts'
import {
  type Identity,
  type NumberColumn,
  propKeyOf,
  type Rows,
  type Table,
  type TextColumn,
  textAt,
  timeColumn,
  valueAt,
} from './table.ts'

/** A stored segment as a table: chunks are fetched for the columns that are asked for, and kept decoded as long as there is room. */

export type ChunkName = { column: string; group: number }
/** Fetches chunks, in the order asked. */
export type FetchChunks = (chunks: readonly ChunkName[]) => Promise<(Buffer | undefined)[]>

const bytesOf = (column: Column): number => (column.kind === 'text' ? column.codes.byteLength : column.values.byteLength)
const textsBytes = (texts: readonly string[]): number => texts.reduce((sum, { length }) => sum + 2 * length + 24, 0)

/** Physical columns behind a logical one. */
const sourcesOf = (reader: SegmentReader, column: string): string[] => {
  if (column === timeColumn) return [ownNumbers.start, ownNumbers.after]
  const key = propKeyOf(column)
  if (key === undefined) return [column]
  const own = reader.props.get(key)
  return [own ?? propRest.column]
}

/** Values of one property, by the codes of the column that holds it: its own, or the one in which rare keys lie together. */
const propTexts = (reader: SegmentReader, key: string, texts: readonly string[]): string[] => {
  const isOwn = reader.props.has(key)
  return texts.map((text, code) => {
    if (code === 0) return ''
    if (isOwn) return String(untagged(text))
    const value = restOf(text).find(([name]) => name === key)?.[1]
    return value === undefined ? '' : String(value)
  })
}

export const storedTable = (named: { name: string; day: number }, head: Buffer, fetch: FetchChunks, cache: Cache): Table => {
  const reader = openSegment(head)
  const { name } = named
  const keyOf = (what: string, group: number) => `${name} ${group} ${what}`

  const texts = async (column: string): Promise<readonly string[]> => {
    const known = cache.get<readonly string[]>(keyOf(`texts ${column}`, 0))
    if (known) return known
    const [source] = sourcesOf(reader, column)
    const found = reader.columns.get(source!)
    if (found?.kind !== 'text') return []
    const dictionary = found.dictionary
    const held = cache.get<readonly string[]>(keyOf(`dictionary ${dictionary}`, 0)) ?? (await readTexts(dictionary))
    const key = propKeyOf(column)
    if (key === undefined) return held
    const own = propTexts(reader, key, held)
    return cache.put(keyOf(`texts ${column}`, 0), own, textsBytes(own))
  }

  const readTexts = async (dictionary: string): Promise<readonly string[]> => {
    const read = decodeDictionary(reader, dictionary, await fetch(dictionaryChunks(reader, dictionary)))
    return cache.put(keyOf(`dictionary ${dictionary}`, 0), read, textsBytes(read))
  }

  /** Decoded physical columns of one group. */
  const columnsOf = async (group: number, columns: Iterable<string>): Promise<Map<string, Column>> => {
    const there = [...new Set(columns)].filter((column) => reader.columns.has(column))
    const found = new Map<string, Column>()
    for (const column of there) {
      const known = cache.get<Column>(keyOf(column, group))
      if (known) found.set(column, known)
    }
    const missing = there.filter((column) => !found.has(column))
    const stored = missing.filter((column) => hasChunks(reader, column))
    const chunks = stored.length === 0 ? [] : await fetch(stored.map((column) => ({ column, group })))
    for (const column of missing) {
      const decoded = decodeChunk(reader, column, group, chunks[stored.indexOf(column)])
      if (decoded) found.set(column, cache.put(keyOf(column, group), decoded, bytesOf(decoded)))
    }
    return found
  }

  const load = async (group: number, columns: readonly string[]): Promise<Rows> => {
    const { rows, hits } = reader.groups[group]!
    const sources = columns.flatMap((column) => sourcesOf(reader, column))
    const isOfHits = columns.some((column) => column.startsWith('h.'))
    const found = await columnsOf(group, [visitorColumn, ...(isOfHits ? [ownNumbers.hits] : []), ...sources])
    const dictionaries = new Map<string, readonly string[]>()
    for (const column of columns)
      if (found.get(sourcesOf(reader, column)[0]!)?.kind === 'text') dictionaries.set(column, await texts(column))
    const numberOf = (column: string): NumberColumn | undefined => {
      const values = found.get(column)
      if (values && values.kind !== 'number') throw damaged(`Column ${column}`, 'it is no number')
      return values
    }
    const visitors = found.get(visitorColumn)
    const readEdges = (): Uint32Array =>
      cache.get<Uint32Array>(keyOf('firstHit', group)) ??
      cache.put(keyOf('firstHit', group), edgesOf(numberOf(ownNumbers.hits), rows, hits), 4 * rows)
    const firstHit = isOfHits ? readEdges() : noEdges
    const times = (): NumberColumn => {
      const known = cache.get<Float64Array>(keyOf(timeColumn, group))
      const values =
        known ?? cache.put(keyOf(timeColumn, group), timesOf(numberOf(ownNumbers.start)!, numberOf(ownNumbers.after)!, firstHit), 8 * hits)
      return { values, base: 0, nullable: false }
    }
    return {
      rows,
      hits,
      visitors: visitors?.kind === 'hash' ? visitors.values : new Float64Array(0),
      firstHit,
      text(column): TextColumn | undefined {
        const values = found.get(sourcesOf(reader, column)[0]!)
        if (!values) return undefined
        if (values.kind !== 'text') throw damaged(`Column ${column}`, 'it is no text')
        return { codes: values.codes, texts: dictionaries.get(column)! }
      },
      number: (column) => (column === timeColumn ? (hits === 0 ? undefined : times()) : numberOf(column)),
    }
  }

  const identityOf = async (group: number): Promise<(row: number) => Identity> => {
    const { off, partition, source, nth, days, day, dayHash } = ownNumbers
    const found = await columnsOf(group, [visitorColumn, off, partition, source, nth, days, day, dayHash, idText.column])
    const number = (column: string) => found.get(column) as NumberColumn | undefined
    const ids = found.get(idText.column)
    const idTexts = ids?.kind === 'text' ? { codes: ids.codes, texts: await texts(idText.column) } : undefined
    const { values: visitors } = found.get(visitorColumn) as { values: Float64Array }
    const edges = edgesOf(number(days), reader.groups[group]!.rows, reader.groups[group]!.days)
    return (i) => {
      const at = valueAt(number(off), i) ?? 0
      const text = textAt(idTexts, i)
      const parts = () => [valueAt(number(partition), i)!, at - valueAt(number(source), i)!, valueAt(number(nth), i)!]
      const first = edges[i]!
      return {
        id:
          text !== ''
            ? text
            : parts()
                .map((n) => n.toString(36))
                .join('-'),
        off: at,
        day: valueAt(number(day), first) ?? 0,
        vis: hashText(visitors[i]! + (valueAt(number(dayHash), first) ?? 0)),
      }
    }
  }

  const propsOf = async (group: number): Promise<(hit: number) => [string, Props[string]][]> => {
    const found = await columnsOf(group, [...reader.props.values(), propRest.column])
    const textOf = async (column: string): Promise<TextColumn | undefined> => {
      const values = found.get(column)
      return values?.kind === 'text' ? { codes: values.codes, texts: await texts(column) } : undefined
    }
    const own: { key: string; values: TextColumn }[] = []
    for (const [key, column] of reader.props) {
      const values = await textOf(column)
      if (values) own.push({ key, values })
    }
    const rest = await textOf(propRest.column)
    return (hit) => {
      const text = textAt(rest, hit)
      const pairs: [string, Props[string]][] = text === '' ? [] : restOf(text)
      for (const { key, values } of own) if (values.codes[hit] !== 0) pairs.push([key, untagged(textAt(values, hit))])
      return pairs.sort(([a], [b]) => (a < b ? -1 : 1))
    }
  }

  return {
    ...named,
    rows: reader.rows,
    groups: reader.groups.map(({ rows }, group) => ({ rows, ...groupRange(reader, group) })),
    kindOf(column) {
      const kind = reader.columns.get(sourcesOf(reader, column)[0]!)?.kind
      return kind === 'hash' ? undefined : kind
    },
    texts,
    load,
    async identities(group, indices) {
      const of = await identityOf(group)
      return indices.map(of)
    },
    identityOf,
    propsOf,
    cells: storedCells(named, reader, fetch, cache, (edge, own, fetchOwn) => storedTable(edge, own, fetchOwn, cache)),
    bytesOf(group, columns) {
      const { rows, hits } = reader.groups[group]!
      const sources = new Set(columns.flatMap((column) => sourcesOf(reader, column)))
      let bytes = 16 * rows + (columns.includes(timeColumn) ? 8 * hits : 0)
      for (const source of sources) {
        const head = reader.columns.get(source)
        if (head) bytes += (2 * head.width + 8) * (source.startsWith('s.') ? rows : hits)
        const parts = head?.kind === 'text' ? (reader.dictionaries.get(head.dictionary)?.parts ?? []) : []
        for (const [count, raw] of parts) bytes += 40 * count + 2 * raw
      }
      return bytes
    },
  }
}

const noEdges = new Uint32Array(0)

/** Where the lines of each row begin, from how many it has. */
const edgesOf = (counts: NumberColumn | undefined, rows: number, all: number): Uint32Array => {
  const edges = new Uint32Array(rows + 1)
  const { values, base } = counts ?? { values: edges, base: 0 }
  let sum = 0
  for (let i = 0; i < rows; i++) {
    edges[i] = sum
    sum += values[i]! + base
  }
  edges[rows] = sum
  if (sum !== all) throw damaged('A count of lines', `it is ${sum} instead of ${all}`)
  return edges
}

/** A hit's time is kept as its distance from the hit before it, the first one's from the start of the visit. */
const timesOf = (starts: NumberColumn, after: NumberColumn, firstHit: Uint32Array): Float64Array => {
  const times = new Float64Array(firstHit.at(-1)!)
  const distances = after.values
  for (let row = 0; row < firstHit.length - 1; row++) {
    let time = starts.values[row]! + starts.base
    const end = firstHit[row + 1]!
    for (let hit = firstHit[row]!; hit < end; hit++) {
      time += distances[hit]! + after.base
      times[hit] = time
    }
  }
  return times
}

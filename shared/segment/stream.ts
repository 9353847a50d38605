import { dictionaryChunks, hasChunks, openSegment, type SegmentReader } from './read.ts'
import type { SegmentRow } from './row.ts'
import { type ReadChunk, readDictionaries, rowsOfGroup } from './rows.ts'

/** Whole rows of a segment whose chunks lie in a store: they are fetched a row group at a time. */

export type ChunkName = { column: string; group: number }
/** Fetches chunks, in the order asked. */
export type FetchChunks = (chunks: readonly ChunkName[]) => Promise<(Buffer | undefined)[]>

const nameOf = (column: string, group: number) => `${column} ${group}`

const fetchAll = async (names: readonly ChunkName[], fetch: FetchChunks): Promise<ReadChunk> => {
  const data = await fetch(names)
  const held = new Map(names.map(({ column, group }, i) => [nameOf(column, group), data[i]]))
  return (column, group) => held.get(nameOf(column, group))
}

const columnNames = (reader: SegmentReader): string[] => [...reader.columns.keys()].filter((column) => hasChunks(reader, column))
const dictionaryNames = (reader: SegmentReader): ChunkName[] =>
  [...reader.dictionaries.keys()].flatMap((name) => dictionaryChunks(reader, name))

/** What is held for a while, in bytes; `take` may throw where there is no room. */
export type Held = { take(bytes: number): void; give(bytes: number): void }
const uncounted: Held = { take: () => undefined, give: () => undefined }

/** Upper bounds: a text is a slice of its part (some 40 bytes) in one or two bytes a character, … */
const dictionaryBytes = ({ dictionaries }: SegmentReader): number => {
  let bytes = 0
  for (const { parts } of dictionaries.values()) for (const [count, raw] of parts) bytes += 40 * count + 2 * raw
  return bytes
}
/** … a value is its bytes as a chunk and as planes, and then a number of at most eight. */
const groupBytes = ({ columns, groups }: SegmentReader, group: number): number => {
  const { rows, days, hits } = groups[group]!
  const counts: Record<string, number> = { s: rows, d: days, h: hits }
  let bytes = 0
  for (const { name, width } of columns.values()) bytes += counts[name[0]!]! * (2 * width + 8)
  return bytes
}

/** The rows of each group in order, each group once it is asked for. `held` is told what texts and columns take while they are needed. */
export async function* rowGroupsOf(
  head: Buffer,
  fetch: FetchChunks,
  held: Held = uncounted,
): AsyncGenerator<Iterable<SegmentRow>, void, void> {
  const reader = openSegment(head)
  const columns = columnNames(reader)
  let taken = 0
  const take = (bytes: number): void => {
    held.take(bytes)
    taken += bytes
  }
  try {
    take(dictionaryBytes(reader))
    const dictionaries = readDictionaries(reader, await fetchAll(dictionaryNames(reader), fetch))
    for (let group = 0; group < reader.groups.length; group++) {
      const bytes = groupBytes(reader, group)
      take(bytes)
      const names = columns.map((column) => ({ column, group }))
      yield rowsOfGroup(reader, group, await fetchAll(names, fetch), dictionaries)
      held.give(bytes)
      taken -= bytes
    }
  } finally {
    held.give(taken)
  }
}

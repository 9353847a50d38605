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

/** The rows of each group in order, each group once it is asked for. */
export async function* rowGroupsOf(head: Buffer, fetch: FetchChunks): AsyncGenerator<Iterable<SegmentRow>, void, void> {
  const reader = openSegment(head)
  const dictionaries = readDictionaries(reader, await fetchAll(dictionaryNames(reader), fetch))
  const columns = columnNames(reader)
  for (let group = 0; group < reader.groups.length; group++) {
    const read = await fetchAll(
      columns.map((column) => ({ column, group })),
      fetch,
    )
    yield rowsOfGroup(reader, group, read, dictionaries)
  }
}

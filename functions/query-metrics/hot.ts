import type { Cache } from '#shared/query/columns/cache.ts'
import { storedTable } from '#shared/query/columns/stored.ts'
import type { Table } from '#shared/query/columns/table.ts'
import { decodeRows } from '#shared/rollup/block.ts'
import type { Interval } from '#shared/segment/encode.ts'
import { encodeSegment } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import type { Row } from '#shared/segment/row.ts'
import type { Pause, Reading } from './reading.ts'

/**
 * Hot rows as tables. Blocks never change, so what was made of them once stays as long as they are hot: a question reads the blocks that
 * came since the one before it, and makes tables of those alone.
 */

/** A table is full when it has so many rows; then the next ones go into another. */
const fullRows = 2_000

/** Rows in the order of their coming, of blocks at offsets `[from, to)`. */
type Chunk = { from: number; to: number; rows: Row[]; table: Table }
/** What is known of a day: its chunks, of which the last one may grow, from where they begin and which block was the last. */
type Known = { start: number; lastBlock: number; chunks: readonly Chunk[] }

/** A row in memory, with its hits; compressed it takes a twentieth. */
const rowBytes = 2_000

export const createHot = (cache: Cache) => {
  const tableOf = (name: string, day: number, rows: readonly Row[]): Table => {
    const { head, chunks } = encodeSegment(mergeRows(rows), { from: 0, to: Number.MAX_SAFE_INTEGER })
    const data = new Map(chunks.map((chunk) => [`${chunk.column} ${chunk.group}`, chunk.data]))
    return storedTable({ name, day }, head, async (names) => names.map(({ column, group }) => data.get(`${column} ${group}`)), cache)
  }

  const bytesOf = (chunks: readonly Chunk[]): number =>
    chunks.reduce((sum, { rows, table }) => sum + (rows.length > 0 ? rows.length : table.rows / 20) * rowBytes, 0)

  /** The tables of the hot rows of a day, in the order of their offsets. */
  return async (reading: Reading, partition: number, day: number, spans: readonly Interval[], pause: Pause): Promise<Table[]> => {
    const { name: state, before } = reading.state(partition)
    const name = `hot ${reading.site} ${day} ${partition} ${state}`
    const start = Math.min(...spans.map(({ from }) => from))
    const held = cache.get<Known>(name)
    // What was made for a later reading, or from another beginning, has rows that this one has not.
    const known = held && held.start === start && (held.chunks.at(-1)?.to ?? 0) <= before ? held : undefined
    const chunks = known ? [...known.chunks] : []
    let lastBlock = known?.lastBlock ?? -1

    const add = (rows: readonly Row[], from: number, to: number): void => {
      const last = chunks.at(-1)
      const grows = last !== undefined && last.rows.length > 0
      const all = grows ? [...last.rows, ...rows] : [...rows]
      const chunk = { from: grows ? last.from : from, to }
      if (grows) chunks.pop()
      const table = tableOf(`${name} ${chunk.from}-${to}`, day, all)
      chunks.push({ ...chunk, rows: all.length < fullRows ? all : [], table })
    }

    let came: Row[] = []
    let from = -1
    let to = -1
    const flush = (): void => {
      if (came.length > 0) add(came, from, to)
      came = []
    }
    for await (const blocks of reading.blocks(partition, day, spans, lastBlock)) {
      for (const block of blocks) {
        if (came.length === 0) from = block.from
        for (const row of decodeRows(block)) came.push(row)
        to = block.to
        lastBlock = block.from
        if (came.length >= fullRows) flush()
        await pause()
      }
    }
    flush()
    // An older reading beside newer ones must not undo what those have made.
    if (!held || held.start !== start || lastBlock >= held.lastBlock) cache.put(name, { start, lastBlock, chunks }, bytesOf(chunks))
    return chunks.map(({ table }) => table)
  }
}

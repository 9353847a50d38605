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
/** What is known of a day: its chunks, of which the last ones may grow, the offset where they begin, and the last block they have. */
type Known = { start: number; last: Interval; chunks: readonly Chunk[] }

/** A row in memory, with its hits; compressed it takes a twentieth. */
const rowBytes = 2_000

const bytesOf = (chunks: readonly Chunk[]): number =>
  chunks.reduce((sum, { rows, table }) => sum + (rows.length > 0 ? rows.length : table.rows / 20) * rowBytes, 0)

export const createHot = (cache: Cache) => {
  const tableOf = (name: string, day: number, rows: readonly Row[]): Table => {
    const { head, chunks } = encodeSegment(mergeRows(rows), { from: 0, to: Number.MAX_SAFE_INTEGER })
    const data = new Map(chunks.map((chunk) => [`${chunk.column} ${chunk.group}`, chunk.data]))
    return storedTable({ name, day }, head, async (names) => names.map(({ column, group }) => data.get(`${column} ${group}`)), cache)
  }

  /**
   * The chunks with another one behind them. It takes in the last ones that are not full and at most twice as long as itself: so a row is put
   * into another table a few times and not each time that others come, and there are few small tables.
   */
  const grown = (chunks: readonly Chunk[], came: Omit<Chunk, 'table'>, name: string, day: number): Chunk[] => {
    const kept = [...chunks]
    let { from, rows } = came
    for (let last = kept.at(-1); last && last.rows.length > 0 && last.rows.length <= 2 * rows.length; last = kept.at(-1)) {
      rows = [...last.rows, ...rows]
      from = last.from
      kept.pop()
    }
    const table = tableOf(`${name} ${from}-${came.to}`, day, rows)
    return [...kept, { from, to: came.to, rows: rows.length < fullRows ? rows : [], table }]
  }

  /** The tables of the hot rows of a day, in the order of their offsets. */
  return async (reading: Reading, partition: number, day: number, spans: readonly Interval[], pause: Pause): Promise<Table[]> => {
    const { name: state, before } = reading.state(partition)
    const name = `hot ${reading.site} ${day} ${partition} ${state}`
    const start = Math.min(...spans.map(({ from }) => from))

    /** Reads the blocks behind what is known; `undefined` when that is not what is stored now. */
    const read = async (known: Known | undefined): Promise<Known | undefined> => {
      let chunks: readonly Chunk[] = known?.chunks ?? []
      let last = known?.last
      let isKnown = known === undefined
      let came: Omit<Chunk, 'table'> | undefined
      for await (const blocks of reading.blocks(partition, day, spans, known ? known.last.from - 1 : -1)) {
        for (const block of blocks) {
          if (!isKnown) {
            // A state that was set back may have been cut into other blocks since: the last one that is known must still be there.
            if (block.from !== last!.from || block.to !== last!.to) return undefined
            isKnown = true
            continue
          }
          came ??= { from: block.from, to: block.to, rows: [] }
          for (const row of decodeRows(block)) came.rows.push(row)
          came.to = block.to
          last = { from: block.from, to: block.to }
          if (came.rows.length >= fullRows) {
            chunks = grown(chunks, came, name, day)
            came = undefined
          }
          await pause()
        }
      }
      if (!isKnown) return undefined
      if (came) chunks = grown(chunks, came, name, day)
      return { start, last: last ?? { from: -1, to: -1 }, chunks }
    }

    const held = cache.get<Known>(name)
    // What was made for a later reading, or from another beginning, has rows that this one has not.
    const known = held && held.start === start && held.last.to <= before ? held : undefined
    const found = (await read(known)) ?? (await read(undefined))!
    // An older reading beside newer ones must not undo what those have made.
    if (!held || known !== undefined || held.start !== start) cache.put(name, found, bytesOf(found.chunks))
    return found.chunks.map(({ table }) => table)
  }
}

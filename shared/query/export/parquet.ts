import { ByteWriter, ParquetWriter } from 'hyparquet-writer'
import type { Column, Kind, Value } from './columns.ts'
import type { Format } from './lines.ts'
import type { Batch } from './rows.ts'

/**
 * Parquet: rows are gathered into row groups, and each is sent as soon as it is full. What stays until the end is where each column of
 * each group lies: half a kilobyte a column.
 */

/** A group is written at once and holds up the thread meanwhile: so many rows of all columns take 80 ms (measured). */
export const groupRows = 4_096

type Leaf = ConstructorParameters<typeof ParquetWriter>[0]['schema'][number]

const leaves: Record<Kind, Omit<Leaf, 'name'>> = {
  time: { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', repetition_type: 'REQUIRED' },
  text: { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
  whole: { type: 'INT64', repetition_type: 'OPTIONAL' },
  flag: { type: 'BOOLEAN', repetition_type: 'OPTIONAL' },
  amount: { type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' },
}

/** Whole numbers are of 64 bits, which the writer takes as BigInt. */
const stored = (kind: Kind, values: Value[]): unknown[] =>
  kind === 'whole' || kind === 'time' ? values.map((value) => (value === null ? null : BigInt(value as number))) : values

export const parquet = (columns: readonly Column[]): Format => {
  const bytes = new ByteWriter()
  const schema: Leaf[] = [{ name: 'root', num_children: columns.length }, ...columns.map(({ name, kind }) => ({ name, ...leaves[kind] }))]
  const writer = new ParquetWriter({ writer: bytes, schema, createdBy: 'Footfall' })
  let held: Value[][] = columns.map(() => [])
  let rows = 0

  /** What was written since the last time; `bytes.offset` goes on. */
  const take = (): Uint8Array => {
    const taken = new Uint8Array(bytes.getBuffer())
    bytes.index = 0
    return taken
  }

  const writeGroup = (): void => {
    const columnData = columns.map(({ name, kind }, i) => ({
      name,
      data: stored(kind, held[i]!),
      offsetIndex: false,
      statistics: kind === 'time',
    }))
    writer.write({ columnData, rowGroupSize: rows })
    // It keeps what it would write of pages into indexes, of which there are none.
    writer.pendingIndexes.length = 0
    held = columns.map(() => [])
    rows = 0
  }

  return {
    begin: () => undefined,
    rows(batch: Batch) {
      for (const [i, values] of batch.values.entries()) for (const value of values) held[i]!.push(value)
      rows += batch.rows
      if (rows < groupRows) return undefined
      writeGroup()
      return take()
    },
    end() {
      if (rows > 0) writeGroup()
      writer.finish()
      return take()
    },
  }
}

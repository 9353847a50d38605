import { groupOf, type ResolvedHit, recordHit, recordOf } from './batch.ts'
import { type HitsRecord, type RecordHit, recordLimits } from './record.ts'

/** Hits of an import as `hits` records (data.md §14). Their order is that of the lines, and nothing may change it. */
export type ImportedHit = ResolvedHit & { line: number }

/**
 * Records in line order, hit by hit: each holds one run of lines of one visitor, so that every line of a record lies before every line
 * of the next one. Only then the highest line that enrich has seen says of each line whether it was there.
 */
export const createImportRecords = (source: string) => {
  const records: HitsRecord[] = []
  let group: string | undefined
  let bytes = 0
  return {
    records,
    /** Puts a hit at the end; answers it and its record as they are stored. */
    add(resolved: ImportedHit): { record: HitsRecord; hit: RecordHit } {
      const hit: RecordHit = { ...recordHit(resolved), l: resolved.line }
      const own = groupOf(resolved)
      const size = Buffer.byteLength(JSON.stringify(hit))
      const last = records.at(-1)
      const isRun = last && own === group && last.ev.length < recordLimits.hits && bytes + size <= recordLimits.bytes
      const record = isRun ? last : { ...recordOf(resolved, []), imp: { src: source } }
      if (!isRun) records.push(record)
      record.ev.push(hit)
      bytes = isRun ? bytes + size : size
      group = own
      return { record, hit }
    },
  }
}

import { encodeRows } from '#shared/rollup/block.ts'
import { type EncodedSegment, encodeSegment } from '#shared/segment/encode.ts'
import { mergeRows } from '#shared/segment/merge.ts'
import { decodeChunk, decodeDictionary, dictionaryChunks, openSegment } from '#shared/segment/read.ts'
import type { Row } from '#shared/segment/row.ts'
import { rowsOf } from '#shared/segment/rows.ts'
import { dayRows } from './day-rows.ts'
import { print } from './figure.ts'

/**
 * A segment of one day of 200,000 visits (bench/day-rows.ts): how many bytes a hit takes, and what encoding and decoding cost on one
 * thread. `segment-bytes-per-hit` counts every stored hit, updates of engagement too; `…-per-counted-hit` leaves those out.
 */
const visits = 200_000
const rounds = { whole: 3, column: 15 } as const

const seconds = (work: () => unknown): number => {
  const begin = performance.now()
  work()
  return (performance.now() - begin) / 1_000
}
/** The least of some rounds: what else the machine does only ever adds. */
const least = (work: () => unknown, times: number = rounds.whole): number => Math.min(...Array.from({ length: times }, () => seconds(work)))
const million = 1_000_000

const bytesOf = ({ head, chunks }: EncodedSegment): number => chunks.reduce((sum, { data }) => sum + data.length, head.length)

/** In pieces: a day's rows as one text are longer than a text may be. */
const jsonBytes = (rows: readonly Row[]): number => {
  let bytes = 0
  for (let from = 0; from < rows.length; from += 1_000) bytes += Buffer.byteLength(encodeRows(rows.slice(from, from + 1_000)))
  return bytes
}

/** Columns of one to five bytes, by what is printed of them. */
const columns = {
  'segment-decode-text-1-byte': 's.country',
  'segment-decode-text-2-bytes': 'h.path',
  'segment-decode-number-3-bytes': 'h.dt',
  'segment-decode-number-4-bytes': 's.start',
  'segment-decode-visitors': 's.vis',
}

/** The rows of the day. Those they were merged of are let go: with them the collector would be measured. */
const mergedDay = (): { rows: Row[]; to: number } => {
  const { parts, to } = dayRows(visits)
  const all = parts.flat()
  let rows: Row[] = []
  const merging = seconds(() => {
    rows = mergeRows(all)
  })
  print({ name: 'segment-merge', value: all.length / million / merging, unit: 'million rows/s' })
  return { rows, to }
}

export const benchSegment = async (): Promise<void> => {
  const { rows, to } = mergedDay()
  const hits = rows.reduce((sum, { h }) => sum + h.length, 0)
  const counted = rows.reduce((sum, { h }) => sum + h.filter(({ n }) => n !== 'engagement').length, 0)
  const segment = encodeSegment(rows, { from: 0, to })
  const bytes = bytesOf(segment)
  const reader = openSegment(segment.head)
  const chunks = new Map(segment.chunks.map(({ column, group, data }) => [`${column} ${group}`, data]))
  const read = (column: string, group: number) => chunks.get(`${column} ${group}`)

  print({ name: 'segment-hits', value: hits, unit: 'hits' })
  print({ name: 'segment-rows', value: rows.length, unit: 'rows' })
  const json = jsonBytes(rows)
  print({ name: 'segment-bytes-per-hit', value: bytes / hits, unit: 'B', against: 'the same rows as JSON blocks', ratio: bytes / json })
  print({ name: 'segment-bytes-per-counted-hit', value: bytes / counted, unit: 'B' })
  print({ name: 'segment-head', value: segment.head.length, unit: 'B' })

  const encoding = least(() => encodeSegment(rows, { from: 0, to }))
  print({ name: 'segment-encode', value: rows.length / million / encoding, unit: 'million rows/s' })
  print({ name: 'segment-encode-hits', value: hits / million / encoding, unit: 'million hits/s' })
  const decoding = least(() => {
    for (const row of rowsOf(reader, read)) if (row.h.length < 0) throw new Error('no row')
  })
  print({ name: 'segment-decode', value: rows.length / million / decoding, unit: 'million rows/s' })
  print({ name: 'segment-decode-hits', value: hits / million / decoding, unit: 'million hits/s' })

  const decodeAll = (column: string) => () =>
    reader.groups.forEach((_, group) => void decodeChunk(reader, column, group, read(column, group)))
  for (const [name, column] of Object.entries(columns)) {
    const values = column.startsWith('s.') ? rows.length : hits
    print({ name, value: (least(decodeAll(column), rounds.column) * 1_000 * million) / values, unit: 'ms per million' })
  }
  const everything = least(() => {
    for (const column of reader.columns.keys()) decodeAll(column)()
  })
  print({ name: 'segment-decode-all-columns', value: (everything * 1_000 * million) / hits, unit: 'ms per million hits' })
  const pages = () =>
    decodeDictionary(
      reader,
      'path',
      dictionaryChunks(reader, 'path').map(({ column, group }) => read(column, group)),
    )
  print({ name: 'segment-decode-dictionary', value: least(pages, rounds.column) * 1_000, unit: `ms (${pages().length} pages)` })
}

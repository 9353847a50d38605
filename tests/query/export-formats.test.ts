import { parquetMetadata, parquetReadObjects } from 'hyparquet'
import { describe, expect, it } from 'vitest'
import { type Column, parseColumns, type Value } from '#shared/query/export/columns.ts'
import { csv, type Format, ndjson, textCell } from '#shared/query/export/lines.ts'
import { groupRows, parquet } from '#shared/query/export/parquet.ts'
import { batchRows } from '#shared/query/export/rows.ts'
import { createTimes } from '#shared/query/export/times.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { createRandom } from '../model/random.ts'

/** What the formats write, read back. */

const calendar = calendarOf([{ tz: 'Europe/Berlin', from: 0 }])
const at = Date.parse('2026-10-25T00:30:00Z')

/** All that a format writes of rows, given as it is given them: so many at a time. */
const written = (format: Format, columns: readonly Column[], rows: readonly Record<string, Value>[]): Buffer => {
  const pieces = [format.begin()]
  const put = (piece: string | Uint8Array | undefined) => pieces.push(piece as string | undefined)
  for (let from = 0; from < rows.length; from += batchRows) {
    const some = rows.slice(from, from + batchRows)
    put(format.rows({ rows: some.length, values: columns.map(({ name }) => some.map((row) => row[name]!)) }))
  }
  put(format.end())
  return Buffer.concat(pieces.map((piece) => Buffer.from(piece ?? '')))
}

/** RFC 4180, as strict as it is written. */
const readCsv = (text: string): string[][] => {
  const rows: string[][] = []
  let row: string[] = []
  let rest = text
  while (rest !== '') {
    const found = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest)
    if (!found) throw new Error(`no cell: ${JSON.stringify(rest.slice(0, 60))}`)
    row.push(found[1] === undefined ? found[2]! : found[1].replaceAll('""', '"'))
    if (found[3] === '\r\n') {
      rows.push(row)
      row = []
    }
    rest = rest.slice(found[0].length)
  }
  return rows
}

describe('CSV', () => {
  it.each([
    ['=1+1', "'=1+1"],
    ['+49 30', "'+49 30"],
    ['-x', "'-x"],
    ['@SUM(A1)', "'@SUM(A1)"],
    ['\tx', "'\tx"],
    ['\rx', '"\'\rx"'],
    ['"=1', '"\'""=1"'],
    ["'=1", "''=1"],
    ['  =1', "'  =1"],
    ['\n=1', '"\'\n=1"'],
    ['\ufeff=1', "'\ufeff=1"],
    ['\0=1', "'\ufffd=1"],
    ['\u200b=1', "'\u200b=1"],
    ['“=1', "'“=1"],
    ['＝1', "'＝1"],
    ['-12.50', '-12.50'],
    ['a=1', 'a=1'],
    ['a-b', 'a-b'],
    ["'quoted'", "'quoted'"],
    ['a,"b"\r\nc', '"a,""b""\r\nc"'],
    [' a', '" a"'],
    ['a\0b', 'a\ufffdb'],
  ])('%j is %j', (text, cell) => {
    expect(textCell(text)).toBe(cell)
  })

  it('gives back what was put in, whatever it is', () => {
    const random = createRandom(3)
    const columns = parseColumns('page,title,revenue')
    const text = () => Array.from({ length: random.below(8) }, () => random.pick([...'",\r\n\t =+-@\'aé😀'])).join('')
    const rows = Array.from({ length: 1_200 }, () => ({
      page: text() || null,
      title: text() || null,
      revenue: random.pick(['-1.50', null]),
    }))
    const [header, ...found] = readCsv(written(csv(columns, calendar), columns, rows).toString())
    // An apostrophe in front of what would be a formula goes away again.
    const plain = (cell: string) => (/^'["'\s]*[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell)
    expect(header).toEqual(['page', 'title', 'revenue'])
    expect(found.map(([page, title, revenue]) => [plain(page!), plain(title!), revenue])).toEqual(
      rows.map(({ page, title, revenue }) => [page ?? '', title ?? '', revenue ?? '']),
    )
    for (const row of found) for (const cell of row.slice(0, 2)) expect(/^["'\s]*[=+\-@]/.test(cell) && !/^['-]/.test(cell)).toBe(false)
  })

  it('numbers stay numbers', () => {
    const columns = parseColumns('revenue,foreground_ms,new')
    const text = written(csv(columns, calendar), columns, [{ revenue: '-12.99', foreground_ms: -1, new: false }]).toString()
    expect(text).toBe('revenue,foreground_ms,new\r\n-12.99,-1,false\r\n')
  })
})

describe('times', () => {
  it('have the offset of the site, on both sides of the hour that comes twice', () => {
    const time = createTimes(calendar)
    expect([at, at + 3_600_000, at].map(time)).toEqual([
      '2026-10-25T02:30:00.000+02:00',
      '2026-10-25T02:30:00.000+01:00',
      '2026-10-25T02:30:00.000+02:00',
    ])
    expect(createTimes(calendarOf([{ tz: 'America/St_Johns', from: 0 }]))(at + 7)).toBe('2026-10-24T22:00:00.007-02:30')
  })
})

describe('Parquet', () => {
  const columns = parseColumns(undefined)
  const randomRow = (random: ReturnType<typeof createRandom>, n: number): Record<string, Value> =>
    Object.fromEntries(
      columns.map(({ name, kind }): [string, Value] => {
        if (kind === 'time') return [name, at + n * 977]
        if (random.chance(0.3)) return [name, null]
        if (kind === 'whole') return [name, random.pick([0, 1, 100, 259_200_000, 2 ** 40])]
        if (kind === 'flag') return [name, random.chance(0.5)]
        return [name, random.pick(['=1+1', 'a"b', 'ü😀', '\0', '\n', `v${n}`, '-1.50', '{"a":1}'])]
      }),
    )
  const read = async (bytes: Buffer) => {
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer
    return { metadata: parquetMetadata(file), rows: await parquetReadObjects({ file }) }
  }

  it.each([0, 1, batchRows, groupRows, groupRows * 2 + 700])('%i rows read back are those of NDJSON', async (count) => {
    const random = createRandom(count)
    const rows = Array.from({ length: count }, (_, n) => randomRow(random, n))
    const { metadata, rows: found } = await read(written(parquet(columns), columns, rows))
    const lines = written(ndjson(columns, calendar), columns, rows).toString().split('\n').slice(0, -1)
    expect(Number(metadata.num_rows)).toBe(count)
    expect(metadata.row_groups.length).toBe(Math.ceil(count / groupRows))
    const plain = (value: unknown) =>
      typeof value === 'bigint' ? Number(value) : value instanceof Date ? createTimes(calendar)(value.getTime()) : value
    expect(found.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])))).toEqual(
      lines.map((line) => JSON.parse(line)),
    )
  })

  it('has types', async () => {
    const { metadata } = await read(written(parquet(columns), columns, []))
    const typeOf = (name: string) => metadata.schema.find((one) => one.name === name)
    expect(typeOf('time')).toMatchObject({ type: 'INT64', converted_type: 'TIMESTAMP_MILLIS', repetition_type: 'REQUIRED' })
    expect(typeOf('page')).toMatchObject({ type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'OPTIONAL' })
    expect(typeOf('foreground_ms')).toMatchObject({ type: 'INT64' })
    expect(typeOf('new')).toMatchObject({ type: 'BOOLEAN' })
  })

  it('sends a row group as soon as it is full, and holds no more', () => {
    const random = createRandom(1)
    const format = parquet(columns)
    const batch = Array.from({ length: batchRows }, (_, n) => randomRow(random, n))
    const values = columns.map(({ name }) => batch.map((row) => row[name]!))
    const sent = Array.from({ length: (groupRows / batchRows) * 3 }, () => format.rows({ rows: batchRows, values }) !== undefined)
    expect(sent.filter(Boolean).length).toBe(3)
    expect(sent.indexOf(true)).toBe(groupRows / batchRows - 1)
  })
})

import type { Calendar } from '../../site/zone.ts'
import type { Column, Kind, Value } from './columns.ts'
import type { Batch } from './rows.ts'
import { createTimes } from './times.ts'

/** The formats of lines: CSV and NDJSON, both UTF-8. */

/** What writes an export: some rows at a time, `undefined` where there is nothing to send yet. */
export type Format = {
  begin(): string | undefined
  rows(batch: Batch): string | Uint8Array | undefined
  end(): string | Uint8Array | undefined
}

/**
 * What a spreadsheet may work out as a formula: it begins with `= + - @` (also of full width), a tab or a carriage return, also behind
 * quotes, spaces, controls and marks that are not seen. Plain numbers are none. Quotes are among them so that the apostrophe can be taken
 * away again: a text that begins with one of its own is given another where it would be mistaken.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about
const formula = /^[\s\u0000-\u0020\u007f-\u009f\u200b-\u200f\u2060"'`\u2018-\u201f]*?[\t\r=+\-@\uff0b\uff0d\uff1d\uff20]/
const plainNumber = /^-?\d{1,15}(?:\.\d{1,15})?$/
const needsQuotes = /[",\r\n]|^\s|\s$/

/** A cell of text: a formula gets an apostrophe in front, which spreadsheets take for "this is text"; NUL, which ends cells, is U+FFFD. */
export const textCell = (text: string): string => {
  const shown = formula.test(text) && !plainNumber.test(text) ? `'${text}` : text
  const whole = shown.includes('\0') ? shown.replaceAll('\0', '\ufffd') : shown
  return needsQuotes.test(whole) ? `"${whole.replaceAll('"', '""')}"` : whole
}

type Write = (value: Value) => string

const csvWriters = (time: (t: number) => string): Record<Kind, Write> => ({
  time: (value) => time(value as number),
  text: (value) => (value === null ? '' : textCell(value as string)),
  whole: (value) => (value === null ? '' : String(value)),
  flag: (value) => (value === null ? '' : String(value)),
  amount: (value) => (value === null ? '' : String(value)),
})

/** RFC 4180: a header, CRLF, quotes where they are needed. */
export const csv = (columns: readonly Column[], calendar: Calendar): Format => {
  const writers = csvWriters(createTimes(calendar))
  const write = columns.map(({ kind }) => writers[kind])
  return {
    begin: () => `${columns.map(({ name }) => name).join()}\r\n`,
    rows({ rows, values }) {
      let text = ''
      for (let row = 0; row < rows; row++)
        for (let i = 0; i < write.length; i++) text += `${write[i]!(values[i]![row]!)}${i + 1 < write.length ? ',' : '\r\n'}`
      return text
    },
    end: () => undefined,
  }
}

/** One JSON object a line; null where a value is absent. */
export const ndjson = (columns: readonly Column[], calendar: Calendar): Format => {
  const time = createTimes(calendar)
  const show = columns.map(
    ({ kind }): Write => (kind === 'time' ? (value) => `"${time(value as number)}"` : (value) => JSON.stringify(value)),
  )
  const keys = columns.map(({ name }, i) => `${i === 0 ? '{' : ','}${JSON.stringify(name)}:`)
  return {
    begin: () => undefined,
    rows({ rows, values }) {
      let text = ''
      for (let row = 0; row < rows; row++) {
        for (let i = 0; i < show.length; i++) text += keys[i]! + show[i]!(values[i]![row]!)
        text += '}\n'
      }
      return text
    },
    end: () => undefined,
  }
}

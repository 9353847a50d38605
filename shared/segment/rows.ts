import type { Props } from '../hit/record.ts'
import type { Session } from '../visit/event.ts'
import { damaged } from './damaged.ts'
import {
  countFields,
  currency,
  hitFields,
  idText,
  ownNumbers,
  type Place,
  propKeys,
  propRest,
  referrer,
  sessionFields,
  textFields,
  visitorColumn,
} from './fields.ts'
import { hashText } from './groups.ts'
import { amountText } from './money.ts'
import { restOf, untagged } from './props.ts'
import {
  type Column,
  decodeChunk,
  decodeDictionary,
  dictionaryChunks,
  hasChunks,
  type NumberValues,
  numberAt,
  type SegmentReader,
  type TextValues,
} from './read.ts'
import { type Page, pageAfter, referrerFrom } from './referrer.ts'
import type { SegmentHit, SegmentRow } from './row.ts'

/**
 * Whole rows of a segment, for merging intervals and closing days. One row group is held at a time, as columns; rows are made one by
 * one as they are asked for.
 */

/** Gives a chunk by column (or dictionary) and group (or part). */
export type ReadChunk = (column: string, group: number) => Buffer | undefined

/** All rows in order, without the ids of hits. */
export function* rowsOf(reader: SegmentReader, read: ReadChunk): Generator<SegmentRow, void, void> {
  const dictionaries = readDictionaries(reader, read)
  for (let group = 0; group < reader.groups.length; group++) yield* rowsOfGroup(reader, group, read, dictionaries)
}

/** The texts of all dictionaries: what the rows of every group need. */
export const readDictionaries = (reader: SegmentReader, read: ReadChunk): ReadonlyMap<string, string[]> =>
  new Map(
    Array.from(reader.dictionaries.keys(), (name) => [
      name,
      decodeDictionary(
        reader,
        name,
        dictionaryChunks(reader, name).map(({ column, group }) => read(column, group)),
      ),
    ]),
  )

type TextAt = (i: number) => string | undefined
type NumberAt = (i: number) => number | undefined

/** The columns of one group as functions of a row's index. */
type Open = {
  text(name: string): TextAt
  number(name: string): NumberAt
  has(name: string): boolean
  visitors: Float64Array
}

const openGroup = (reader: SegmentReader, group: number, read: ReadChunk, dictionaries: ReadonlyMap<string, string[]>): Open => {
  const column = (name: string): Column | undefined =>
    decodeChunk(reader, name, group, hasChunks(reader, name) ? read(name, group) : undefined)
  const expect = <K extends Column['kind']>(kind: K, name: string): Extract<Column, { kind: K }> | undefined => {
    const found = column(name)
    if (found && found.kind !== kind) throw damaged(`Column ${name}`, `it is no ${kind}`)
    return found as Extract<Column, { kind: K }> | undefined
  }
  return {
    text: (name) => textAt(expect('text', name), dictionaryOf(reader, name, dictionaries), name),
    number(name) {
      const values = expect('number', name)
      return values === undefined ? () => undefined : numbersAt(values)
    },
    has: (name) => reader.columns.has(name),
    visitors: expect('hash', visitorColumn)?.values ?? new Float64Array(0),
  }
}

const dictionaryOf = ({ columns }: SegmentReader, name: string, dictionaries: ReadonlyMap<string, string[]>): string[] => {
  const head = columns.get(name)
  return (head?.kind === 'text' && dictionaries.get(head.dictionary)) || ['']
}

const textAt = (values: TextValues | undefined, texts: readonly string[], name: string): TextAt => {
  if (values === undefined) return () => undefined
  const { codes } = values
  return (i) => {
    const code = codes[i]!
    if (code >= texts.length) throw damaged(`Column ${name}`, `code ${code} has no text`)
    return code === 0 ? undefined : texts[code]
  }
}

const numbersAt =
  (values: NumberValues): NumberAt =>
  (i) =>
    numberAt(values, i)

/** A field that is always there. */
const must = <T>(value: T | undefined, name: string): T => {
  if (value === undefined) throw damaged(`Column ${name}`, 'a value is missing')
  return value
}

type Fill<T> = (into: Partial<T>, i: number) => void

/** The fields that are kept as they are; those that no row has cost nothing. */
const plain = <T>(open: Open, table: string, fields: Readonly<Record<string, Place>>): Fill<T> => {
  const isThere = (key: string) => open.has(`${table}.${key}`)
  const readers: [string, (i: number) => string | number | undefined][] = [
    ...textFields(fields).flatMap(({ key }): [string, TextAt][] => (isThere(key) ? [[key, open.text(`${table}.${key}`)]] : [])),
    ...countFields(fields).flatMap((key): [string, NumberAt][] => (isThere(key) ? [[key, open.number(`${table}.${key}`)]] : [])),
  ]
  return (into, i) => {
    for (const [key, at] of readers) {
      const value = at(i)
      if (value !== undefined) (into as Record<string, string | number>)[key] = value
    }
  }
}

/** Reads the days of a row, then those of the next one. */
const daysReader = (open: Open) => {
  const day = open.number(ownNumbers.day)
  const hash = open.number(ownNumbers.dayHash)
  let at = 0
  return (count: number, visitor: number): Session['days'] =>
    Array.from({ length: count }, () => {
      const i = at++
      return [must(day(i), ownNumbers.day), hashText(visitor + must(hash(i), ownNumbers.dayHash))]
    })
}

const propsReader = (reader: SegmentReader, open: Open) => {
  const keys = open.text(propKeys.column)
  const own = Array.from(reader.props, ([key, column]) => ({ key, at: open.text(column) }))
  const rest = open.text(propRest.column)
  return (i: number): Props | undefined => {
    if (keys(i) === undefined) return undefined
    // Without a prototype a property named __proto__ is a property like any other.
    const props: Props = Object.create(null)
    for (const { key, at } of own) {
      const value = at(i)
      if (value !== undefined) props[key] = untagged(value)
    }
    const others = rest(i)
    if (others !== undefined) for (const [key, value] of restOf(others)) props[key] = value
    return props
  }
}

/** Reads the hits of a row, then those of the next one. */
const hitsReader = (reader: SegmentReader, open: Open) => {
  const fill = plain<SegmentHit>(open, 'h', hitFields)
  const after = open.number(ownNumbers.after)
  const currencies = open.text(currency.column)
  const [high, low] = [open.number(ownNumbers.revenueHigh), open.number(ownNumbers.revenueLow)]
  const props = propsReader(reader, open)
  const [fromPage, referrers] = [open.number(ownNumbers.fromPage), open.text(referrer.column)]
  let at = 0

  const hit = (i: number, before: number, page: Page | undefined): SegmentHit => {
    const one: Partial<SegmentHit> = { t: before + must(after(i), ownNumbers.after) }
    fill(one, i)
    const mark = must(fromPage(i), ownNumbers.fromPage)
    const ref = mark === 0 ? referrers(i) : referrerFrom(mark, must(page, ownNumbers.fromPage))
    if (ref !== undefined) one.ref = ref
    const p = props(i)
    if (p !== undefined) one.p = p
    const c = currencies(i)
    if (c !== undefined)
      one.rev = { a: amountText({ high: must(high(i), ownNumbers.revenueHigh), low: must(low(i), ownNumbers.revenueLow) }), c }
    return one as SegmentHit
  }

  return (count: number, start: number): SegmentHit[] => {
    let before = start
    let page: Page | undefined
    return Array.from({ length: count }, () => {
      const one = hit(at++, before, page)
      before = one.t
      page = pageAfter(one, page)
      return one
    })
  }
}

const sessionReader = (open: Open) => {
  const fill = plain<Session>(open, 's', sessionFields)
  const id = open.text(idText.column)
  const own = (name: keyof typeof ownNumbers) => open.number(ownNumbers[name])
  const parts = { partition: own('partition'), source: own('source'), nth: own('nth') }
  const times = { start: own('start'), duration: own('duration'), entryAfter: own('entryAfter'), exitBefore: own('exitBefore') }
  const user = own('user')

  const idAt = (i: number, off: number): string =>
    id(i) ?? [parts.partition(i), off - must(parts.source(i), 's.ids'), parts.nth(i)].map((n) => must(n, 's.id').toString(36)).join('-')

  return (i: number, off: number, days: Session['days']): Session => {
    const start = must(times.start(i), ownNumbers.start)
    const last = start + must(times.duration(i), ownNumbers.duration)
    const s: Partial<Session> = { id: idAt(i, off), start, last, days }
    fill(s, i)
    const [entryAfter, exitBefore, person] = [times.entryAfter(i), times.exitBefore(i), user(i)]
    if (entryAfter !== undefined) s.entryT = start + entryAfter
    if (exitBefore !== undefined) s.exitT = last - exitBefore
    if (person !== undefined) s.user = hashText(person)
    return s as Session
  }
}

/** Throws unless as many days and hits belong to the rows of a group as there are. */
const checkCounts = (open: Open, name: string, rows: number, all: number): NumberAt => {
  const counts = open.number(name)
  let sum = 0
  for (let i = 0; i < rows; i++) sum += must(counts(i), name)
  if (sum !== all) throw damaged(`Column ${name}`, `it counts ${sum} instead of ${all}`)
  return counts
}

/** The rows of one group. `dictionaries` are those of `readDictionaries`. */
export function* rowsOfGroup(
  reader: SegmentReader,
  group: number,
  read: ReadChunk,
  dictionaries: ReadonlyMap<string, string[]>,
): Generator<SegmentRow, void, void> {
  const { rows, days, hits } = reader.groups[group]!
  if (rows === 0) return
  const open = openGroup(reader, group, read, dictionaries)
  const dayCounts = checkCounts(open, ownNumbers.days, rows, days)
  const hitCounts = checkCounts(open, ownNumbers.hits, rows, hits)
  const [off, cont] = [open.number(ownNumbers.off), open.number(ownNumbers.cont)]
  const [session, daysOf, hitsOf] = [sessionReader(open), daysReader(open), hitsReader(reader, open)]
  for (let i = 0; i < rows; i++) {
    const visitor = must(open.visitors[i], visitorColumn)
    const offset = must(off(i), ownNumbers.off)
    const s = session(i, offset, daysOf(dayCounts(i)!, visitor))
    yield { off: offset, vis: hashText(visitor), cont: must(cont(i), ownNumbers.cont) as 0 | 1, s, h: hitsOf(hitCounts(i)!, s.start) }
  }
}

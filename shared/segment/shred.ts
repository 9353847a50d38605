import type { Session } from '../visit/event.ts'
import { checkRow } from './check.ts'
import { type Built, builtHashes, createDictionaries, createNumberColumn, createTextColumn, type Finals } from './columns.ts'
import {
  countFields,
  currency,
  hitFields,
  idText,
  ownNumbers,
  type Place,
  referrer,
  sessionFields,
  textFields,
  visitorColumn,
} from './fields.ts'
import { groupCountFor, groupEdges, groupStart, hashOf } from './groups.ts'
import { type Growing, growingNumbers } from './growing.ts'
import type { GroupHead } from './head.ts'
import { inOrder } from './merge.ts'
import { amountOf } from './money.ts'
import { createPropColumns } from './props.ts'
import { fromPageOf, type Page, pageAfter } from './referrer.ts'
import type { SegmentHit, SegmentRow } from './row.ts'
import type { Steps } from './steps.ts'
import type { Dictionary } from './texts.ts'

/**
 * Rows into columns. Three tables: S has a line per row, D one per day of a row's session, H one per hit; `s.days` and `s.hits` say how
 * many of theirs belong to a row. Times are kept as distances, since most visits are short.
 */
export type Shredded = {
  groups: GroupHead[]
  /** Where groups begin in each table. */
  edges: Record<'s' | 'd' | 'h', number[]>
  columns: Built[]
  dictionaries: Finals
  props: string[]
}

/** The parts of a session id as enrich makes it: `partition-offset-nth` in base 36. */
const idForm = /^([0-9a-z]{1,9})-([0-9a-z]{1,9})-([0-9a-z]{1,9})$/
const idNumbers = (id: string): [number, number, number] | undefined => {
  const parts = idForm.exec(id)?.slice(1)
  const numbers = parts?.map((part) => Number.parseInt(part, 36)) as [number, number, number] | undefined
  return numbers?.every((n, i) => n.toString(36) === parts![i]) ? numbers : undefined
}

export const createShredder = () => {
  const dictionaries = createDictionaries()
  const numbers = new Map<string, ReturnType<typeof createNumberColumn>>()
  const texts: ReturnType<typeof createTextColumn>[] = []
  const number = (name: string) => {
    const column = createNumberColumn(name)
    numbers.set(name, column)
    return column
  }
  const text = (name: string, dictionary: string) => {
    const column = createTextColumn(name, dictionary, dictionaries)
    texts.push(column)
    return column
  }
  /** What is taken of a field without thought. */
  const plain = <T>(table: string, fields: Readonly<Record<string, Place>>) => {
    const textual = textFields(fields).map(({ key, dictionary }) => ({ key: key as keyof T, column: text(`${table}.${key}`, dictionary) }))
    const counts = countFields(fields).map((key) => ({ key: key as keyof T, column: number(`${table}.${key}`) }))
    return (value: T) => {
      for (const { key, column } of textual) column.push(value[key] as string | undefined)
      for (const { key, column } of counts) column.push(value[key] as number | undefined)
    }
  }

  const own = Object.fromEntries(Object.entries(ownNumbers).map(([key, name]) => [key, number(name)])) as Record<
    keyof typeof ownNumbers,
    ReturnType<typeof createNumberColumn>
  >
  const visitors = growingNumbers()
  const idColumn = text(idText.column, idText.dictionary)
  const putSession = plain<Session>('s', sessionFields)
  const putHit = plain<SegmentHit>('h', hitFields)
  const referrers = text(referrer.column, referrer.dictionary)
  const currencies = text(currency.column, currency.dictionary)
  const props = createPropColumns(dictionaries)
  /** How many days and hits lie before each row. */
  const before = { d: growingNumbers(), h: growingNumbers() }
  const count = { d: 0, h: 0 }
  let last: SegmentRow | undefined

  const putId = (id: string, off: number): void => {
    const known = idNumbers(id)
    idColumn.push(known ? undefined : id)
    own.partition.push(known?.[0])
    own.source.push(known && off - known[1])
    own.nth.push(known?.[2])
  }

  const putTimes = ({ start, last, entryT, exitT }: Session): void => {
    own.start.push(start)
    own.duration.push(last - start)
    own.entryAfter.push(entryT === undefined ? undefined : entryT - start)
    own.exitBefore.push(exitT === undefined ? undefined : last - exitT)
  }

  const putDays = ({ days }: Session, visitor: number): void => {
    own.days.push(days.length)
    for (const [day, hash] of days) {
      own.day.push(day)
      own.dayHash.push(hashOf(hash) - visitor)
      count.d++
    }
  }

  const putHits = (hits: readonly SegmentHit[], start: number): void => {
    own.hits.push(hits.length)
    let before = start
    let page: Page | undefined
    for (const hit of hits) {
      own.after.push(hit.t - before)
      before = hit.t
      putHit(hit)
      const fromPage = fromPageOf(hit.ref, page)
      own.fromPage.push(fromPage)
      referrers.push(fromPage === 0 ? hit.ref : undefined)
      page = pageAfter(hit, page)
      props.push(hit.p)
      currencies.push(hit.rev?.c)
      const amount = hit.rev && amountOf(hit.rev.a)
      own.revenueHigh.push(amount?.high)
      own.revenueLow.push(amount?.low)
      count.h++
    }
  }

  const edgesOf = (rows: readonly number[], before: Growing<Float64Array>, all: number): number[] =>
    rows.map((row) => (row < before.length ? before.at(row) : all))

  return {
    /** The next row in order; throws a TypeError when it is not in order, or none that a segment can hold. */
    add(row: SegmentRow): void {
      checkRow(row)
      if (last && inOrder(last, row) >= 0) throw new TypeError(`rows that are not merged and in order: ${row.s.id} after ${last.s.id}`)
      last = row
      before.d.push(count.d)
      before.h.push(count.h)
      const visitor = hashOf(row.vis)
      visitors.push(visitor)
      own.off.push(row.off)
      own.cont.push(row.cont)
      own.user.push(row.s.user === undefined ? undefined : hashOf(row.s.user))
      putId(row.s.id, row.off)
      putTimes(row.s)
      putDays(row.s, visitor)
      putSession(row.s)
      putHits(row.h, row.s.start)
    },
    /** In steps: a table's column, or a dictionary, at a time. */
    *done(): Steps<Shredded> {
      const hashes = visitors.slice(0, visitors.length)
      const groups = groupCountFor(hashes.length)
      const s = groupEdges(hashes, groups)
      const edges = { s, d: edgesOf(s, before.d, count.d), h: edgesOf(s, before.h, count.h) }
      const starts = s.map((_, group) => groupStart(group, groups))
      yield
      const closed = yield* props.close()
      const finals = new Map<string, ReturnType<Dictionary['done']>>()
      for (const [name, dictionary] of dictionaries.all) {
        finals.set(name, dictionary.done())
        yield
      }
      const columns = hashes.length > 0 ? [builtHashes(visitorColumn, hashes, s, starts)] : []
      for (const column of numbers.values()) {
        columns.push(...column.done())
        yield
      }
      for (const column of texts) {
        columns.push(...column.done(finals))
        yield
      }
      const { built, own } = closed.done(finals)
      columns.push(...built)
      const size = (edge: readonly number[], group: number) => edge[group + 1]! - edge[group]!
      return {
        groups: Array.from({ length: groups }, (_, g) => ({ rows: size(s, g), days: size(edges.d, g), hits: size(edges.h, g) })),
        edges,
        columns: columns.sort((a, b) => (a.head.name < b.head.name ? -1 : 1)),
        dictionaries: new Map([...finals, ...own].filter(([, { texts }]) => texts.length > 0)),
        props: closed.keys,
      }
    },
  }
}

import { idText, ownNumbers, propColumn, propRest } from '../../segment/fields.ts'
import { hashText } from '../../segment/groups.ts'
import { propLimits } from '../../segment/props.ts'
import { type Rows, type Table, timeColumn, valueAt } from '../columns/table.ts'
import { decimal } from '../money.ts'
import { badQuery, unknownName } from '../names.ts'

/** The columns of an export: what each is called, what kind of value it has, and how it is read of a row and a hit. */

/** Times are ms UTC. `amount` is decimal text, which is a number wherever texts are told from numbers. */
export type Kind = 'time' | 'text' | 'whole' | 'flag' | 'amount'
export type Value = string | number | boolean | null

export type Column = {
  name: string
  kind: Kind
  /** Columns of tables that it reads (columns/table.ts), and others that are read beside them. */
  columns: readonly string[]
  besides?: readonly string[]
  open(rows: Rows, at: { table: Table; group: number }): Read | Promise<Read>
}
type Read = (row: number, hit: number) => Value

/** Half a character that a sender has cut is no text in any of the formats: U+FFFD stands for it. */
const wellFormed = (text: string): string => (text.isWellFormed() ? text : text.toWellFormed())

const text = (name: string, column: string): Column => ({
  name,
  kind: 'text',
  columns: [column],
  open(rows) {
    const found = rows.text(column)
    if (!found) return () => null
    const { codes, texts } = found
    const show = (code: number): Value => (texts[code] === '' ? null : wellFormed(texts[code]!))
    return column.startsWith('s.') ? (row) => show(codes[row]!) : (_row, hit) => show(codes[hit]!)
  },
})

const number = (name: string, column: string): Column => ({
  name,
  kind: 'whole',
  columns: [column],
  open(rows) {
    const found = rows.number(column)
    return (_row, hit) => valueAt(found, hit) ?? null
  },
})

const time: Column = { ...number('time', timeColumn), kind: 'time' }

const visitor: Column = {
  name: 'visitor',
  kind: 'text',
  columns: [],
  open:
    ({ visitors }) =>
    (row) =>
      hashText(visitors[row]!),
}

const visit: Column = {
  name: 'visit',
  kind: 'text',
  columns: [],
  besides: [...Object.values(ownNumbers).filter((name) => name.startsWith('d.') || name.startsWith('s.')), idText.column],
  async open(_rows, { table, group }) {
    const identityOf = await table.identityOf(group)
    let last = -1
    let id = ''
    return (row) => {
      if (row !== last) id = identityOf(row).id
      last = row
      return id
    }
  },
}

const isNew: Column = {
  name: 'new',
  kind: 'flag',
  columns: ['s.new'],
  open(rows) {
    const found = rows.number('s.new')
    return (row) => {
      const value = valueAt(found, row)
      return value === undefined ? null : value === 1
    }
  },
}

const unit = 1_000_000_000n

const revenue: Column = {
  name: 'revenue',
  kind: 'amount',
  columns: ['h.cur', 'h.revHigh', 'h.revLow'],
  open(rows) {
    const currency = rows.text('h.cur')
    const [high, low] = [rows.number('h.revHigh'), rows.number('h.revLow')]
    if (!currency) return () => null
    return (_row, hit) => {
      const code = currency.codes[hit]!
      if (code === 0) return null
      return decimal(BigInt(valueAt(high, hit) ?? 0) * unit + BigInt(valueAt(low, hit) ?? 0), currency.texts[code]!)
    }
  },
}

const props: Column = {
  name: 'props',
  kind: 'text',
  columns: [],
  besides: [...Array.from({ length: propLimits.columns }, (_, n) => propColumn(n).column), propRest.column],
  async open(_rows, { table, group }) {
    const propsOf = await table.propsOf(group)
    return (_row, hit) => {
      const pairs = propsOf(hit)
      return pairs.length === 0 ? null : jsonOf(pairs)
    }
  },
}

/** Written by hand: a property may be called `__proto__`. */
const jsonOf = (pairs: readonly (readonly [string, string | number | boolean])[]): string => {
  const textOf = (value: string | number | boolean) => JSON.stringify(typeof value === 'string' ? wellFormed(value) : value)
  return `{${pairs.map(([key, value]) => `${JSON.stringify(wellFormed(key))}:${textOf(value)}`).join()}}`
}

const byDefault: readonly Column[] = [
  time,
  text('name', 'h.n'),
  text('page', 'h.path'),
  text('hostname', 'h.host'),
  text('title', 'h.ti'),
  visitor,
  visit,
  text('source', 's.src'),
  text('medium', 's.med'),
  text('channel', 's.chan'),
  text('referrer', 's.ref'),
  text('utm_source', 's.us'),
  text('utm_medium', 's.um'),
  text('utm_campaign', 's.uc'),
  text('utm_content', 's.un'),
  text('utm_term', 's.ut'),
  text('country', 's.country'),
  text('region', 's.region'),
  text('city', 's.city'),
  text('browser', 's.br'),
  text('browser_version', 's.brv'),
  text('os', 's.os'),
  text('os_version', 's.osv'),
  text('device', 's.dev'),
  text('screen', 's.scr'),
  text('language', 's.lang'),
  isNew,
  text('bot', 's.bot'),
  revenue,
  text('currency', 'h.cur'),
  number('foreground_ms', 'h.fg'),
  number('scroll_depth', 'h.sd'),
  props,
]
/** Only where they are asked for. */
const more: readonly Column[] = [text('entry_page', 's.entry'), text('exit_page', 's.exit')]

const all = new Map([...byDefault, ...more].map((column) => [column.name, column]))
export const columnNames: readonly string[] = [...all.keys()]

/** The columns that a list of names asks for, in its order; throws `bad-query` with near names. */
export const parseColumns = (list: string | undefined): readonly Column[] => {
  if (list === undefined) return byDefault
  const names = list.split(',').map((name) => name.trim())
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  const columns = names.map((name) => {
    const column = all.get(name)
    if (!column) throw unknownName('columns', 'column', name, columnNames)
    return column
  })
  if (twice !== undefined) throw badQuery('columns', `"${twice}" is named twice`)
  return columns
}

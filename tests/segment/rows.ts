import fc from 'fast-check'
import type { Props } from '#shared/hit/record.ts'
import type { Chunk, EncodedSegment } from '#shared/segment/encode.ts'
import { openSegment } from '#shared/segment/read.ts'
import type { Row, RowHit, SegmentRow } from '#shared/segment/row.ts'
import { rowsOf } from '#shared/segment/rows.ts'
import type { Session } from '#shared/visit/event.ts'

/** Rows for tests: one in plain words, arbitrary ones, and how two are compared. */

export const day = 20_260_315
export const start = Date.UTC(2026, 2, 15, 10)

export const aHit = (fields: Partial<RowHit> = {}): RowHit => ({
  id: 'h',
  t: start,
  n: 'pageview',
  path: '/',
  host: 'example.com',
  ...fields,
})

export const aRow = ({ s = {}, ...fields }: Partial<Omit<Row, 's'>> & { s?: Partial<Session> } = {}): Row => {
  const vis = fields.vis ?? '0123456789ab'
  const session: Session = {
    ...{ id: '0-1-0', start, last: start, pv: 1, ev: 1, fg: 0, days: [[day, vis]] as [number, string][] },
    ...{ src: '(direct)', chan: 'Direct', dev: 'Desktop' },
    ...s,
  }
  return { off: 1, cont: 0, h: [aHit({ t: session.start })], ...fields, vis, s: session }
}

/** A row as text, so that every difference of value, type or presence shows; the order of keys, hit ids and days of hits do not. */
export const exact = (row: SegmentRow): string =>
  JSON.stringify({ ...row, h: row.h.map(({ id: _id, day: _day, ...hit }: Partial<RowHit & { day: number }>) => hit) }, (_key, value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value)
          .filter(([, one]) => one !== undefined)
          .sort(([a], [b]) => (a < b ? -1 : 1))
      : value,
  )

export const chunkReader = (chunks: readonly Chunk[]): ((column: string, group: number) => Buffer | undefined) => {
  const all = new Map(chunks.map(({ column, group, data }) => [`${column} ${group}`, data]))
  return (column, group) => all.get(`${column} ${group}`)
}

export const readBack = ({ head, chunks }: EncodedSegment): SegmentRow[] => [...rowsOf(openSegment(head), chunkReader(chunks))]

const hostile = [
  '',
  ' ',
  '0',
  '__proto__',
  'constructor',
  'toString',
  '\0',
  '\u{1f600}',
  '\ud83d',
  '\ude00x',
  '\uffff',
  'ü',
  '日本',
  '"',
  '\\',
  '(not set)',
]
const text = fc.oneof(
  fc.constantFrom(...hostile),
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.string({ unit: 'binary', maxLength: 4 }),
)
const hash = fc.oneof(
  fc.constantFrom('000000000000', 'ffffffffffff', '7fffffffffff', '800000000000'),
  fc.integer({ min: 0, max: 2 ** 48 - 1 }).map((n) => n.toString(16).padStart(12, '0')),
)
const count = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.constantFrom(65_535, 65_536, 2 ** 32 - 1, 2 ** 32, 2 ** 52, Number.MAX_SAFE_INTEGER),
)
const time = fc.oneof(fc.integer({ min: start - 3_600_000, max: start + 3_600_000 }), fc.constantFrom(0, 1, 2 ** 48 - 1))
const off = fc.integer({ min: 0, max: 99 })
const maybe = <T>(one: fc.Arbitrary<T>) => fc.option(one, { nil: undefined })

const scalar = fc.oneof(
  text,
  fc.boolean(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => n + 0),
  fc.constantFrom(1, '1', 'true', true),
)
/** Own properties all of them, `__proto__` too, as `JSON.parse` makes them. */
const props = fc
  .array(fc.tuple(fc.oneof(fc.constantFrom('plan', 'size', '__proto__', '', '1', 'toString'), text), scalar), { maxLength: 5 })
  .map((pairs): Props => {
    const all: Props = {}
    for (const [key, value] of pairs) Object.defineProperty(all, key, { value, enumerable: true, configurable: true, writable: true })
    return all
  })
const amount = fc.oneof(
  fc.bigInt({ min: -9_999_999_999_999_999_999n, max: 9_999_999_999_999_999_999n }).map(String),
  fc.constantFrom('0', '-1', '999999999', '1000000000', '-1000000000', '-1000000001', '9999999999999999999', '-9999999999999999999'),
)

const pages = fc.constantFrom('/', '/a', '/ü', '/x y', '')
const ownRef = fc.constantFrom(
  'example.com/',
  'example.com/a',
  'example.com/%C3%BC',
  'example.com/ü',
  'example.com/x%20y',
  'example.com/x y',
)
const hit: fc.Arbitrary<RowHit> = fc.record({
  id: text,
  t: time,
  n: fc.oneof(fc.constantFrom('pageview', 'engagement'), text),
  path: maybe(fc.oneof(pages, text)),
  host: maybe(fc.oneof(fc.constant('example.com'), text)),
  ti: maybe(text),
  ref: maybe(fc.oneof(ownRef, text)),
  p: maybe(props),
  rev: maybe(fc.record({ a: amount, c: fc.oneof(fc.constant('EUR'), text) })),
  fg: maybe(count),
  sd: maybe(count),
})

const id = fc.oneof(
  fc.tuple(fc.nat(20), fc.nat(120), fc.nat(40)).map((parts) => parts.map((n) => n.toString(36)).join('-')),
  fc.constantFrom('', '00-1-0', '1-2', '1-2-3-4', 'A-1-1', '0-zzzzzzzzz-0', '0-zzzzzzzzzzzz-0'),
  text,
)
const texts = [
  'entry',
  'entryHost',
  'exit',
  'exitHost',
  'med',
  'ref',
  'us',
  'um',
  'uc',
  'un',
  'ut',
  'clk',
  'country',
  'region',
  'city',
] as const
const more = ['br', 'brv', 'os', 'osv', 'lang', 'scr', 'bot'] as const
type Optional = (typeof texts)[number] | (typeof more)[number]
const optional = Object.fromEntries([...texts, ...more].map((key) => [key, maybe(text)])) as Record<
  Optional,
  fc.Arbitrary<string | undefined>
>

const session: fc.Arbitrary<Session> = fc.record({
  ...{ id, start: time, last: time, pv: count, ev: count, fg: count, entryT: maybe(time), exitT: maybe(time) },
  days: fc.array(fc.tuple(fc.oneof(fc.constantFrom(day, day + 1), count), hash), { maxLength: 3 }),
  ...{
    src: text,
    chan: text,
    dev: text,
    new: maybe(fc.constantFrom(0 as const, 1 as const)),
    goal: maybe(fc.constant(1 as const)),
    user: maybe(hash),
  },
  ...optional,
})

export const anyRow: fc.Arbitrary<Row> = fc.record({
  off,
  vis: hash,
  cont: fc.constantFrom(0 as const, 1 as const),
  s: session,
  h: fc.array(hit, { maxLength: 6 }),
})
/** Offsets of all arbitrary rows lie in it. */
export const interval = { from: 0, to: 100 }

/** Rows of few sessions, so that many are of one; of a session all rows have one hash, as on one day. */
export const rowsOfFew: fc.Arbitrary<Row[]> = fc
  .array(fc.tuple(anyRow, fc.nat(4)), { maxLength: 12 })
  .map((list) => list.map(([row, n]) => ({ ...row, vis: `${n % 3}`.padStart(12, '0'), s: { ...row.s, id: `0-${n}-0` } })))

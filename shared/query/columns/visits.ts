import { hashText } from '../../segment/groups.ts'
import type { Calendar } from '../../site/zone.ts'
import { type Columns, type Hit, kindOf, type Visit } from '../merge.ts'
import { dimensionOf, type Values } from './dimension.ts'
import { type Identity, optionalText, type Rows, textAt, timeColumn, valueAt } from './table.ts'

/** Whole visits made of columns, for who looks at visits one by one: the reference fold, and explorations. */

const visitColumns = ['s.start', 's.dur', 's.pv', 's.ev', 's.fg', 's.exit', 's.exitBack', 's.new', 's.bot', 's.goal'] as const
const hitColumns = ['h.n', 'h.path', 'h.fg', 'h.sd', 'h.cur', 'h.revHigh', 'h.revLow', timeColumn] as const

/** Columns that visits are made of. */
export const visitSources = ({ visit, hit }: Columns): string[] => [
  ...visitColumns,
  ...hitColumns,
  ...[...visit, ...hit].flatMap((name) => dimensionOf(name).columns),
]

/** Makes the visits of some rows, with their hits in the range. */
export const visitReader = (rows: Rows, columns: Columns, range: { from: number; to: number }, calendar: Calendar) => {
  const values = (names: readonly string[]): Values[] => names.map((name) => dimensionOf(name).read(rows, calendar))
  const [visitValues, hitValues] = [values(columns.visit), values(columns.hit)]
  const at = (values: readonly Values[], i: number): string[] => values.map(({ codes, texts }) => texts[codes[i]!]!)
  const number = (column: string) => {
    const values = rows.number(column)
    return (i: number) => valueAt(values, i)
  }
  const [start, duration, pv, ev, fg, exitBack, isNew] = ['s.start', 's.dur', 's.pv', 's.ev', 's.fg', 's.exitBack', 's.new'].map(number)
  const goal = number('s.goal')
  const [time, hitFg, depth, high, low] = [timeColumn, 'h.fg', 'h.sd', 'h.revHigh', 'h.revLow'].map(number)
  const [exit, bot, name, path, currency] = ['s.exit', 's.bot', 'h.n', 'h.path', 'h.cur'].map((column) => rows.text(column))

  const hitOf = (hit: number, vis: string): Hit => {
    const c = optionalText(currency, hit)
    return {
      t: time!(hit)!,
      kind: kindOf(textAt(name, hit)),
      vis,
      v: at(hitValues, hit),
      path: optionalText(path, hit),
      fg: hitFg!(hit) ?? 0,
      sd: depth!(hit),
      rev: c === undefined ? undefined : { a: String(BigInt(high!(hit) ?? 0) * 1_000_000_000n + BigInt(low!(hit) ?? 0)), c },
    }
  }

  return (row: number, { day, vis }: Pick<Identity, 'day' | 'vis'>): Visit => {
    const begin = start!(row)!
    const last = begin + duration!(row)!
    const own = hashText(rows.visitors[row]!)
    const back = exitBack!(row)
    const hits: Hit[] = []
    for (let hit = rows.firstHit[row]!; hit < rows.firstHit[row + 1]!; hit++) {
      const one = hitOf(hit, own)
      if (one.t >= range.from && one.t < range.to) hits.push(one)
    }
    return {
      start: begin,
      last,
      pv: pv!(row)!,
      ev: ev!(row)!,
      fg: fg!(row)!,
      exit: optionalText(exit, row),
      exitT: back === undefined ? undefined : last - back,
      new: isNew!(row) as Visit['new'],
      goal: goal(row) as Visit['goal'],
      day,
      vis,
      flagged: textAt(bot, row) !== '',
      v: at(visitValues, row),
      hits,
    }
  }
}

import { hashText } from '../../segment/groups.ts'
import type { Calendar } from '../../site/zone.ts'
import { type Columns, type Hit, kindOf, type Visit } from '../merge.ts'
import { dimensionOf, type Values } from './dimension.ts'
import { type Identity, optionalText, type Rows, type Table, textAt, timeColumn, valueAt } from './table.ts'

/**
 * Visits that have rows on several days. They are few, and what they are is known only once all their days are read: so they are put
 * together as whole visits, for the reference fold, and the columns count the visits of one day alone.
 */

const visitColumns = ['s.start', 's.dur', 's.pv', 's.ev', 's.fg', 's.exit', 's.exitBack', 's.new', 's.bot', 's.goal'] as const
const hitColumns = ['h.n', 'h.path', 'h.fg', 'h.sd', 'h.cur', 'h.revHigh', 'h.revLow', timeColumn] as const

export const daysColumn = 's.days'

/** Rows whose visit has other days too, by index. */
export const severalRows = (rows: Rows): number[] => {
  const days = rows.number(daysColumn)
  if (!days || (days.values.length > 0 && isOneForAll(days.values, 1 - days.base))) return []
  const found: number[] = []
  for (let i = 0; i < rows.rows; i++) if (valueAt(days, i)! > 1) found.push(i)
  return found
}

const isOneForAll = (values: ArrayLike<number>, one: number): boolean => {
  for (let i = 0; i < values.length; i++) if (values[i] !== one) return false
  return true
}

type Held = { off: number; visit: Visit }

export const createSeveral = (columns: Columns, range: { from: number; to: number }, calendar: Calendar) => {
  const held = new Map<string, Held>()
  const needed = [...visitColumns, ...hitColumns, ...[...columns.visit, ...columns.hit].flatMap((name) => dimensionOf(name).columns)]

  const take = (visit: Visit, { id, off }: Identity): void => {
    const other = held.get(id)
    if (!other) return void held.set(id, { off, visit })
    const newest = off >= other.off ? { off, visit } : other
    newest.visit.hits = other.visit.hits.concat(visit.hits)
    held.set(id, newest)
  }

  return {
    /** Takes the visits of some rows of a group. */
    async take(table: Table, group: number, indices: readonly number[]): Promise<void> {
      const rows = await table.load(group, needed)
      const identities = await table.identities(group, indices)
      const visitOf = visitReader(rows, columns, range, calendar)
      indices.forEach((row, i) => {
        take(visitOf(row, identities[i]!), identities[i]!)
      })
    },
    visits: (): Visit[] => Array.from(held.values(), ({ visit }) => visit),
  }
}

const visitReader = (rows: Rows, columns: Columns, range: { from: number; to: number }, calendar: Calendar) => {
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

  return (row: number, { day, vis }: Identity): Visit => {
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

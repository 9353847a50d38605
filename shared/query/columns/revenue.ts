import type { MoneySum } from '../money.ts'
import type { Room } from '../room.ts'
import { createPlaces, pairOf } from './numbers.ts'
import { type Rows, valueAt } from './table.ts'

/**
 * Sums of revenue by group and currency, as the two whole numbers in which amounts are stored (docs/segments.md); before one of them is no exact number
 * any more, both go into `whole`.
 */

const unit = 1_000_000_000n

type Sum = { group: number; currency: number; high: number; low: number; whole: bigint; hits: number }

export const revenueColumns = ['h.cur', 'h.revHigh', 'h.revLow'] as const

export const createRevenue = (room: Room) => {
  const currencies: string[] = []
  const places = createPlaces(room)
  const sums: Sum[] = []

  const sumOf = (group: number, name: string) => {
    let currency = currencies.indexOf(name)
    if (currency < 0) currency = currencies.push(name) - 1
    const place = places.placeOf(pairOf(group, currency))
    if (place === sums.length) sums.push({ group, currency, high: 0, low: 0, whole: 0n, hits: 0 })
    return sums[place]!
  }

  return {
    /** Adds the revenue of some hits, if they carry any. */
    reader(rows: Rows): (group: number, hit: number) => void {
      const currency = rows.text('h.cur')
      const [high, low] = [rows.number('h.revHigh'), rows.number('h.revLow')]
      if (!currency) return () => undefined
      const { codes, texts } = currency
      return (group, hit) => {
        const code = codes[hit]!
        if (code === 0) return
        const sum = sumOf(group, texts[code]!)
        sum.high += valueAt(high, hit) ?? 0
        sum.low += valueAt(low, hit) ?? 0
        sum.hits++
        if (sum.low > limit || Math.abs(sum.high) > limit) settle(sum)
      }
    },
    add(group: number, currency: string, { amount, hits }: MoneySum): void {
      const sum = sumOf(group, currency)
      sum.whole += amount
      sum.hits += hits
    },
    /** The sums of each group, by currency. */
    byGroup(): Map<number, Map<string, MoneySum>> {
      const groups = new Map<number, Map<string, MoneySum>>()
      for (const sum of sums) {
        settle(sum)
        const own = groups.get(sum.group) ?? new Map<string, MoneySum>()
        groups.set(sum.group, own)
        own.set(currencies[sum.currency]!, { amount: sum.whole, hits: sum.hits })
      }
      return groups
    },
  }
}

const limit = 2 ** 52

const settle = (sum: Sum): void => {
  sum.whole += BigInt(sum.high) * unit + BigInt(sum.low)
  sum.high = 0
  sum.low = 0
}

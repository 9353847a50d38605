import type { Meta } from './api.ts'
import { labelOf } from './periods.ts'

/** What is said where the numbers are not of all that was asked for: of a sample, without rows that the site no longer keeps, or between two rules. */
export const scopeNotices = (meta: Meta | undefined, timeZone: string): string[] => {
  const notices: string[] = []
  if (meta?.complete_from !== undefined) {
    const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone }).format(new Date(meta.complete_from))
    notices.push(
      `This site keeps its rows from ${day} on: what came before, in this period or in the one it is compared with, is not in these numbers.`,
    )
  }
  if (meta?.exact === false) {
    const perCent = (share = 0): string => (100 * share).toPrecision(2)
    notices.push(
      `These numbers are estimates: ${perCent(meta.sampled)} % of the visitors were counted. What all of them have is within ±${perCent(meta.relative_error)} %; smaller rows are off by more.`,
    )
  }
  if (meta?.replaying !== undefined) {
    const { from, to } = meta.replaying
    const days = from === to ? labelOf(from) : `${labelOf(from)} to ${labelOf(to)}`
    notices.push(`Numbers of ${days} are being switched to new rules.`)
  }
  return notices
}

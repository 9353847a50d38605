import type { Campaign } from '../hit/record.ts'
import { clickIds } from './sources.ts'

/** Campaign marks of a page's URL. Only the network of a click id is kept: the value identifies a person's click. */

/** Longest value kept of a utm parameter. */
export const campaignLimits = { chars: 300 } as const

const marks: ReadonlyMap<string, 'us' | 'um' | 'uc' | 'un' | 'ut'> = new Map([
  ['utm_source', 'us'],
  ['utm_medium', 'um'],
  ['utm_campaign', 'uc'],
  ['utm_content', 'un'],
  ['utm_term', 'ut'],
])

/**
 * The campaign in decoded query parameters (a URLSearchParams will do), or undefined when there is none. Parameter names count as
 * written (GA4); of a repeated one the first that is not empty counts. Control characters become spaces, values are trimmed and cut.
 * Of several click ids the one highest in `clickIds` counts (product.md "Sources and channels").
 */
export const campaignOf = (params: Iterable<[string, string]>): Campaign | undefined => {
  const campaign: Campaign = {}
  let best = clickIds.length
  for (const [name, raw] of params) {
    const mark = marks.get(name)
    if (mark !== undefined) campaign[mark] ??= cleanValue(raw)
    else best = Math.min(best, rankOf(name, raw))
  }
  if (best < clickIds.length) campaign.clk = clickIds[best]![1]
  return withoutAbsent(campaign)
}

const ranks: ReadonlyMap<string, number> = new Map(clickIds.map(([param], rank) => [param, rank]))

const rankOf = (name: string, raw: string): number => (raw.trim() === '' ? clickIds.length : (ranks.get(name) ?? clickIds.length))

/** `toWellFormed` because a cut between the two halves of an emoji would leave text that no store takes. */
const cleanValue = (raw: string): string | undefined => {
  const clean = raw
    .slice(0, campaignLimits.chars * 4)
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
  return clean === '' ? undefined : clean.slice(0, campaignLimits.chars).toWellFormed().trimEnd()
}

const withoutAbsent = (campaign: Campaign): Campaign | undefined => {
  const found = Object.entries(campaign).filter(([, value]) => value !== undefined)
  return found.length === 0 ? undefined : Object.fromEntries(found)
}

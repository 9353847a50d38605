import type { Campaign } from '../hit/record.ts'
import { kindOf } from './source.ts'
import type { SourceKind } from './sources.ts'

/**
 * GA4's default channel group over our own lists of sites. Rules are asked from the top, the first that holds names the channel.
 * The quoted words are GA4's published definitions for manually tagged traffic (support.google.com/analytics/answer/9756891); the order
 * is product.md's (Google's page now has Referral before Email, which differs only for a source `email` with a medium like `link`).
 * Ours: they are compared in lower case, so that `Email` is Email. What GA4 knows only from linked ad accounts has no rule here.
 */

/** Source, medium and campaign of a visit, in lower case, and what kind of site the source is. */
type Traffic = { src: string; med: string; campaign: string; kind: SourceKind | undefined; isPaid: boolean }

const hasShop = (campaign: string): boolean => /(?:[^a-df-z]|^)shop|shopping/.test(campaign)
const isShopping = ({ kind, campaign }: Traffic): boolean => kind === 'shopping' || hasShop(campaign)

/** "Medium matches regex ^(.*cp.*|ppc|retargeting|paid.*)$" */
const isPaidMedium = (med: string): boolean => med.includes('cp') || med === 'ppc' || med === 'retargeting' || med.startsWith('paid')

const socialMedia: ReadonlySet<string> = new Set(['social', 'social-network', 'social-media', 'sm', 'social network', 'social media'])
const displayMedia: ReadonlySet<string> = new Set(['display', 'banner', 'expandable', 'interstitial', 'cpm'])
const emailWords: ReadonlySet<string> = new Set(['email', 'e-mail', 'e_mail', 'e mail'])
const referralMedia: ReadonlySet<string> = new Set(['referral', 'app', 'link'])

const rules: readonly (readonly [channel: string, holds: (traffic: Traffic) => boolean])[] = [
  // "Source exactly matches "(direct)" AND Medium is one of ("(not set)", "(none)")"; an absent medium is (not set).
  ['Direct', ({ src, med }) => src === '(direct)' && (med === '' || med === '(not set)' || med === '(none)')],
  // "Campaign Name contains "cross-network""
  ['Cross-network', ({ campaign }) => campaign.includes('cross-network')],
  // "(Source matches a list of shopping sites OR Campaign Name matches regex ^(.*(([^a-df-z]|^)shop|shopping).*)$) AND [paid medium]"
  ['Paid Shopping', (traffic) => traffic.isPaid && isShopping(traffic)],
  // "Source matches a list of search sites AND [paid medium]"
  ['Paid Search', ({ isPaid, kind }) => isPaid && kind === 'search'],
  // "Source matches a regex list of social sites AND [paid medium]"
  ['Paid Social', ({ isPaid, kind }) => isPaid && kind === 'social'],
  // "Source matches a list of video sites AND [paid medium]"
  ['Paid Video', ({ isPaid, kind }) => isPaid && kind === 'video'],
  // "Medium is one of ("display", "banner", "expandable", "interstitial", "cpm")"
  ['Display', ({ med }) => displayMedia.has(med)],
  // "[paid medium]"
  ['Paid Other', ({ isPaid }) => isPaid],
  // GA4: medium `ai-assistant`, which it sets by a list of its own. Ours also takes the source, since ChatGPT tags its links with
  // utm_source alone. Behind the paid channels (an ad in an assistant is an ad), before all organic ones and Referral.
  ['AI Assistant', ({ med, kind }) => med === 'ai-assistant' || kind === 'ai'],
  // "Source matches a list of shopping sites OR Campaign name matches regex ^(.*(([^a-df-z]|^)shop|shopping).*)$"
  ['Organic Shopping', isShopping],
  // "Source matches a regex list of social sites OR Medium is one of ("social", "social-network", "social-media", "sm", …)"
  ['Organic Social', ({ med, kind }) => kind === 'social' || socialMedia.has(med)],
  // "Source matches a list of video sites OR Medium matches regex ^(.*video.*)$"
  ['Organic Video', ({ med, kind }) => kind === 'video' || med.includes('video')],
  // "Source matches a list of search sites OR Medium exactly matches organic"
  ['Organic Search', ({ med, kind }) => kind === 'search' || med === 'organic'],
  // "Source = email|e-mail|e_mail|e mail OR Medium = email|e-mail|e_mail|e mail"; ours: or the source is a webmail.
  ['Email', ({ src, med, kind }) => emailWords.has(src) || emailWords.has(med) || kind === 'mail'],
  // "Medium = affiliate"
  ['Affiliates', ({ med }) => med === 'affiliate'],
  // "Medium is one of ("referral", "app", or "link")"
  ['Referral', ({ med }) => referralMedia.has(med)],
  // "Medium exactly matches audio"
  ['Audio', ({ med }) => med === 'audio'],
  // "Source exactly matches sms OR Medium exactly matches sms"
  ['SMS', ({ src, med }) => src === 'sms' || med === 'sms'],
  // "Medium ends with "push" OR Medium contains "mobile" or "notification" OR Source exactly matches "firebase""
  [
    'Mobile Push Notifications',
    ({ src, med }) => med.endsWith('push') || med.includes('mobile') || med.includes('notification') || src === 'firebase',
  ],
]

/** GA4's word for what no rule names, such as a utm_source of one's own without a medium. */
const unassigned = 'Unassigned'

/** All channels in the order in which their rules are asked. */
export const channels: readonly string[] = [...rules.map(([channel]) => channel), unassigned]

/** The channel of a visit: `src` and `med` as `sourceOf` gave them, `q` for the campaign's name. Always one of `channels`. */
export const channelOf = (visit: { src: string; med?: string; q?: Campaign; ref?: string }): string => {
  const med = visit.med?.toLowerCase() ?? ''
  const traffic: Traffic = {
    src: visit.src.toLowerCase(),
    med,
    campaign: visit.q?.uc?.toLowerCase() ?? '',
    kind: kindOf(visit.src),
    isPaid: isPaidMedium(med),
  }
  return rules.find(([, holds]) => holds(traffic))?.[0] ?? unassigned
}

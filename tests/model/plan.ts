import type { Request } from '#shared/handler.ts'
import { defaults, type SiteConfig } from '#shared/site/config.ts'
import type { Random } from './random.ts'

/** What a run sends: requests of a few visitors to a few sites, with repeats, disorder, lateness and times that matter. */
export type Planned = { afterMs: number; request: Request; ids: string[]; site: string }

const minute = 60_000
const hour = 60 * minute

const site = (name: string, tz: string, options: Partial<SiteConfig> = {}): SiteConfig => ({
  site: name,
  version: 1,
  at: 0,
  created: 0,
  zones: [{ tz, from: 0 }],
  ...defaults,
  key: `key of ${name}`,
  hosts: [],
  params: [],
  exclude: { paths: [], countries: [], addresses: [] },
  origins: [],
  ...options,
})

/** Sites whose rules differ where it hurts. */
export const sites: readonly SiteConfig[] = [
  site('plain.example', 'Europe/Berlin'),
  site('anon.example', 'America/New_York', { identity: 'cookieless', sessionTimeoutMs: 5 * minute }),
  site('cut.example', 'Australia/Lord_Howe', {
    cutAtMidnight: true,
    cutAtCampaign: true,
    bounce: 'single-page',
    exclude: { paths: ['/private*'], countries: [], addresses: [] },
  }),
]

/** Moments to begin at: ordinary, before both daylight-saving nights of Berlin and New York, before a year's end. */
export const starts: readonly number[] = [
  Date.UTC(2026, 5, 10, 9),
  Date.UTC(2026, 9, 24, 20),
  Date.UTC(2026, 2, 28, 21),
  Date.UTC(2026, 10, 1, 2),
  Date.UTC(2026, 11, 31, 20),
]

const gap = (random: Random): number => {
  const x = random.next()
  if (x < 0.6) return random.below(40_000)
  if (x < 0.8) return random.below(20 * minute)
  if (x < 0.95) return random.below(2 * hour)
  return random.below(14 * hour)
}

const waited = (random: Random): number | undefined => {
  const x = random.next()
  if (x < 0.75) return undefined
  if (x < 0.9) return random.below(10 * minute)
  return random.below(30 * hour)
}

const pages = ['/', '/docs', '/docs/start', '/pricing', '/private/x', '/__proto__', '/caf%C3%A9']
const referrers = [undefined, undefined, 'https://www.google.com/search?q=x', 'https://news.example.org/a', 'https://plain.example/own']
const queries = ['', '', '', '?utm_source=mail&utm_medium=email&utm_campaign=may', '?utm_source=ads&utm_medium=cpc', '?gclid=abc']

const hitOf = (random: Random, domain: string, id: string, visitor: number): Record<string, unknown> => {
  const host = random.chance(0.05) ? 'elsewhere.example' : random.chance(0.1) ? `sub.${domain}` : domain
  const url = `https://${host}${random.pick(pages)}${random.pick(queries)}`
  const x = random.next()
  const kind =
    x < 0.7
      ? { url, title: `T${random.below(3)}` }
      : x < 0.85
        ? {
            name: random.pick(['signup', 'download', 'toString']),
            url: random.chance(0.8) ? url : undefined,
            props: { plan: random.pick(['a', 'b', '__proto__']), n: random.below(3) },
          }
        : { name: 'engagement', url, engaged: random.below(15_000), scroll: random.below(101) }
  const revenue =
    x >= 0.7 && x < 0.75 ? { amount: (random.below(10_000) / 100).toFixed(2), currency: random.pick(['EUR', 'USD']) } : undefined
  return {
    site: domain,
    id,
    ...kind,
    revenue,
    referrer: random.pick(referrers),
    queued: waited(random),
    visitor: random.chance(0.8) ? `visitor-${visitor}.2026${random.pick(['0610', '0101'])}` : undefined,
  }
}

/** The requests of one run: at most `hits` hits in all. */
export const createPlan = (random: Random, hits: number): Planned[] => {
  const plan: Planned[] = []
  const sent: { site: string; id: string; visitor: number }[] = []
  let made = 0
  while (made < hits) {
    const domain = random.pick(sites).site
    const visitor = random.below(4)
    const size = random.chance(0.75) ? 1 : 1 + random.below(4)
    const batch: Record<string, unknown>[] = []
    for (let i = 0; i < size; i++, made++) {
      const again = sent.length > 0 && random.chance(0.15) ? random.pick(sent) : undefined
      const hit = again
        ? hitOf(random, again.site, again.id, again.visitor)
        : hitOf(random, domain, `id-${made}-${random.below(1e9)}`, visitor)
      batch.push(hit)
      sent.push({ site: hit['site'] as string, id: hit['id'] as string, visitor })
    }
    const agent = random.chance(0.08) ? 'bot' : 'person'
    plan.push({
      afterMs: gap(random),
      ids: batch.map((hit) => `${hit['site']} ${hit['id']}`),
      site: domain,
      request: {
        method: 'POST',
        path: '/api/hit',
        query: '',
        headers: { 'user-agent': `${agent} ${visitor}` },
        body: Buffer.from(JSON.stringify({ hits: batch })),
        address: `10.0.${visitor}.${visitor % 2}`,
      },
    })
  }
  return plan
}

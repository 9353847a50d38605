import type { Kind } from './agents.ts'
import type { Random } from './random.ts'

/** The world that the traffic comes from: pages, referrers, campaigns, languages, screens, addresses. Data, written by us. */

export type Page = { path: string; title: string }

const sections = ['docs', 'blog', 'guides', 'products', 'help', 'careers', 'customers'] as const
const topics = [
  ...['getting started', 'pricing explained', 'release notes', 'a week in numbers', 'privacy by design', 'moving from another tool'],
  ...['funnels', 'segments', 'custom events', 'self-hosting', 'backups', 'the query API', 'single-page apps', 'campaign links'],
  ...['Über uns', 'häufige Fragen', '日本語の案内', 'résumé de l’année', 'kontakt', 'team'],
]
const fixed: readonly Page[] = [
  { path: '/', title: 'Home' },
  { path: '/pricing', title: 'Pricing' },
  { path: '/docs', title: 'Documentation' },
  { path: '/blog', title: 'Blog' },
  { path: '/signup', title: 'Sign up' },
  { path: '/login', title: 'Log in' },
]

const slug = (text: string): string => text.toLowerCase().replaceAll(/[\s’]+/g, '-')

/** The pages of a site, the most read first: the k-th is read about 1/k as often. */
export const pagesOf = (count: number): Page[] => [
  ...fixed.slice(0, count),
  ...Array.from({ length: Math.max(0, count - fixed.length) }, (_, i) => {
    const section = sections[i % sections.length]!
    const topic = topics[Math.floor(i / sections.length) % topics.length]!
    const edition = Math.floor(i / (sections.length * topics.length))
    const title = edition === 0 ? topic : `${topic} ${edition + 1}`
    return { path: `/${section}/${slug(title)}`, title: `${title} – ${section}` }
  }),
]

/** Where a visit comes from: a referrer, marks on the first page's address, both, or neither. */
export type Origin = { referrer?: string; query?: string }

export const origins: readonly (readonly [weight: number, origin: Origin])[] = [
  [300, {}],
  [250, { referrer: 'https://www.google.com/' }],
  [25, { referrer: 'https://www.bing.com/' }],
  [15, { referrer: 'https://duckduckgo.com/' }],
  [8, { referrer: 'https://search.brave.com/' }],
  [6, { referrer: 'https://yandex.ru/' }],
  [25, { referrer: 'https://news.ycombinator.com/item?id=41000000' }],
  [20, { referrer: 'https://www.reddit.com/r/selfhosted/' }],
  [12, { referrer: 'https://github.com/topics/analytics' }],
  [15, { referrer: 'https://t.co/Ab3dEf' }],
  [12, { referrer: 'https://www.linkedin.com/feed/' }],
  [18, { referrer: 'https://l.facebook.com/' }],
  [10, { referrer: 'https://www.youtube.com/watch?v=abcdefghijk' }],
  [14, { referrer: 'https://chatgpt.com/' }],
  [5, { referrer: 'https://www.perplexity.ai/' }],
  [4, { referrer: 'android-app://com.google.android.gm/' }],
  [8, { referrer: 'https://blog.example.org/a-review?page=2' }],
  [6, { referrer: 'https://de.wikipedia.org/wiki/Webanalyse' }],
  [40, { referrer: 'https://www.google.com/', query: 'gclid=CjwKCAjw8_2xBhA&gad_source=1' }],
  [12, { referrer: 'https://www.bing.com/', query: 'msclkid=f00dfeed' }],
  [20, { referrer: 'https://l.facebook.com/', query: 'fbclid=IwAR0abc&utm_source=facebook&utm_medium=paid_social&utm_campaign=spring' }],
  [4, { query: 'ttclid=E.C.P.x&utm_source=tiktok&utm_medium=cpc&utm_campaign=launch' }],
  [35, { query: 'utm_source=newsletter&utm_medium=email&utm_campaign=week-42&utm_content=top' }],
  [12, { query: 'utm_source=newsletter&utm_medium=email&utm_campaign=week-41' }],
  [8, { query: 'utm_source=partner&utm_medium=affiliate&utm_campaign=p-17' }],
  [6, { query: 'utm_source=podcast&utm_medium=audio&utm_campaign=S%C3%BCdwest' }],
]

/** Places people come from: first octet of an address there, and their language. */
export const places: readonly (readonly [weight: number, place: { octet: number; language: string }])[] = [
  [20, { octet: 73, language: 'en-US' }],
  [12, { octet: 24, language: 'en-US' }],
  [4, { octet: 76, language: 'es-US' }],
  [14, { octet: 91, language: 'de-DE' }],
  [8, { octet: 84, language: 'de' }],
  [8, { octet: 86, language: 'en-GB' }],
  [7, { octet: 90, language: 'fr-FR' }],
  [4, { octet: 151, language: 'it-IT' }],
  [4, { octet: 83, language: 'es-ES' }],
  [3, { octet: 82, language: 'nl-NL' }],
  [6, { octet: 126, language: 'ja-JP' }],
  [5, { octet: 117, language: 'en-IN' }],
  [4, { octet: 114, language: 'zh-CN' }],
  [5, { octet: 187, language: 'pt-BR' }],
  [2, { octet: 190, language: 'es-AR' }],
  [2, { octet: 41, language: 'en-ZA' }],
  [2, { octet: 1, language: 'en-AU' }],
]

export const screens: Readonly<Record<Kind, readonly (readonly [weight: number, screen: string])[]>> = {
  desktop: [
    [40, '1920x1080'],
    [15, '1536x864'],
    [12, '2560x1440'],
    [9, '1366x768'],
    [8, '1440x900'],
    [5, '1728x1117'],
    [3, '3840x2160'],
  ],
  mobile: [
    [20, '390x844'],
    [18, '393x852'],
    [14, '412x915'],
    [12, '360x800'],
    [8, '430x932'],
    [6, '414x896'],
    [4, '375x667'],
  ],
  tablet: [
    [10, '820x1180'],
    [6, '810x1080'],
    [4, '800x1280'],
    [3, '1024x1366'],
  ],
}

/** The k-th address, each of them once: two octets beside each other lie far apart, so that networks are spread. */
export const addressOf = (octet: number, k: number): string => {
  const host = Math.imul(k + 1, 0x9e3779b1) & 0xffffff // an odd factor: no two of 2^24 are alike
  return `${octet}.${host >>> 16}.${(host >>> 8) & 255}.${host & 255}`
}

/** The k-th IPv6 address, of a network of its own. */
export const address6Of = (k: number): string =>
  `2a02:810${((k >>> 16) & 15).toString(16)}:${(k & 0xffff).toString(16)}::${((k * 7) & 0xffff).toString(16)}`

/** A hit that must be refused, with the reason the server must give. */
export type Bad = { reason: string; fields: Readonly<Record<string, unknown>> }
export const badHits = (site: string): readonly Bad[] => [
  { reason: 'bad-url', fields: { url: 'not a url' } },
  { reason: 'bad-url', fields: { url: `ftp://${site}/file` } },
  { reason: 'too-long', fields: { url: `https://${site}/${'x'.repeat(2_000)}` } },
  { reason: 'too-long', fields: { name: 'n'.repeat(121) } },
  { reason: 'bad-revenue', fields: { name: 'purchase', revenue: { amount: '1e5', currency: 'EUR' } } },
]

export type Happening = { name: string; props?: Record<string, string | number | boolean>; revenue?: { amount: string; currency: string } }

const currencies = ['EUR', 'EUR', 'EUR', 'USD', 'USD', 'GBP', 'JPY'] as const
const plans = ['free', 'solo', 'team', 'business'] as const

/** Something that a visitor does beside looking at pages. */
export const happening = (random: Random, page: Page): Happening => {
  const name = random.weighted([
    [40, 'outbound'],
    [25, 'download'],
    [20, 'search'],
    [10, 'signup'],
    [8, 'purchase'],
  ] as const)
  if (name === 'outbound') return { name, props: { host: random.pick(['github.com', 'docs.example.org', 'status.example.org']) } }
  if (name === 'download') return { name, props: { file: `${slug(page.title)}.pdf`, size: random.whole(5_000) } }
  if (name === 'search') return { name, props: { query: random.pick(topics), results: random.whole(40), empty: random.chance(0.1) } }
  if (name === 'signup') return { name, props: { plan: random.pick(plans) } }
  const currency = random.pick(currencies)
  const cents = 500 + random.whole(20_000)
  const amount = currency === 'JPY' ? String(cents) : `${Math.floor(cents / 100)}.${String(cents % 100).padStart(2, '0')}`
  return { name, props: { plan: random.pick(plans), 'first order': random.chance(0.4) }, revenue: { amount, currency } }
}

import type { Random } from './random.ts'
import { happening, type Origin, origins, type Page } from './world.ts'

/** What one visit sends: its hits in order, each with the seconds that pass before it. */
export type Fields = {
  name?: string
  url?: string
  title?: string
  referrer?: string
  props?: Record<string, string | number | boolean>
  revenue?: { amount: string; currency: string }
  engaged?: number
  scroll?: number
}
/** `page` is what the server must make of the URL. */
export type Step = { afterS: number; page: string; fields: Fields }

const limits = { pages: 30, gapS: 1_200 } as const

const urlOf = (site: string, { path }: Page, query?: string): string => `https://${site}${encodeURI(path)}${query ? `?${query}` : ''}`

/** A visit of two in five ends with its first page; the others go on with 7 in 10 after each. */
const pageCount = (random: Random): number => {
  if (random.chance(0.4)) return 1
  let count = 2
  while (count < limits.pages && random.chance(0.7)) count++
  return count
}

const gap = (random: Random): number => Math.min(limits.gapS, Math.max(1, random.spread(25, 1)))

const engagement = (random: Random, page: Page, url: string, seconds: number): Step => {
  const engaged = Math.round(Math.min(seconds, 300) * (0.4 + 0.6 * random.unit()) * 1_000)
  return { afterS: seconds, page: page.path, fields: { name: 'engagement', url, engaged, scroll: 5 + random.whole(96) } }
}

/** The hits of one page: the pageview, sometimes an event, mostly the update when it is left. */
const pageSteps = (random: Random, site: string, page: Page, first: Origin | undefined, afterS: number): Step[] => {
  const url = urlOf(site, page)
  const view: Step = {
    afterS,
    page: page.path,
    fields: { url: urlOf(site, page, first?.query), title: page.title, referrer: first?.referrer },
  }
  const steps = [view]
  if (random.chance(0.12)) steps.push({ afterS: gap(random) / 3, page: page.path, fields: { ...happening(random, page), url } })
  if (random.chance(0.7)) steps.push(engagement(random, page, url, gap(random)))
  return steps
}

/** A person's visit. */
export const humanVisit = (random: Random, site: string, pages: readonly Page[]): Step[] => {
  const origin = random.weighted(origins)
  const count = pageCount(random)
  const steps: Step[] = []
  for (let i = 0; i < count; i++) {
    const page = pages[random.zipf(pages.length)]!
    steps.push(...pageSteps(random, site, page, i === 0 ? origin : undefined, i === 0 ? 0 : gap(random)))
  }
  return steps
}

/** A robot's visit: pages one after the other, of all of them alike. */
export const robotVisit = (random: Random, site: string, pages: readonly Page[]): Step[] =>
  Array.from({ length: 1 + random.whole(6) }, (_, i) => {
    const page = random.pick(pages)
    return { afterS: i === 0 ? 0 : 1 + random.unit() * 4, page: page.path, fields: { url: urlOf(site, page), title: page.title } }
  })

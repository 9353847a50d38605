import { hostName, siteName } from '#shared/site/domain.ts'
import { type Answer, ask } from './http.ts'

/** Looks at a page as a visitor's browser would get it: does it carry the tracker, and for which site? */

const timeoutMs = 10_000
const limitBytes = 5 * 1024 * 1024
const redirectLimit = 5

/** The page behind an address, redirects followed. */
export const fetchPage = async (address: URL): Promise<{ url: URL; answer: Answer }> => {
  let url = address
  for (let hop = 0; hop <= redirectLimit; hop++) {
    const headers = { 'user-agent': 'footfall-doctor', accept: 'text/html' }
    const answer = await ask({ method: 'GET', url, headers, timeoutMs, limitBytes })
    const location = answer.status >= 300 && answer.status < 400 ? answer.headers['location'] : undefined
    if (location === undefined) return { url, answer }
    url = new URL(location, url)
    if (!/^https?:$/.test(url.protocol)) throw new Error(`it sends on to ${url.protocol}`)
  }
  throw new Error(`more than ${redirectLimit} redirects`)
}

export type ScriptTag = { src: URL; site: string | undefined }

const attributeOf = (tag: string, name: string): string | undefined => {
  const found = new RegExp(`\\s${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(tag)
  return (found?.[1] ?? found?.[2] ?? found?.[3])?.replaceAll('&amp;', '&')
}

// Comments and tags are looked for by hand: a page full of openings would make regular expressions slow.

/** The page without its comments. */
const withoutComments = (html: string): string => {
  let text = ''
  let from = 0
  for (;;) {
    const open = html.indexOf('<!--', from)
    if (open === -1) return text + html.slice(from)
    text += html.slice(from, open)
    const close = html.indexOf('-->', open)
    if (close === -1) return text
    from = close + 3
  }
}

const longestTag = 2_000

/** The opening script tags of a page, as written. */
const openings = (html: string): string[] =>
  [...html.matchAll(/<script/gi)].flatMap(({ index }) => {
    const tag = html.slice(index, index + longestTag)
    const end = tag.indexOf('>')
    return end === -1 ? [] : [tag.slice(0, end)]
  })

/** The tracker's tags in a page, those in comments left out. */
export const scriptTags = (html: string, page: URL): ScriptTag[] => {
  return openings(withoutComments(html)).flatMap((tag) => {
    const src = attributeOf(tag, 'src') ?? ''
    if (!/(?:^|\/)footfall\.js(?:$|[?#])/.test(src) || !URL.canParse(src, page.href)) return []
    const site = attributeOf(tag, 'data-site')
    return [{ src: new URL(src, page), site: site === undefined ? undefined : (siteName(site) ?? site) }]
  })
}

/** What keeps the page from being counted, as sentence and cure; undefined when nothing does. */
export const problemOf = (
  tags: readonly ScriptTag[],
  page: URL,
  sites: readonly string[],
  base: URL,
): { problem: string; cure: string } | undefined => {
  const host = hostName(page.hostname)
  const likely = sites.find((site) => host === site || host.endsWith(`.${site}`))
  const fix = likely
    ? `Put the tag into its head; \`footfall site list --json\` prints it.`
    : `Add the site with \`footfall site add ${host}\`, and put the tag it prints into the head.`
  const [tag] = tags
  if (!tag) return { problem: 'the page has no tracker script.', cure: fix }
  if (tag.site === undefined) return { problem: 'the script tag has no data-site.', cure: `Add data-site="${likely ?? host}" to it.` }
  if (!sites.includes(tag.site))
    return {
      problem: `the script tag counts for ${tag.site}, which is not registered.`,
      cure: `Add it with \`footfall site add ${tag.site}\`, or correct data-site.`,
    }
  if (tag.src.origin !== base.origin)
    return {
      problem: `the script comes from ${tag.src.origin}, and this server's public address is ${base.origin}.`,
      cure: 'Correct src, or set FOOTFALL_URL to the public address.',
    }
  if (page.protocol === 'https:' && tag.src.protocol === 'http:')
    return {
      problem: 'the page is https and the script http: browsers block it.',
      cure: 'Serve Footfall over https and set FOOTFALL_URL to that address.',
    }
  return undefined
}

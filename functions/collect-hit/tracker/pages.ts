import { isUnwanted } from './choice.ts'
import type { Hit, Options } from './hit.ts'
import { random, visitorId } from './identity.ts'
import { gatherMs, urlLimit } from './limits.ts'
import { add, adopt, flush, flushAgain, flushLast, type Kept, stamp } from './queue.ts'
import { listen, quiet, ticks } from './quiet.ts'
import { hasHashRoutes, site } from './tag.ts'

/**
 * The life of pages: which one is shown, what it is called, how long it is in the foreground and how far it was scrolled. A document
 * shows many pages one after the other where its script changes the address, or where it comes back out of the back/forward cache.
 */

let url = ''
/** Undefined until it is late enough to read it; hits wait that long for it. */
let title: string | undefined
let untitled: Kept[] = []
let timer: ReturnType<typeof setTimeout> | undefined
/** Since when the page is in the foreground; 0 where it is not. */
let shownAt = 0
/** The lowest line that was seen, in pixels: how much of the page that is, is known when it is left. */
let lowest = 0
let saidScroll = 0
let idTime = 0

/** A route behind `#/` or `#!/` becomes part of the path, where a server can see it; another hash is a place in a page. */
const address = (): string => {
  const { origin, pathname, search, hash } = location
  const [route, query] = (hasHashRoutes && /^#!?\//.test(hash) ? hash.slice(1) : '').split('?')
  return (origin + pathname + (route && `%23${route}`) + (search || (query ? `?${query}` : ''))).slice(0, urlLimit)
}

/** Ordered by time, also within a millisecond and where the clock is set back: stored hits sort by it. */
const newId = (): string => {
  idTime = Math.max(idTime + 1, Date.now())
  return idTime.toString(36) + random()
}

const keep = (kept: Kept): void => {
  kept.hit.title ||= title
  add(kept)
}

type Details = Options & { engaged?: number; scroll?: number }

export const record = (name: string, details?: Details): void => {
  if (isUnwanted()) return
  const hit: Hit = {
    id: newId(),
    site,
    name,
    url,
    screen: `${screen.width}x${screen.height}`,
    language: navigator.language,
    visitor: visitorId(),
    ...details,
  }
  if (title === undefined) untitled.push(stamp(hit))
  else keep(stamp(hit))
  timer ||= setTimeout(sendSettled, gatherMs)
}

const settleTitle = (): void => {
  title ??= document.title
  untitled.forEach(keep)
  untitled = []
}

const see = (): void => {
  lowest = Math.max(lowest, scrollY + innerHeight)
}

/** Says what is new since it was last said; who calls it ends the page's time in front, or begins another page. */
const sayEngagement = (): void => {
  const now = ticks()
  const engaged = Math.round(now - (shownAt || now))
  const scroll = Math.min(100, Math.round((lowest / document.documentElement.scrollHeight) * 100))
  if (engaged > 0 || scroll > saidScroll) record('engagement', { engaged, scroll })
  saidScroll = scroll
}

const sendSettled = quiet(() => {
  timer = undefined
  settleTitle()
  flush()
})

const view = (referrer: string, waitMs: number): void => {
  url = address()
  title = undefined
  lowest = saidScroll = 0
  shownAt = document.hidden ? 0 : ticks()
  clearTimeout(timer)
  timer = setTimeout(sendSettled, waitMs)
  record('pageview', { referrer })
}

/** The address may have changed. */
const route = (): void => {
  if (address() === url) return
  const from = url
  settleTitle()
  sayEngagement()
  view(from, gatherMs)
}

const leave = (): void => {
  see()
  settleTitle()
  sayEngagement()
  shownAt = 0
  flushLast()
}

const watchRoutes = (): void => {
  for (const name of ['pushState', 'replaceState'] as const) {
    const original = history[name]
    history[name] = function (this: History, ...args: Parameters<History['pushState']>) {
      original.apply(this, args)
      quiet(route)()
    }
  }
}

export const start = (): void => {
  adopt()
  view(document.referrer, document.title ? 0 : gatherMs)
  listen('visibilitychange', () => {
    if (document.hidden) leave()
    else shownAt ||= ticks()
  })
  listen('pagehide', leave)
  listen('pageshow', ({ persisted }: PageTransitionEvent) => {
    if (persisted) view(document.referrer, 0)
  })
  listen('scroll', see)
  listen('online', flushAgain)
  listen('popstate', route)
  listen('hashchange', route)
  watchRoutes()
}

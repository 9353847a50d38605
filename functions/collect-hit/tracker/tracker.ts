import { isUnwanted, obeyAddress } from './choice.ts'
import { watchClicks } from './clicks.ts'
import type { Options } from './hit.ts'
import { forgetVisitor } from './identity.ts'
import { record, start } from './pages.ts'
import { clear } from './queue.ts'
import { listen, quiet } from './quiet.ts'
import { site } from './tag.ts'

/**
 * The tracker: counts the pages of one site in a browser. docs/tracker.md says what it does and what it keeps. Here it is put together:
 * the tag says for whom, the visitor's choice whether at all, and counting begins when the page is seen.
 */
type Call = [name: string, options?: Options]
type Api = ((...call: Call) => void) & { site?: string; q?: Call[] }
declare global {
  interface Window {
    footfall?: Api
  }
}

const before = window.footfall
/** Calls that came too early: those of the page's own stub, and those before the page is seen. */
const early = before?.q || []
let isStarted = false

/** Options are copied: what is not JSON fails here and alone, and what the page changes later changes no hit. */
const tell = quiet((...call: Call): void => {
  const [name, options = {}] = call
  if (isStarted) record(name, JSON.parse(JSON.stringify(options)))
  else early.push(call)
})

/** What a browser that does not want to be counted has kept so far goes. */
const choose = (): void => {
  obeyAddress()
  if (!isUnwanted()) return
  clear()
  forgetVisitor()
}

/** A page that was opened in the background, or ahead of a click, is no view until somebody sees it. */
const startIfSeen = (): void => {
  if (isStarted || document.hidden || (document as { prerendering?: boolean }).prerendering) return
  isStarted = true
  start()
  for (const call of early) tell(...call)
  watchClicks()
}

const run = (): void => {
  window.footfall = Object.assign(tell, { site })
  listen('hashchange', choose)
  choose()
  listen('prerenderingchange', startIfSeen)
  listen('visibilitychange', startIfSeen)
  startIfSeen()
}

// A second tag, or one that runs again because a page swaps its body, would count everything twice.
if (site && !before?.site) quiet(run)()

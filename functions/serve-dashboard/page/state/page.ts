import { createContext } from 'preact'
import { useCallback, useContext, useEffect, useState } from 'preact/hooks'
import type { Me, Site } from './api.ts'
import type { Live } from './live.ts'
import { formatView, parseView, type View } from './view.ts'

export type Patch = Partial<View> | ((view: View) => Partial<View>)

/** What every part of the page knows: the view, how to change it, the site, and what comes in live. */
export type Page = {
  view: View
  /**
   * Changes the view; a new entry of the browser's history unless `replace`. A function is given the view as it is then: for a change
   * that comes some time after it was asked for.
   */
  change(patch: Patch, how?: 'push' | 'replace'): void
  /** The address of a changed view, for links. */
  hrefOf(patch: Partial<View>): string
  site: Site
  sites: readonly Site[]
  /** Who looks at it. */
  me: Me
  /** Asks anew who looks and what sites there are, such as after a change of their settings. */
  askAgain(): void
  /** The date at the site, `2026-11-24`. */
  today: string
  live: Live
}

export const PageContext = createContext<Page | undefined>(undefined)

/** Only within the page of somebody who is signed in and has a site. */
export const usePage = (): Page => {
  const page = useContext(PageContext)
  if (!page) throw new Error('usePage is used outside of the page.')
  return page
}

const current = () => parseView(location.search)
const addressOf = (view: View): string => `/${formatView(view)}`

/** The view as the URL says it, and how to change both together. */
export const useView = () => {
  const [{ view, problems }, setParsed] = useState(current)
  useEffect(() => {
    const back = () => setParsed(current())
    addEventListener('popstate', back)
    return () => removeEventListener('popstate', back)
  }, [])
  const change = useCallback((patch: Patch, how: 'push' | 'replace' = 'push') => {
    // What the URL says now, not what was drawn last: two changes may come before a drawing.
    const { view } = current()
    const next = { ...view, ...(typeof patch === 'function' ? patch(view) : patch) }
    const address = addressOf(next)
    if (address !== `${location.pathname}${location.search}`) history[how === 'push' ? 'pushState' : 'replaceState'](null, '', address)
    // What is replaced is the same place said otherwise: what was wrong with the address stays said.
    setParsed((was) => ({ view: next, problems: how === 'push' ? [] : was.problems }))
  }, [])
  const hrefOf = useCallback((patch: Partial<View>) => addressOf({ ...view, ...patch }), [view])
  return { view, problems, change, hrefOf }
}

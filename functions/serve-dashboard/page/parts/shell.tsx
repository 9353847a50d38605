import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { ApiError, api, type Me, type Site } from '../state/api.ts'
import { useDoor } from '../state/door.ts'
import { useLive } from '../state/live.ts'
import { type Page, PageContext, useView } from '../state/page.ts'
import { useToday } from '../state/today.ts'
import './base.css'
import './gate.css'
import { Asking, NoSite, SignedOut, Unreachable, WriteOnly } from './gates.tsx'
import { SitePage } from './site-page.tsx'
import { UnknownSite } from './unknown-site.tsx'

/** Shell: who is signed in, the site, the pickers, the cards and the chart; `children` stand below. */
export const Shell = ({ children }: { children: ComponentChildren }) => {
  const { door, ask } = useDoor()
  const [leaving, setLeaving] = useState('')
  const leave = () => {
    api
      .signOut()
      .then(ask)
      .catch((error: unknown) =>
        setLeaving(`You are still signed in. ${error instanceof ApiError ? `${error.message} ${error.hint}` : error}`),
      )
  }
  switch (door.state) {
    case 'asking':
      return <Asking />
    case 'signed-out':
      return <SignedOut ask={ask} />
    case 'write-only':
      return <WriteOnly leave={leave} />
    case 'unreachable':
      return <Unreachable error={door.error} ask={ask} />
    case 'no-site':
      return <NoSite only={door.me.site} ask={ask} />
    case 'in':
      return (
        <Inside me={door.me} sites={door.sites} askAgain={ask} leave={leave} leaving={leaving}>
          {children}
        </Inside>
      )
  }
}

/** `leaving`: why signing out did not work. */
type InsideProps = {
  me: Me
  sites: readonly Site[]
  askAgain(): void
  leave(): void
  leaving: string
  children: ComponentChildren
}

/** The site of the address, or the first there is. */
const siteOf = (sites: readonly Site[], name: string): Site | undefined =>
  name === '' ? sites[0] : sites.find(({ site }) => site === name.toLowerCase())

const Inside = ({ children, ...props }: InsideProps) => {
  const { sites, leave } = props
  const viewing = useView()
  const site = siteOf(sites, viewing.view.site)
  if (!site) return <UnknownSite name={viewing.view.site} sites={sites} hrefOf={viewing.hrefOf} change={viewing.change} leave={leave} />
  return (
    <OfSite key={site.site} {...props} site={site} viewing={viewing}>
      {children}
    </OfSite>
  )
}

type OfSiteProps = InsideProps & { site: Site; viewing: ReturnType<typeof useView> }

/** Everything about one site; another one begins anew, so that nothing of this one stays. */
const OfSite = ({ site, sites, me, askAgain, leave, leaving, viewing, children }: OfSiteProps) => {
  const { view, problems, change, hrefOf } = viewing
  const live = useLive(site.site)
  const today = useToday(site.timezone)
  // Questions name the site, also where the address leaves it out.
  const named = useMemo(() => ({ ...view, site: site.site }), [view, site.site])
  useEffect(() => {
    // "The first site" is another one when a site is added: the address says which it is.
    if (view.site === '' && sites.length > 1) change({ site: site.site }, 'replace')
  }, [view.site, sites.length])
  const page: Page = { view: named, change, hrefOf, site, sites, me, askAgain, today, live }
  return (
    <PageContext.Provider value={page}>
      <SitePage problems={leaving === '' ? problems : [...problems, leaving]} leave={leave}>
        {children}
      </SitePage>
    </PageContext.Provider>
  )
}

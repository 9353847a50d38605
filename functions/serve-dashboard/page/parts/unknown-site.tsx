import type { Site } from '../state/api.ts'
import type { Page } from '../state/page.ts'
import { Logo } from './icons.tsx'

/** The address names a site that is not there, or that this sign-in does not see: it says so and offers those there are. */
type Props = { name: string; sites: readonly Site[]; hrefOf: Page['hrefOf']; change: Page['change']; leave(): void }

export const UnknownSite = ({ name, sites, hrefOf, change, leave }: Props) => (
  <main class="gate">
    <div class="panel gate-in">
      <p class="brand">
        <Logo />
        Footfall
      </p>
      <h1>There is no such site here</h1>
      <p>
        The address asks for <bdi class="strange">{name}</bdi>. It is not registered, or this sign-in does not see it. There are:
      </p>
      <ul class="site-list">
        {sites.map(({ site }) => (
          <li key={site}>
            <a
              href={hrefOf({ site })}
              onClick={(event) => {
                if (event.metaKey || event.ctrlKey || event.shiftKey) return
                event.preventDefault()
                change({ site, filters: [], detail: '' })
              }}
            >
              {site}
            </a>
          </li>
        ))}
      </ul>
      <button type="button" class="button" onClick={leave}>
        Sign out
      </button>
    </div>
  </main>
)

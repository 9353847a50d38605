import { usePage } from '../state/page.ts'
import { CopyLine } from './copy.tsx'

/** A site that never had a hit: how to put the tracker on it, and that the first hit is waited for. */
export const FirstHit = () => {
  const { site, live } = usePage()
  return (
    <main class="first" id="numbers" tabIndex={-1}>
      <section class="panel first-in">
        <h2>Put this on every page of {site.site}</h2>
        <p>
          In the <code>&lt;head&gt;</code>, as it is. It sets {site.identity === 'cookieless' ? 'no cookie' : 'one first-party cookie'},
          loads nothing from elsewhere, and does not delay the page.
        </p>
        <CopyLine text={site.script} what="Copy the tag" />
        <p class="waiting" role="status">
          <span class="pulse" aria-hidden="true" />
          {live.state === 'polling' ? 'Asking every five seconds for the first hit …' : 'Waiting for the first hit …'}
        </p>
        <p class="quiet">
          Open a page of the site in another tab: this page turns into its numbers by itself, within a second. Where nothing comes, run{' '}
          <code>npm run footfall -- doctor https://{site.site}</code>
        </p>
        {site.site === 'localhost' && (
          <p>
            Or look at the <a href="/demo/">demo site</a>, which has the tag already.
          </p>
        )}
      </section>
    </main>
  )
}

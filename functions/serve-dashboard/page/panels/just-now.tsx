import { timeOfDay, valueLabel } from '../state/format.ts'
import { usePage } from '../state/page.ts'

/** The newest hits as they come in. They are shown, not counted: the feed may leave some out when there are more than 20 a second. */
const shown = 9

export const JustNow = () => {
  const { live } = usePage()
  const hits = live.hits.slice(0, shown)
  return (
    <section class="panel just-now" aria-labelledby="just-now">
      <header>
        <h2 id="just-now">Just now</h2>
      </header>
      <div class="body">
        {hits.length === 0 ? (
          <p class="empty quiet">
            {live.state === 'live' ? 'Hits appear here the moment they are counted.' : 'Hits appear here when the live connection is back.'}
          </p>
        ) : (
          <ol>
            {hits.map((hit) => (
              <li key={`${hit.time} ${hit.name} ${hit.page}`}>
                <time>{timeOfDay(hit.time)}</time>
                <bdi class="what" title={hit.page ?? ''}>
                  {hit.name === 'pageview' ? hit.page : `${hit.name}${hit.page ? ` on ${hit.page}` : ''}`}
                </bdi>
                <span class="quiet">{[hit.country && valueLabel('country', hit.country), hit.source].filter(Boolean).join(' · ')}</span>
              </li>
            ))}
          </ol>
        )}
      </div>
    </section>
  )
}

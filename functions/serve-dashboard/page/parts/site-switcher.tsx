import { useState } from 'preact/hooks'
import { usePage } from '../state/page.ts'
import { Choices, moveFocus } from './choices.tsx'
import { ChevronDown } from './icons.tsx'
import { Popover } from './popover.tsx'

/** Which site is looked at, and the way to another. Typing finds one where there are many. */
const fewSites = 6

type Props = { onPastDays(): void }

const Sites = ({ close, onPastDays }: Props & { close(): void }) => {
  const { sites, site, me, change } = usePage()
  const [sought, setSought] = useState('')
  const found = sites.filter((one) => one.site.includes(sought.trim().toLowerCase()))
  const pick = (name: string) => {
    close()
    // Filters are about the pages and visitors of one site.
    if (name !== site.site) change({ site: name, filters: [], prop: '', detail: '' })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const list = (event.currentTarget as HTMLElement).parentElement
    if (event.key === 'Enter' && found[0]) pick(found[0].site)
    else if (event.key === 'ArrowDown' && list) moveFocus(event, list)
  }
  return (
    <>
      {sites.length > fewSites && (
        <input
          type="search"
          class="field"
          aria-label="Find a site"
          placeholder="Find a site"
          value={sought}
          onInput={(event) => setSought(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
      )}
      <Choices
        label="Sites"
        picked={site.site}
        options={found.map(({ site: value }) => ({ value, label: value }))}
        onPick={pick}
        isFirst={sites.length <= fewSites}
      />
      <p class="quiet small" role="status">
        {found.length === 0 ? 'No site has this in its name. ' : ''}
        Another one: <code>npm run footfall -- site add DOMAIN</code>
      </p>
      {me.role === 'own' && (
        <button
          type="button"
          class="link"
          onClick={() => {
            close()
            onPastDays()
          }}
        >
          Count past days again …
        </button>
      )}
    </>
  )
}

export const SiteSwitcher = ({ onPastDays }: Props) => {
  const { site } = usePage()
  return (
    <Popover
      title="Sites"
      class="site-button"
      panelClass="site-menu"
      button={
        <>
          <span class="spoken">Site: </span>
          <bdi>{site.site}</bdi>
          <ChevronDown />
        </>
      }
    >
      {(close) => <Sites close={close} onPastDays={onPastDays} />}
    </Popover>
  )
}

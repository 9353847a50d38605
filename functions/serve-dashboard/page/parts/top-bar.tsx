import type { ComponentChildren } from 'preact'
import type { Meta } from '../state/api.ts'
import { usePage } from '../state/page.ts'
import { type Theme, useTheme } from '../state/theme.ts'
import { FreshnessChip, LiveDot } from './freshness.tsx'
import { Logo, Moon, Screen, SignOutSign, Sun } from './icons.tsx'
import { SiteSwitcher } from './site-switcher.tsx'
import './top-bar.css'

/** Top of the page: which site, who is there now, how fresh the numbers are, and what is about the page itself. */
const themes: readonly { theme: Theme; label: string; icon: ComponentChildren }[] = [
  { theme: 'light', label: 'Light', icon: <Sun /> },
  { theme: 'system', label: 'As the system is', icon: <Screen /> },
  { theme: 'dark', label: 'Dark', icon: <Moon /> },
]

const ThemeSwitch = () => {
  const [theme, choose] = useTheme()
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for forms; these act at once
    <div class="themes" role="group" aria-label="Colours">
      {themes.map(({ theme: one, label, icon }) => (
        <button key={one} type="button" aria-pressed={one === theme} aria-label={label} title={label} onClick={() => choose(one)}>
          {icon}
        </button>
      ))}
    </div>
  )
}

type Props = { meta: Meta | undefined; onHelp(): void; onPastDays(): void; leave(): void }

export const TopBar = ({ meta, onHelp, onPastDays, leave }: Props) => {
  const { site } = usePage()
  return (
    <header class="top-bar">
      <h1 class="spoken">{site.site}</h1>
      <p class="brand">
        <Logo />
        <span class="brand-name">Footfall</span>
      </p>
      <SiteSwitcher onPastDays={onPastDays} />
      <LiveDot />
      <FreshnessChip incompleteSince={meta?.incomplete_since} />
      <div class="about">
        <ThemeSwitch />
        <button
          type="button"
          class="plain-icon"
          aria-label="Help and keys"
          aria-keyshortcuts="?"
          title="Help and keys (?)"
          onClick={onHelp}
        >
          <span class="question" aria-hidden="true">
            ?
          </span>
        </button>
        <button type="button" class="plain-icon" aria-label="Sign out" title="Sign out" onClick={leave}>
          <SignOutSign />
        </button>
      </div>
    </header>
  )
}

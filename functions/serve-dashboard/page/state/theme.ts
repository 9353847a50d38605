import { useEffect, useState } from 'preact/hooks'

/**
 * Light, dark, or as the system is. The choice is kept in this browser; public/theme.js sets it before anything is painted, so that a
 * page that is dark against the system does not flash.
 */
export type Theme = 'system' | 'light' | 'dark'
const kept = 'footfall.theme'

const read = (): Theme => {
  const { theme } = document.documentElement.dataset
  return theme === 'light' || theme === 'dark' ? theme : 'system'
}

const keep = (theme: Theme): void => {
  try {
    if (theme === 'system') localStorage.removeItem(kept)
    else localStorage.setItem(kept, theme)
  } catch {
    // A browser that keeps nothing shows the choice until the page is loaded again.
  }
}

export const useTheme = (): [Theme, (theme: Theme) => void] => {
  const [theme, setTheme] = useState(read)
  const choose = (next: Theme) => {
    if (next === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = next
    keep(next)
    setTheme(next)
  }
  return [theme, choose]
}

/** Counts up whenever colours change: for what is drawn, not styled. */
export const useColourChange = (): number => {
  const [changes, setChanges] = useState(0)
  useEffect(() => {
    const changed = () => setChanges((n) => n + 1)
    const system = matchMedia('(prefers-color-scheme: dark)')
    const watch = new MutationObserver(changed)
    watch.observe(document.documentElement, { attributeFilter: ['data-theme'] })
    system.addEventListener('change', changed)
    return () => {
      watch.disconnect()
      system.removeEventListener('change', changed)
    }
  }, [])
  return changes
}

/** A colour of page.css as a canvas takes it: what a property holds is text, what it means is told by an element that has it. */
export const colourOf = (token: string, opacity = 1): string => {
  const probe = document.createElement('span')
  probe.style.color = opacity === 1 ? `var(${token})` : `color-mix(in srgb, var(${token}) ${opacity * 100}%, transparent)`
  document.body.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

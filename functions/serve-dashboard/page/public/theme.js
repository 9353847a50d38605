// Runs before anything is painted; see state/theme.ts. A script of its own because the page's policy allows none inline.
try {
  const theme = localStorage.getItem('footfall.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch {
  // A browser that keeps nothing has no choice to remember.
}

import type { ComponentChildren } from 'preact'

/** Shell: who is signed in, the site, the pickers, the cards and the chart; `children` stand below. */
export const Shell = ({ children }: { children: ComponentChildren }) => <main>{children}</main>

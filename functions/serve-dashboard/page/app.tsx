/** The page of somebody who is signed in: the shell around, and the panels. */
import './page.css'
import { Panels } from './panels/panels.tsx'
import { Shell } from './parts/shell.tsx'

export const App = () => (
  <Shell>
    <Panels />
  </Shell>
)

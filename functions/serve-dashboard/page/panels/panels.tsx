import './panels.css'
import { usePage } from '../state/page.ts'
import { Details } from './details.tsx'
import { Events } from './events.tsx'
import { Explore } from './explore.tsx'
import { Goals } from './goals.tsx'
import { JustNow } from './just-now.tsx'
import { DimensionPanel } from './panel.tsx'
import { Places } from './places.tsx'

/** Panels: what the numbers are made of. Every row is a filter for the whole page. */
export const Panels = () => {
  const { view } = usePage()
  return (
    <div class="panels">
      <DimensionPanel panel="sources" />
      <DimensionPanel panel="pages" />
      <Places />
      <DimensionPanel panel="technology" />
      <Goals />
      <Events />
      <Explore />
      <JustNow />
      {view.detail !== '' && <Details panel={view.detail} />}
    </div>
  )
}

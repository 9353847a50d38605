import { useLazy } from '../state/lazy.ts'
import { usePage } from '../state/page.ts'
import { ChevronDown } from './icons.tsx'
import { Popover } from './popover.tsx'

/** Filters under a name: the way to them. What they are is loaded when it is opened. */
const loadSegments = () => import('../settings/segments.tsx')

const Menu = ({ close }: { close(): void }) => {
  const { module, failed, retry } = useLazy(loadSegments)
  if (module) return <module.Segments close={close} />
  return failed ? (
    <button type="button" class="link" onClick={retry}>
      It could not be loaded; try again
    </button>
  ) : (
    <p class="quiet">Loading</p>
  )
}

export const SegmentsButton = () => {
  const { site, me } = usePage()
  // To who cannot save one, none is nothing to open.
  if (me.role !== 'own' && site.segments.length === 0) return null
  return (
    <Popover
      title="Segments"
      class="button"
      panelClass="segments"
      align="end"
      button={
        <>
          Segments
          <ChevronDown />
        </>
      }
    >
      {(close) => <Menu close={close} />}
    </Popover>
  )
}

import { useLazy } from '../state/lazy.ts'
import { Dialog } from './dialog.tsx'

/** Past days, counted again: loaded when it is opened. */
const loadReplays = () => import('../settings/replays.tsx')

export const PastDays = ({ onClose }: { onClose(): void }) => {
  const { module, failed } = useLazy(loadReplays)
  if (module) return <module.Replays onClose={onClose} />
  return failed ? <Dialog title="This could not be loaded; reload the page to try again" onClose={onClose} children="" /> : null
}

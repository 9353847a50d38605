import { useEffect, useState } from 'preact/hooks'
import { useAnswer } from '../state/answers.ts'
import type { Goal } from '../state/api.ts'
import { useLazy } from '../state/lazy.ts'
import { usePage } from '../state/page.ts'
import { isCompared } from '../state/question.ts'
import { settledMs } from '../state/settled.ts'
import { FirstRows, Frame, firstOfTab, NoRows } from './panel.tsx'
import { tabOf } from './tabs.ts'
import { withUnmet } from './unmet.ts'

/** Goals: how many met each, and what part of all visitors that is. Who owns the site adds, changes and takes away goals here. */
const loadForm = () => import('../explore/goals-form.tsx')

const NoGoals = ({ isOwner }: { isOwner: boolean }) => (
  <>
    This site has no goals. A goal is what visitors should do: see a page, send an event, or read to the end.{' '}
    {isOwner ? (
      'Add one below.'
    ) : (
      <>
        Who owns the site adds them here, or with <code>footfall site set --goals</code>.
      </>
    )}
  </>
)

export const Goals = () => {
  const { view, today, site, me, askAgain } = usePage()
  const tab = tabOf(view, 'goals')
  const [goals, setGoals] = useState(site.goals)
  useEffect(() => setGoals(site.goals), [site.goals])
  const question = firstOfTab(view, today, tab)
  const asked = useAnswer({ ...question, include: { ...question.include, ...(isCompared(view) ? { compare_missing: true } : {}) } })
  const [isOpen, setOpen] = useState(false)
  const form = useLazy(loadForm, isOpen)
  const isOwner = me.role === 'own'
  const changed = (next: readonly Goal[]) => {
    setGoals(next)
    setTimeout(asked.retry, settledMs)
    askAgain()
  }
  const answer = withUnmet(asked.answer, goals, view)
  const manage = isOwner && (
    <button type="button" class="details" aria-haspopup="dialog" onClick={() => setOpen(true)}>
      {goals.length === 0 ? 'Add a goal' : 'Change goals'}
    </button>
  )
  return (
    <Frame panel="goals" total={asked.answer?.meta.total_rows} more={manage}>
      {goals.length === 0 ? (
        <NoRows asked={asked} empty={<NoGoals isOwner={isOwner} />} />
      ) : (
        <FirstRows tab={tab} asked={{ ...asked, answer }} />
      )}
      {isOpen && form.failed && <p class="bad">The form could not be loaded; reload the page to try again.</p>}
      {isOpen && form.module && <form.module.GoalsForm onChanged={changed} onClose={() => setOpen(false)} />}
    </Frame>
  )
}

import { useEffect } from 'preact/hooks'
import { useAnswer } from '../state/answers.ts'
import { usePage } from '../state/page.ts'
import { questionOf } from '../state/question.ts'
import { DimensionPanel, FirstRows, Frame, firstOfTab, NoRows } from './panel.tsx'
import { propNames } from './properties.ts'
import { tabOf } from './tabs.ts'

/** Events by name, and the values of one of their properties. Which properties there are is asked first. */

/** Sets of properties that are asked for; a site has few, since its events have names. */
const propSets = 1_000

const Properties = () => {
  const { view, today, change } = usePage()
  const sets = useAnswer(
    questionOf(view, today, {
      metrics: ['events'],
      dimensions: ['event:prop_keys'],
      filters: [['is_not', 'event:prop_keys', ['(not set)']]],
      pagination: { limit: propSets, offset: 0 },
      include: { compare: undefined },
    }),
  )
  const names = propNames(sets.answer)
  const first = names[0]
  useEffect(() => {
    if (view.prop === '' && first !== undefined && !sets.isOld) change({ prop: first }, 'replace')
  }, [view.prop, first, sets.isOld])
  const tab = tabOf(view, 'events')
  const asked = useAnswer(view.prop === '' ? undefined : firstOfTab(view, today, tab))
  const choices = view.prop === '' || names.includes(view.prop) ? names : [view.prop, ...names]
  return (
    <Frame panel="events" total={asked.answer?.meta.total_rows}>
      {choices.length === 0 ? (
        <NoRows asked={sets} empty={tab.empty} />
      ) : (
        <>
          <label class="property">
            Property{' '}
            <select value={view.prop} onChange={(event) => change({ prop: event.currentTarget.value })}>
              {choices.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <FirstRows tab={tab} asked={asked} />
        </>
      )}
    </Frame>
  )
}

export const Events = () => {
  const { view } = usePage()
  return view.tabs.events === 'prop' ? <Properties /> : <DimensionPanel panel="events" />
}

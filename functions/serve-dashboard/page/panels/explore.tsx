import './explore-frame.css'
import { useId } from 'preact/hooks'
import { Cross } from '../parts/icons.tsx'
import { ApiError } from '../state/api.ts'
import { type Exploration, explorations } from '../state/explore.ts'
import { useLazy } from '../state/lazy.ts'
import { usePage } from '../state/page.ts'
import { NoRows } from './panel.tsx'
import { TabList } from './tab-list.tsx'

/** Explore: funnel, paths, retention and why. Nothing of it is loaded or asked before one of them is opened. */
const loadViews = () => import('../explore/views.ts')

const labels: Readonly<Record<Exploration, string>> = { funnel: 'Funnel', paths: 'Paths', retention: 'Retention', why: 'Why' }
const offers: Readonly<Record<Exploration, string>> = {
  funnel: 'how far visitors get on the way you lay out',
  paths: 'which pages follow one another',
  retention: 'who comes back, and after how long',
  why: 'which rows made a number change',
}

const notLoaded = new ApiError(0, 'page', 'This part of the page could not be loaded.', 'Look whether you are online.')

const Offer = () => (
  <dl class="offer quiet">
    {explorations.map((key) => (
      <div key={key}>
        <dt>{labels[key]}</dt>
        <dd>{offers[key]}</dd>
      </div>
    ))}
  </dl>
)

export const Explore = () => {
  const { view, change } = usePage()
  const { open } = view.explore
  const { module, failed, retry } = useLazy(loadViews, open !== '')
  const id = useId()
  const idOf = (key: string) => `${id}-${key}`
  const show = (key: string) => change({ explore: { ...view.explore, open: key as Exploration } })
  const Shown = open === '' ? undefined : module?.views[open]
  const named = open === '' ? { 'aria-labelledby': `${id}-title` } : { 'aria-labelledby': idOf(open) }
  return (
    <section class="panel explore" aria-labelledby={`${id}-title`}>
      <header>
        <h2 id={`${id}-title`}>Explore</h2>
        <div class="tabs">
          <TabList
            label="Explore"
            tabs={explorations.map((key) => ({ key, label: labels[key] }))}
            shown={open}
            idOf={idOf}
            panelId={`${id}-view`}
            show={show}
          />
        </div>
        {open !== '' && (
          <button
            type="button"
            class="plain-icon"
            aria-label="Close Explore"
            title="Close"
            onClick={() => change({ explore: { ...view.explore, open: '' } })}
          >
            <Cross />
          </button>
        )}
      </header>
      <div class="body" role="tabpanel" id={`${id}-view`} {...named}>
        {open === '' ? (
          <Offer />
        ) : Shown ? (
          <Shown />
        ) : (
          <NoRows asked={{ isLoading: !failed, error: failed ? notLoaded : undefined, retry }} empty="" />
        )}
      </div>
    </section>
  )
}

import { useAnswer } from '../state/answers.ts'
import type { Row } from '../state/api.ts'
import { isPicked, withPickTurned } from '../state/filters.ts'
import { valueLabel, written } from '../state/format.ts'
import { useLazy } from '../state/lazy.ts'
import { usePage } from '../state/page.ts'
import { DimensionPanel, Frame, firstOfTab, NoRows } from './panel.tsx'
import { Rows } from './rows.tsx'
import { shownOf, tabOf } from './tabs.ts'

/** Places: the map, and lists of countries, regions, cities and languages. The map's code and shapes are loaded when it is first shown. */
type MapModule = typeof import('./world-map.tsx')
const loadMap = (): Promise<MapModule> => import('./world-map.tsx')

/** More countries than there are. */
const allCountries = 300

/** Countries that there is room for below the map. */
const belowMap = 3

const visitorsOf = (rows: readonly Row[]): Map<string, number> =>
  new Map(rows.map(({ dimensions, metrics }) => [dimensions[0]!, Number(metrics[0] ?? 0)]))

/** Countries that have visitors and no shape, and visitors of whom no country is known: said, or the map would seem to be all. */
const besides = (values: ReadonlyMap<string, number>, { isDrawn }: MapModule): string => {
  const missing = [...values].filter(([code, value]) => value > 0 && !isDrawn(code))
  const text = missing
    .slice(0, 6)
    .map(([code, value]) => `${code === '(not set)' ? 'unknown country' : valueLabel('country', code)} ${written(value, 'count')}`)
  return text.length === 0 ? '' : `Not on the map: ${text.join(', ')}${missing.length > 6 ? ` and ${missing.length - 6} more` : ''}`
}

const MapPanel = () => {
  const { view, today, change } = usePage()
  const tab = tabOf(view, 'places')
  const asked = useAnswer(firstOfTab(view, today, tab, allCountries))
  const { module, failed } = useLazy(loadMap)
  const rows = asked.answer?.results ?? []
  const values = visitorsOf(rows)
  const countries = [...values.keys()].filter((code) => code !== '(not set)').length
  const pick = (code: string) => change({ filters: withPickTurned(view.filters, 'country', code) })
  const picked = [...values.keys()].find((code) => isPicked(view.filters, 'country', code))
  return (
    <Frame panel="places" total={asked.answer?.meta.total_rows}>
      {failed ? (
        <p class="empty bad">The map could not be loaded. The countries are in the next tab; reload the page to try again.</p>
      ) : rows.length === 0 || !module ? (
        <NoRows asked={module ? asked : { ...asked, isLoading: true }} empty={tab.empty} />
      ) : (
        <figure class={asked.isOld ? 'old' : ''}>
          <module.WorldMap
            values={values}
            textOf={(code) => `${written(values.get(code) ?? 0, 'count')} visitors`}
            picked={picked}
            label={`World map of visitors from ${countries} countries; the tab Countries has the numbers.`}
            onPick={pick}
          />
          <figcaption class="quiet">{besides(values, module)}</figcaption>
          <Rows dimension="country" metrics={shownOf(tab)} rows={rows.slice(0, belowMap)} caption="The countries with most visitors">
            Country
          </Rows>
        </figure>
      )}
    </Frame>
  )
}

export const Places = () => {
  const { view } = usePage()
  return view.tabs.places === 'map' ? <MapPanel /> : <DimensionPanel panel="places" />
}

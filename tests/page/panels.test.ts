import { describe, expect, it, test } from 'vitest'
import world from 'world-atlas/countries-110m.json' with { type: 'json' }
import { codeOf } from '#functions/serve-dashboard/page/panels/country-codes.ts'
import { byChange } from '#functions/serve-dashboard/page/panels/order.ts'
import { propNames } from '#functions/serve-dashboard/page/panels/properties.ts'
import { stepOf } from '#functions/serve-dashboard/page/panels/scale.ts'
import { tabOf, tabsOf } from '#functions/serve-dashboard/page/panels/tabs.ts'
import type { Answer, Row } from '#functions/serve-dashboard/page/state/api.ts'
import { dimensionOf } from '#functions/serve-dashboard/page/state/dimensions.ts'
import { parseFilters } from '#functions/serve-dashboard/page/state/filters.ts'
import { metricOf } from '#functions/serve-dashboard/page/state/metrics.ts'
import { defaultView, panels, panelTabs } from '#functions/serve-dashboard/page/state/view.ts'
import { dimensionNames } from '#shared/query/dimensions.ts'
import { metricNames } from '#shared/query/names.ts'

const view = (text: string, more: object = {}) => ({ ...defaultView, filters: parseFilters(text).filters, ...more })

describe('tabs', () => {
  test('are those of the address, in its order', () => {
    for (const panel of panels) expect(tabsOf(panel).map(({ key }) => key)).toEqual(panelTabs[panel])
  })

  test('ask only for what the API has', () => {
    for (const tab of panels.flatMap(tabsOf)) {
      if (tab.dimension !== '') expect(dimensionNames).toContain(dimensionOf(tab.dimension)!.api)
      for (const metric of tab.metrics) expect(metricNames).toContain(metricOf(metric).name)
    }
  })

  it('show versions where one browser is picked, and only then', () => {
    const tabs = { ...defaultView.tabs, technology: 'browser' }
    expect(tabOf(view('browser:Firefox', { tabs }), 'technology').dimension).toBe('browser_version')
    for (const text of ['', 'browser:Firefox|Chrome', '!browser:Firefox', 'browser~Fire', 'os:Linux'])
      expect(tabOf(view(text, { tabs }), 'technology').dimension).toBe('browser')
  })

  test('of properties leave out the hits without the property', () => {
    const tab = tabOf(view('', { tabs: { ...defaultView.tabs, events: 'prop' }, prop: 'plan' }), 'events')
    expect([tab.dimension, tab.only]).toEqual(['prop.plan', ['is_not', 'event:props:plan', ['(not set)']]])
  })
})

describe('names of properties', () => {
  const answer = (...sets: [string, number][]) =>
    ({ results: sets.map(([name, n]) => ({ dimensions: [name], metrics: [n] })) }) as unknown as Answer

  it('are summed over the sets they are in, the commonest first', () => {
    expect(propNames(answer(['["plan","size"]', 3], ['["size"]', 2], ['["__proto__","plan"]', 1]))).toEqual(['size', 'plan', '__proto__'])
  })

  it('leave out what is no set', () => {
    expect(propNames(answer(['(not set)', 9], ['(other)', 9], ['["a"]', 1]))).toEqual(['a'])
    expect(propNames(undefined)).toEqual([])
  })
})

describe('rows by change', () => {
  const row = (name: string, change: number | null): Row => ({
    dimensions: [name],
    metrics: [1],
    comparison: { dimensions: [name], metrics: [1], change: [change] },
  })
  const rows = [row('a', 5), row('b', null), row('c', -50), row('d', 200), { dimensions: ['e'], metrics: [1] }]
  it.each([
    ['desc', ['d', 'a', 'c', 'b', 'e']],
    ['asc', ['c', 'a', 'd', 'b', 'e']],
  ] as const)('%s, those without one last', (direction, names) => {
    expect(byChange(rows, 0, direction).map(({ dimensions }) => dimensions[0])).toEqual(names)
  })
})

describe('the map', () => {
  const shapes = world.objects.countries.geometries as { id?: string; properties: { name: string } }[]
  const english = new Intl.DisplayNames('en', { type: 'region' })

  test('knows the country of every shape, each its own', () => {
    const codes = shapes.map(({ id, properties }) => codeOf(id, properties.name))
    expect(shapes.filter((_, i) => codes[i] === undefined)).toEqual([])
    // Somaliland and Northern Cyprus go with their neighbours.
    expect(new Set(codes).size).toBe(shapes.length - 2)
  })

  test('calls them as everybody does', () => {
    const plain = (text: string) =>
      text
        .toLowerCase()
        .normalize('NFD')
        .replace(/[^a-z]/g, '')
    const other = shapes
      .map(({ id, properties: { name } }) => ({ name, code: codeOf(id, name)! }))
      .filter(({ name, code }) => plain(english.of(code)!) !== plain(name))
    // Abbreviations, older names and two neighbours, looked at by hand.
    expect(other.map(({ name, code }) => `${code} ${name}`).sort()).toEqual(
      `BA Bosnia and Herz.|CD Dem. Rep. Congo|CF Central African Rep.|CG Congo|CY N. Cyprus|DO Dominican Rep.|EH W. Sahara|FK Falkland Is.|GQ Eq. Guinea
MK Macedonia|MM Myanmar|PS Palestine|SB Solomon Is.|SO Somaliland|SS S. Sudan|TF Fr. S. Antarctic Lands|TR Turkey|TT Trinidad and Tobago
US United States of America`.split(/[|\n]/),
    )
  })

  it.each([
    [0, 100, 0],
    [1, 100, 1],
    [4, 100, 1],
    [5, 100, 2],
    [100, 100, 5],
    [1, 1, 5],
    [0, 0, 0],
  ])('draws %i of %i in step %i', (value, most, step) => {
    expect(stepOf(value, most)).toBe(step)
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { defaultView, formatView, parseView } from '#functions/serve-dashboard/page/state/view.ts'
import { anyText, anyView, aView, hostile } from './arbitrary.ts'

describe('a view as an address', () => {
  it('is read back as it was', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const { view: again, problems } = parseView(formatView(view))
        expect(problems).toEqual([])
        expect(again).toEqual(view)
      }),
    )
  })

  it('is the same after it was read once, whatever the address says', () => {
    const anyParams = fc.array(
      fc.tuple(fc.oneof(anyText, fc.constantFrom('site', 'period', 'compare', 'f', 'prop', 'pages', 'bots')), anyText),
    )
    fc.assert(
      fc.property(anyParams, (params) => {
        const { view } = parseView(`?${new URLSearchParams(params)}`)
        const text = formatView(view)
        expect(formatView(parseView(text).view)).toBe(text)
      }),
    )
  })

  it('takes half a character, which no address can hold, as the sign for it', () => {
    const filters = [{ key: 'page', not: false, contains: false, values: ['a\ud83d'] }]
    expect(parseView(formatView(aView({ filters }))).view.filters[0]?.values).toEqual(['a\ufffd'])
  })

  it('is nothing where everything is as usual', () => {
    expect(formatView(defaultView)).toBe('')
    expect(parseView('')).toEqual({ view: defaultView, problems: [] })
  })

  it('stays readable', () => {
    const filters = parseView('?f=page:/docs+country:DE|FR+!source~a').view.filters
    expect(formatView(aView({ period: '2026-11-01..2026-11-24', filters }))).toBe(
      '?site=example.com&period=2026-11-01..2026-11-24&f=page:/docs+country:DE|FR+!source~a',
    )
  })

  it.each([
    ['?foo=1', /"foo", which this page does not know/],
    ['?period=9x', /period=9x; it may be day/],
    ['?metric=money', /metric=money; it may be visitors/],
    ['?bots=yes', /bots=yes; it may be 1, or nothing/],
    ['?f=nope:1', /There is no filter "nope"/],
    ['?period=2026-02-30', /period=2026-02-30/],
    ['?period=2026-11-24..2026-11-01', /period=/],
    ['?pages=map', /pages=map/],
  ])('%s is told, and the rest is as usual', (search, said) => {
    const { view, problems } = parseView(search)
    expect(view).toEqual(defaultView)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(said)
  })

  it.each(hostile)('takes %j as a name and as a value', (text) => {
    const search = `?${new URLSearchParams([
      [text, text],
      ['site', text],
      ['metric', text],
    ])}`
    const { view } = parseView(search)
    expect(view.metric).toBe('visitors')
    expect(view.site).toBe(text)
    expect(Object.getPrototypeOf(view)).toBe(Object.prototype)
  })
})

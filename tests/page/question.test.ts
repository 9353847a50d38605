import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keySuggestions, putIn, readAll, valueSuggestion, wantedAt } from '#functions/serve-dashboard/page/state/completion.ts'
import { dimensions } from '#functions/serve-dashboard/page/state/dimensions.ts'
import type { Filter } from '#functions/serve-dashboard/page/state/filters.ts'
import { stepOf } from '#functions/serve-dashboard/page/state/intervals.ts'
import { cards } from '#functions/serve-dashboard/page/state/metrics.ts'
import { isCompared, questionOf } from '#functions/serve-dashboard/page/state/question.ts'
import { parseQuery } from '#shared/query/schema.ts'
import { anyText, anyView, aView } from './arbitrary.ts'

const today = '2026-11-24'
const names = cards.map(({ name }) => name)
const asServer = (question: unknown, filters: readonly Filter[] = []) =>
  parseQuery(JSON.parse(JSON.stringify(question)), settingsFor(filters))

/** A site that has the goals and segments that filters name. */
const settingsFor = (filters: readonly Filter[]) => {
  const namesOf = (key: string) => [...new Set(filters.filter((one) => one.key === key).flatMap(({ values }) => values))]
  return {
    goals: namesOf('goal').map((name) => ({ name, event: 'signup' })),
    segments: namesOf('segment').map((name) => ({ name, filters: [['is', 'event:page', ['/']]] })),
  }
}

describe('what the page asks', () => {
  it('is a query that the server takes, for any view', () => {
    fc.assert(
      fc.property(anyView, (view) => {
        const totals = asServer(questionOf(view, today, { metrics: names }), view.filters)
        expect(totals.metrics).toEqual(names)
        expect(totals.filters).toHaveLength(view.filters.length)
        expect(totals.include.bots).toBe(view.bots)
        expect(totals.include.compare !== undefined).toBe(isCompared(view))
        const step = stepOf(view, today)
        const dimension = step ? `time:${step}` : 'time'
        const chart = { metrics: [view.metric], dimensions: [dimension], include: { time_labels: true, compare_missing: true } }
        expect(asServer(questionOf(view, today, chart), view.filters).dimensions).toEqual([dimension])
      }),
    )
  })

  it('compares as the view says', () => {
    const include = (part: Parameters<typeof aView>[0]) => questionOf(aView(part), today, { metrics: names }).include
    expect(include({})).toEqual({ compare: 'previous_period' })
    expect(include({ compare: 'year', weekday: true })).toEqual({ compare: 'year_over_year', compare_match_day_of_week: true })
    expect(include({ compare: '2026-01-01..2026-01-31' })).toEqual({ compare: ['2026-01-01', '2026-01-31'] })
    expect(include({ compare: 'off', bots: true })).toEqual({ bots: true })
    expect(include({ period: 'all' })).toEqual({})
  })

  it('has a name of the API for every dimension', () => {
    for (const { api } of dimensions.filter(({ isNamed }) => !isNamed))
      expect(asServer({ site_id: 'example.com', metrics: ['visitors'], date_range: 'day', dimensions: [api] }).dimensions).toEqual([api])
  })
})

describe('what may come next in the query box', () => {
  const wanted = (text: string, caret = text.length) => wantedAt(text, caret)

  it.each<[string, object]>([
    ['', { kind: 'key', word: '', not: false, from: 0 }],
    ['pa', { kind: 'key', word: 'pa', not: false, from: 0, to: 2 }],
    ['!pa', { kind: 'key', word: 'pa', not: true, from: 0, to: 3 }],
    ['page:/a cou', { kind: 'key', word: 'cou', from: 8 }],
    ['page:', { kind: 'value', word: '', from: 5, to: 5, filter: { key: 'page', not: false, contains: false } }],
    ['!page~x', { kind: 'value', word: 'x', from: 6, filter: { key: 'page', not: true, contains: true } }],
    ['page:/a|/b', { kind: 'value', word: '/b', from: 8 }],
    ['page:"/a b', { kind: 'value', word: '/a b', from: 5, to: 10 }],
    ['page:"a|b', { kind: 'value', word: 'a|b', from: 5 }],
    ['prop."my plan":x', { kind: 'value', word: 'x', filter: { key: 'prop.my plan', not: false, contains: false } }],
  ])('%s', (text, expected) => {
    expect(wanted(text)).toMatchObject(expected)
  })

  it('is of the word where the cursor stands', () => {
    expect(wanted('page:/a country:DE', 6)).toMatchObject({ kind: 'value', from: 5, to: 7, filter: { key: 'page' } })
    fc.assert(
      fc.property(anyText, fc.nat(50), (text, at) => {
        const caret = Math.min(at, text.length)
        const { from, to } = wanted(text, caret)
        expect(from).toBeLessThanOrEqual(to)
        expect(to).toBeLessThanOrEqual(text.length)
        expect(caret).toBeLessThanOrEqual(to)
      }),
    )
  })

  it('becomes the filter it says, whatever the value holds', () => {
    fc.assert(
      fc.property(anyText, (value) => {
        const text = 'country:DE page:'
        const next = putIn(text, wanted(text), valueSuggestion(value, value, ''))
        expect(readAll(next.text)).toEqual({
          filters: [
            { key: 'country', not: false, contains: false, values: ['DE'] },
            { key: 'page', not: false, contains: false, values: [value] },
          ],
        })
        expect(next.caret).toBe(next.text.length)
      }),
    )
  })

  it('is every key at first, those that begin so before those that have it, and what contains a mere word', () => {
    const of = (text: string) => keySuggestions(wanted(text) as Parameters<typeof keySuggestions>[0]).map((one) => one.text)
    expect(of('cou')).toEqual(['country:', 'page~cou', 'source~cou'])
    expect(of('os').slice(0, 3)).toEqual(['os:', 'os_version:', 'host:'])
    expect(of('!operating')).toEqual(['!os:', '!page~operating', '!source~operating'])
    expect(of('')[0]).toBe('page:')
    expect(of('prop')).toContain('prop.')
    expect(of('<img>')).toEqual(['page~<img>', 'source~<img>'])
  })
})

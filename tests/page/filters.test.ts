import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  apiFilter,
  type Filter,
  formatFilters,
  isPicked,
  parseFilters,
  withFilter,
  withLeftOut,
  withoutFilter,
  withPickTurned,
} from '#functions/serve-dashboard/page/state/filters.ts'
import { anyFilters, anyText, hostile } from './arbitrary.ts'

const is = (key: string, ...values: string[]): Filter => ({ key, not: false, contains: false, values })

describe('filters as text', () => {
  it('are read back as they were, whatever the values hold', () => {
    fc.assert(fc.property(anyFilters, (filters) => void expect(parseFilters(formatFilters(filters))).toEqual({ filters })))
  })

  it.each(hostile)('hold %j as value and as name of a property', (text) => {
    const filters = [is('page', text), is(`prop.${text || 'x'}`, text, 'b')]
    expect(parseFilters(formatFilters(filters))).toEqual({ filters })
  })

  it('are read from any text without a throw, and a problem lies within it', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const { problem } = parseFilters(text)
        if (!problem) return
        expect(problem.at).toBeGreaterThanOrEqual(0)
        expect(problem.at).toBeLessThanOrEqual(text.length)
        expect(problem.text).not.toBe('')
      }),
    )
  })

  it.each<[string, Filter[]]>([
    ['', []],
    ['page:/docs', [is('page', '/docs')]],
    ['  page:/docs   country:DE|FR ', [is('page', '/docs'), is('country', 'DE', 'FR')]],
    ['!source:google', [{ ...is('source', 'google'), not: true }]],
    [
      'page~blog !page~draft',
      [
        { ...is('page', 'blog'), contains: true },
        { ...is('page', 'draft'), contains: true, not: true },
      ],
    ],
    ['prop.plan:"very large"', [is('prop.plan', 'very large')]],
    ['prop."my plan":a', [is('prop.my plan', 'a')]],
    ['page:"a \\"b\\" \\\\"', [is('page', 'a "b" \\')]],
    ['page:https://x/y:z', [is('page', 'https://x/y:z')]],
    ['page:""', [is('page', '')]],
  ])('%s', (text, filters) => {
    expect(parseFilters(text)).toEqual({ filters })
  })

  it.each<[string, number, RegExp]>([
    ['docs', 0, /There is no filter "docs"/],
    ['pag:/x', 0, /Did you mean page\?/],
    ['page:/a pag:/x', 8, /Did you mean page\?/],
    ['page', 0, /Behind "page" comes :/],
    ['page:', 5, /A value is missing/],
    ['page:"a', 5, /not closed/],
    ['page:"a"b', 8, /told apart by a space/],
    ['prop.:x', 0, /There is no filter "prop\."/],
    ['page:/a segment~x', 8, /named whole: write segment:/],
    [`page:${'x|'.repeat(100)}x`, 206, /at most 100 values/],
    [`page:${'x'.repeat(2_001)}`, 5, /at most 2000 characters/],
    [Array.from({ length: 21 }, () => 'page:/a').join(' '), 160, /At most 20 filters/],
  ])('%s is refused at %i', (text, at, said) => {
    const { problem } = parseFilters(text)
    expect(problem?.at).toBe(at)
    expect(problem?.text).toMatch(said)
  })
})

describe('a set of filters', () => {
  it('takes a filter once, and a row that is picked in the place of the one before', () => {
    expect(withFilter([is('page', '/a')], is('page', '/a'))).toEqual([is('page', '/a')])
    expect(withFilter([is('page', '/a'), is('country', 'DE')], is('page', '/b'))).toEqual([is('country', 'DE'), is('page', '/b')])
    const not = { ...is('page', '/c'), not: true }
    expect(withFilter([is('page', '/a')], not)).toEqual([is('page', '/a'), not])
  })

  it('has a filter after it was put in, and not after it was taken out', () => {
    fc.assert(
      fc.property(anyFilters, anyFilters, (filters, more) => {
        for (const filter of more) {
          const text = (all: readonly Filter[]) => all.map((one) => formatFilters([one]))
          expect(text(withFilter(filters, filter))).toContain(formatFilters([filter]))
          expect(text(withoutFilter(filters, filter))).not.toContain(formatFilters([filter]))
        }
      }),
    )
  })

  it('knows which row is picked', () => {
    const filters = [is('page', '/a', '/b'), { ...is('country', 'DE'), not: true }]
    expect([isPicked(filters, 'page', '/b'), isPicked(filters, 'page', '/c'), isPicked(filters, 'country', 'DE')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it.each([
    ['', 'page:/a'],
    ['page:/b', 'page:/a'],
    ['page:/a', ''],
    ['page:/a|/b country:DE', 'page:/b country:DE'],
    ['!page:/a', '!page:/a page:/a'],
    ['page~/a', 'page~/a page:/a'],
  ])('a click on /a turns "%s" into "%s"', (before, after) => {
    expect(formatFilters(withPickTurned(parseFilters(before).filters, 'page', '/a'))).toBe(after)
  })

  it.each([
    ['', '!page:/a'],
    ['page:/a', '!page:/a'],
    ['page:/a|/b', 'page:/b !page:/a'],
    ['!page:/a', '!page:/a'],
    ['!page:/c', '!page:/c !page:/a'],
  ])('leaving /a out turns "%s" into "%s"', (before, after) => {
    expect(formatFilters(withLeftOut(parseFilters(before).filters, 'page', '/a'))).toBe(after)
  })

  it('asks the API in its words', () => {
    expect(apiFilter(is('page', '/a'))).toEqual(['is', 'event:page', ['/a']])
    expect(apiFilter({ key: 'prop.__proto__', not: true, contains: true, values: ['x'] })).toEqual([
      'contains_not',
      'event:props:__proto__',
      ['x'],
    ])
  })
})

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Goal } from '#functions/serve-dashboard/page/state/api.ts'
import { parseFilters } from '#functions/serve-dashboard/page/state/filters.ts'
import { draftOf, goalOf } from '#functions/serve-dashboard/page/state/goal-draft.ts'
import { withGoalRenamed, withNameChanged } from '#functions/serve-dashboard/page/state/renamed.ts'
import { comparedRows } from '#functions/serve-dashboard/page/state/replays.ts'
import { scopeNotices } from '#functions/serve-dashboard/page/state/scope.ts'
import { savedFilters, wordsOfSegment } from '#functions/serve-dashboard/page/state/segments.ts'
import { checkSegments } from '#shared/site/goals.ts'
import { anyFilters, anyText } from './arbitrary.ts'

/** What the page changes of a site's settings: goals as they are edited, and names that stand in filters. */

const anyProps = fc
  .array(fc.tuple(anyText, fc.array(anyText, { minLength: 1, maxLength: 3 })), { minLength: 1, maxLength: 3 })
  .map((entries): Record<string, string[]> => Object.fromEntries(entries))
const anyKind = fc.oneof(
  anyText.map((page) => ({ page })),
  anyText.map((event) => ({ event })),
  fc.record({ page: anyText, scroll: fc.integer({ min: 1, max: 100 }) }),
)
const anyGoal: fc.Arbitrary<Goal> = fc
  .tuple(anyText, anyKind, fc.option(anyProps, { nil: undefined }))
  .map(([name, kind, props]) => ({ name, ...kind, ...(props ? { props } : {}) }))

describe('a goal in the form', () => {
  it('is the same goal when nothing is written', () => {
    fc.assert(
      fc.property(anyGoal, (goal) => {
        expect(goalOf(draftOf(goal))).toEqual(goal)
      }),
    )
  })

  it('has the values that were written, not those that were there', () => {
    const draft = draftOf({ name: 'a', event: 'e', props: { plan: ['two\nlines', ''] } })
    const [condition] = draft.conditions
    expect(condition!.values).toBe('two\nlines\n')
    expect(goalOf({ ...draft, conditions: [{ ...condition!, values: 'pro', whole: undefined }] }).props).toEqual({ plan: ['pro'] })
  })
})

describe('a new name', () => {
  it('takes the place of the old one where a filter of the page has it whole', () => {
    const filters = (text: string) => parseFilters(text).filters
    expect(withNameChanged(filters('goal:a|b !goal:a goal~a page:a'), 'goal', 'a', 'x')).toEqual(filters('goal:x|b !goal:x goal~a page:a'))
  })

  it('takes the place of the old one in filters of the API, however deep', () => {
    const named = (name: string) => [
      ['is', 'event:goal', [name, 'b']],
      [
        'or',
        [
          ['not', ['is_not', 'event:goal', [name], { case_sensitive: false }]],
          ['has_done', ['is', 'event:goal', [name]]],
        ],
      ],
      ['contains', 'event:goal', ['a']],
      ['is', 'event:page', ['a']],
    ]
    expect(withGoalRenamed(named('a'), 'a', 'x')).toEqual(named('x'))
  })
})

describe('filters that are saved as a segment', () => {
  const segments = [
    { name: 'german', filters: [['is', 'visit:country', ['DE']]] },
    {
      name: 'readers',
      filters: [
        ['is', 'event:page', ['/a']],
        ['contains', 'event:title', ['b']],
      ],
    },
  ]
  const saved = (text: string) => savedFilters(parseFilters(text).filters, segments)
  const german = ['is', 'visit:country', ['DE']]
  const readers = ['and', segments[1]!.filters]

  it.each([
    [
      'page:/a !source~b',
      [
        ['is', 'event:page', ['/a']],
        ['contains_not', 'visit:source', ['b']],
      ],
    ],
    ['segment:readers page:/a', [...segments[1]!.filters, ['is', 'event:page', ['/a']]]],
    ['segment:german|readers', [['or', [german, readers]]]],
    ['!segment:german', [['not', german]]],
    ['!segment:readers', [['not', readers]]],
    ['!segment:german|readers', [['not', ['or', [german, readers]]]]],
  ])('%s: a segment in it becomes its filters', (text, filters) => {
    expect(saved(text)).toEqual(filters)
  })

  it('the server takes them, whatever is filtered', () => {
    const usable = anyFilters
      .map((filters) => filters.filter(({ key }) => key !== 'goal' && key !== 'segment'))
      .filter(({ length }) => length > 0)
    const named = fc.constantFrom('', 'segment:german', '!segment:readers|german').map((text) => parseFilters(text).filters)
    fc.assert(
      fc.property(usable, named, (filters, asked) => {
        checkSegments({ segments: [{ name: 'x', filters: savedFilters([...filters, ...asked], segments) }] })
      }),
    )
  })

  it('one that is not there stays a name, which the server refuses', () => {
    expect(() => checkSegments({ segments: [{ name: 'x', filters: saved('segment:gone') }] })).toThrow()
  })
})

it.each([
  [[['is', 'visit:country', ['DE', 'FR']]], 'Country is Germany or France'],
  [
    [
      ['is_not', 'event:props:plan', ['']],
      ['contains', 'event:page', ['/a']],
    ],
    'plan is not (empty), Page contains /a',
  ],
  [
    [
      [
        'or',
        [
          ['is', 'event:goal', ['a']],
          ['not', ['has_done', ['matches', 'event:name', ['b']]]],
        ],
      ],
    ],
    '(Goal is a or not (visitor did (Event matches b)))',
  ],
  [[['is', 'visit:unheard_of', ['c']]], 'visit:unheard_of is c'],
])('a segment in words: %j', (filters, words) => {
  expect(wordsOfSegment({ name: 'x', filters })).toBe(words)
})

describe('a replay', () => {
  const answer = (...rows: [string, number, number | null][]) => ({
    results: rows.map(([value, visitors, rate]) => ({ dimensions: [value], metrics: [visitors, visitors, visitors, rate] })),
  })

  it('is compared row by row, the largest difference first, also where only one has the row', () => {
    const now = answer(['a', 5, 50], ['gone', 2, 10], ['same', 9, 0.1])
    const after = answer(['a', 6, 50.13], ['same', 9, 0.3], ['new', 1, null])
    expect(comparedRows(now, after, 'visitors')).toEqual([
      { value: 'gone', now: 2, after: 0, difference: -2 },
      { value: 'a', now: 5, after: 6, difference: 1 },
      { value: 'new', now: 0, after: 1, difference: 1 },
      { value: 'same', now: 9, after: 9, difference: 0 },
    ])
    // What is not there has no rate, and differences are no sums of binary fractions.
    expect(comparedRows(now, after, 'bounce_rate').map(({ value, difference }) => [value, difference])).toEqual([
      ['same', 0.2],
      ['a', 0.13],
      ['gone', null],
      ['new', null],
    ])
  })

  it('that is being switched to is told with its days', () => {
    const said = (from: string, to: string) => scopeNotices({ replaying: { from, to } }, 'UTC')
    expect(said('2026-11-01', '2026-11-01')).toEqual([expect.stringMatching(/^Numbers of (?!.* to .* are).*2026 are being switched/)])
    expect(said('2026-11-01', '2026-11-03')).toEqual([expect.stringMatching(/^Numbers of .*2026 to .*2026 are being switched/)])
  })
})

import { describe, expect, test } from 'vitest'
import { byCodePoint, nearNames } from '#shared/query/names.ts'
import { parseQuery, queryJson } from '#shared/query/schema.ts'
import { editDistance } from '#shared/site/near.ts'
import { refusal } from './world.ts'

const leaf = ['is', 'event:page', ['/']]
const nested = (depth: number): unknown => (depth === 0 ? leaf : ['not', nested(depth - 1)])

describe('a refused query says which field, and what was expected', () => {
  test.each(
    [
      [{ metrics: undefined }, 'metrics: expected a list of metric names'],
      [{ metrics: [] }, 'metrics: expected at least one metric'],
      [{ metrics: ['visitors', 7] }, 'metrics[1]: expected a name'],
      [{ metrics: ['visitor'] }, 'metrics[0]: there is no metric "visitor". Near: visitors, new_visitors, visits.'],
      [{ metrics: ['bouncerate'] }, 'metrics[0]: there is no metric "bouncerate". Near: bounce_rate.'],
      [{ metrics: ['__proto__'] }, 'metrics[0]: there is no metric "__proto__". Known: visitors, visits,'],
      [{ metrics: ['visitors', 'visitors'] }, 'metrics: "visitors" is named twice'],
      [{ dimensions: ['page'] }, 'dimensions[0]: there is no dimension "page". Near: event:page'],
      [{ dimensions: ['visit:contry'] }, 'dimensions[0]: there is no dimension "visit:contry". Near: visit:country'],
      [{ dimensions: ['event:props:'] }, 'dimensions[0]: there is no dimension "event:props:". Known: event:page, '],
      [{ dimensions: [`event:props:${'x'.repeat(301)}`] }, 'dimensions[0]: a prop key has at most 300 characters'],
      [{ dimensions: ['visit:os', 'visit:os'] }, 'dimensions: "visit:os" is named twice'],
      [{ dimensions: ['visit:os', 'visit:city', 'visit:browser', 'visit:device'] }, 'dimensions: at most 3 dimensions'],
      [{ dimensions: ['time:day', 'time'] }, 'dimensions: at most one time dimension'],
      [{ date_range: undefined }, 'date_range: expected "7d", "day", … or [from, to]'],
      [{ date_range: ['2026-01-01'] }, 'date_range: expected "7d"'],
      [{ date_range: '7days' }, 'date_range: expected "day", "month"'],
      [{ filter: [] }, 'query: there is no field "filter". Near: filters.'],
      [{ filters: {} }, 'filters: expected a list of filters'],
      [{ filters: ['is'] }, 'filters[0]: expected [operator, dimension, [values]]'],
      [{ filters: [['iz', 'event:page', ['/']]] }, 'filters[0][0]: there is no operator "iz". Near: is'],
      [{ filters: [['is', 'event:pge', ['/']]] }, 'filters[0][1]: there is no dimension "event:pge". Near: event:page'],
      [{ filters: [['is', 'event:page', []]] }, 'filters[0][2]: expected a list with at least one value'],
      [{ filters: [['is', 'event:page', '/']] }, 'filters[0][2]: expected a list with at least one value'],
      [{ filters: [['is', 'event:page', [null]]] }, 'filters[0][2][0]: expected text, a number, true or false'],
      [{ filters: [['is', 'event:page']] }, 'filters[0]: expected ["is", dimension, [values]'],
      [{ filters: [['is', 'time:day', ['2026-01-01']]] }, 'filters[0][1]: "time:day" cannot be filtered; set date_range instead'],
      [{ filters: [['and', []]] }, 'filters[0]: expected ["and", [filter, …]] with at least one filter'],
      [
        {
          filters: [
            [
              'or',
              [
                ['not', leaf],
                ['not', leaf, leaf],
              ],
            ],
          ],
        },
        'filters[0][1][1]: expected ["not", filter]',
      ],
      [{ filters: [nested(10)] }, 'filters may be nested 10 deep'],
      [{ filters: Array.from({ length: 101 }, () => leaf) }, 'filters[100]: at most 100 conditions'],
      [{ filters: [['is', 'event:page', Array.from({ length: 1001 }, () => 'x')]] }, 'filters[0][2]: at most 1000 values'],
      [{ filters: [['is', 'event:page', ['/'], { case: false }]] }, 'filters[0][3]: there is no modifier "case"'],
      [{ filters: [['is', 'event:page', ['/'], { case_sensitive: 1 }]] }, 'filters[0][3].case_sensitive: expected true or false'],
      [
        { filters: [['matches', 'event:page', ['x'], { case_sensitive: false }]] },
        'filters[0][3]: "matches" takes no modifier; begin the pattern with (?i)',
      ],
      [{ filters: [['matches', 'event:page', ['(']]] }, 'filters[0][2][0]: "(" is no RE2 pattern: '],
      [{ filters: [['matches', 'event:page', ['(?=x)']]] }, 'filters[0][2][0]: "(?=x)" is no RE2 pattern: '],
      [{ filters: [['matches', 'event:page', ['x'.repeat(501)]]] }, 'filters[0][2][0]: a pattern has at most 500 characters'],
      [{ filters: [['matches', 'event:page', ['(ab{500}){2}']]] }, 'filters[0][2][0]: the pattern is too large'],
      [
        { filters: [['matches', 'event:page', Array.from({ length: 6 }, () => 'a{900}')]] },
        'filters[0][2][5]: all patterns together are too large (more than 5000 instructions)',
      ],
      [
        { filters: Array.from({ length: 11 }, () => ['contains', 'event:page', Array.from({ length: 1000 }, () => 'x')]) },
        'filters[10][2]: at most 10000 values in all conditions together',
      ],
      [{ filters: [['has_done', ['has_done', leaf]]] }, 'filters[0][1]: "has_done" cannot be nested'],
      [
        { filters: [['has_done', ['is', 'visit:os', ['Linux']]]] },
        'filters[0][1][1]: has_done and has_not_done take "event:" dimensions, not "visit:os"',
      ],
      [{ order_by: [['visits', 'desc']] }, 'order_by[0]: "visits" is not among the metrics and dimensions asked for (visitors)'],
      [{ order_by: [['visitors', 'down']] }, 'order_by[0][1]: '],
      [
        {
          order_by: [
            ['visitors', 'asc'],
            ['visitors', 'desc'],
          ],
        },
        'order_by: "visitors" is named twice',
      ],
      [{ pagination: { limit: 0 } }, 'pagination.limit: expected a whole number from 1 to 10000'],
      [{ pagination: { limit: 10_001 } }, 'pagination.limit: expected a whole number from 1 to 10000'],
      [{ pagination: { offset: -1 } }, 'pagination.offset: expected a whole number from 0'],
      [{ pagination: { page: 1 } }, 'pagination: there is no field "page". Known: limit, offset.'],
      [{ include: { bot: true } }, 'include: there is no field "bot". Near: bots.'],
      [{ include: { bots: 'yes' } }, 'include.bots: expected true or false'],
      [{ include: { compare: 'last' } }, 'include.compare: expected "previous_period", "year_over_year" or [from, to]'],
      [{ include: { compare: ['2026-01-01', '2026-01-02T00:00:00Z'] } }, 'include.compare: a date and an instant cannot be mixed'],
    ].map(([query, message]) => [message, query] as [string, Record<string, unknown>]),
  )('%s', (message, query) => {
    const { code, message: said } = refusal(query)
    expect(code).toBe('bad-query')
    expect(said).toContain(message)
  })

  test.each([[null], [[]], ['x'], [7]])('a body that is %j is refused', (body) => {
    expect(() => parseQuery(body)).toThrow(/query: expected an object/)
  })
})

describe('the normalised query', () => {
  const echo = (query: Record<string, unknown>) =>
    queryJson(
      parseQuery({ site_id: 'Example.com', metrics: ['visitors', 'visits'], date_range: '7d', ...query }),
      'example.com',
      ['a', 'b'],
      undefined,
    )

  test('has every default filled in', () => {
    expect(echo({})).toEqual({
      site_id: 'example.com',
      metrics: ['visitors', 'visits'],
      date_range: ['a', 'b'],
      filters: [],
      dimensions: [],
      order_by: [['visitors', 'desc']],
      include: { imports: false, time_labels: false, total_rows: false, bots: false },
      pagination: { limit: 10_000, offset: 0 },
    })
  })

  test('orders by time first, then by the first metric', () => {
    expect(echo({ dimensions: ['visit:os', 'time:day'] })['order_by']).toEqual([
      ['time:day', 'asc'],
      ['visitors', 'desc'],
    ])
  })

  test('keeps filters as they were asked, values as text', () => {
    const filters = [
      ['and', [leaf, ['not', ['contains_not', 'event:props:n', [7, true], { case_sensitive: false }]]]],
      ['has_not_done', ['or', [leaf, ['matches', 'event:name', ['^a']]]]],
    ]
    const texts = JSON.parse(JSON.stringify(filters).replace('7,true', '"7","true"'))
    expect(echo({ filters })['filters']).toEqual(texts)
    expect(echo({ filters: texts })['filters']).toEqual(texts)
  })
})

describe('names', () => {
  test('distance counts changes of places once', () => {
    expect([
      editDistance('visits', 'visits'),
      editDistance('visist', 'visits'),
      editDistance('', 'abc'),
      editDistance('abc', 'axc'),
    ]).toEqual([0, 1, 3, 1])
  })

  test('nothing near is an empty list', () => {
    expect(nearNames('zzzzzzzzz', ['visitors'])).toEqual([])
  })

  test('text is ordered by code point, not by UTF-16 unit', () => {
    expect(['\u{1f600}', '\uffee', 'b', 'B', 'é', 'ab', 'a'].sort(byCodePoint)).toEqual(['B', 'a', 'ab', 'b', 'é', '\uffee', '\u{1f600}'])
  })
})

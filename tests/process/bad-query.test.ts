import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Answered, aTarget, expectAnswered, named, read, type Target } from './target.ts'

/** Questions that nobody should ask. */

let target: Target
/** Pages on which a backtracking pattern would not come back. */
const long = Array.from({ length: 60 }, (_, i) => `/${'a'.repeat(1_800 + i)}!`)
beforeAll(async () => {
  target = await aTarget()
  const headers = { authorization: `Bearer ${target.server.key}` }
  const hits = long.map((path, i) => ({ site: 'localhost', url: `http://localhost${path}`, visitor: `visitor-${i}` }))
  expect((await target.post(JSON.stringify({ hits }), headers)).status).toBe(202)
  await target.server.settled('localhost')
})
afterEach(() => target.expectUnharmed())
afterAll(() => target.end())

const ask = async (body: string | Record<string, unknown>, path = '/api/v2/query', method = 'POST'): Promise<Answered> =>
  read(
    await fetch(target.server.url + path, {
      method,
      body: method === 'GET' || method === 'HEAD' ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
      headers: { authorization: `Bearer ${target.server.key}` },
      signal: AbortSignal.timeout(30_000),
    }),
  )

const base = { site_id: 'localhost', metrics: ['events'], date_range: 'all' }
/** 200 with results, or 4xx with a reason; answers the code. */
const expectReasonable = (answer: Answered, what: string): string => {
  if (answer.status !== 200) return expectAnswered(answer, what)
  expect(Array.isArray(answer.body['results'])).toBe(true)
  return 'ok'
}

describe('queries', () => {
  const bodies = [
    '',
    '{',
    'null',
    '[]',
    '0',
    '"x"',
    '{}',
    '{"site_id":null}',
    '{"site_id":{}}',
    '{"site_id":""}',
    '{"__proto__":{"site_id":"localhost"}}',
    '['.repeat(10_000),
    `${'{"a":'.repeat(9_000)}1${'}'.repeat(9_000)}`,
    `{"site_id":"localhost","metrics":${'['.repeat(20_000)}${']'.repeat(20_000)}}`,
    '\ufeff{}',
    '\u0000',
  ]
  it.each(named(bodies))('%s', async (_, body) => {
    const code = expectAnswered(await ask(body), body)
    expect(['bad-query', 'unknown-site', 'wrong-key']).toContain(code)
  })

  it('longer than 64 kB are refused', async () => {
    expect(expectAnswered(await ask({ ...base, padding: 'x'.repeat(70_000) }), 'long')).toBe('too-large')
    expect(expectAnswered(await ask(' '.repeat(1_048_577)), 'longer')).toBe('too-large')
  })

  const odd: unknown[] = [
    null,
    0,
    -1,
    true,
    '',
    'x',
    [],
    {},
    [[]],
    [null],
    ['__proto__'],
    ['constructor'],
    [''],
    ['x'.repeat(10_000)],
    'event:props:__proto__',
    ['toString'],
    { length: 1 },
    Array.from({ length: 500 }, () => 'events'),
  ]
  it.each(['site_id', 'metrics', 'date_range', 'dimensions', 'filters', 'order_by', 'pagination', 'include', 'unknown', '__proto__'])(
    '%s of any shape',
    async (field) => {
      for (const value of odd) {
        const text = JSON.stringify({ ...base, [field]: value })
        expectReasonable(await ask(text), `${field} ${text}`)
      }
    },
  )

  it.each([
    '0d',
    '-1d',
    '99999999999d',
    '1e9d',
    '5001d',
    '24h ',
    'day;',
    '2026-13-45',
    ['2026-01-01', '1900-01-01'],
    ['0000-01-01', '9999-12-31'],
    ['2026-01-01T00:00:00Z', '2026-01-02'],
    ['+275760-09-13T00:00:00Z', '+275760-09-13T00:00:01Z'],
    ['x', 'y'],
    [1, 2],
    ['2026-02-30', '2026-02-31'],
  ])('the range %s', async (date_range) => {
    expectReasonable(await ask({ ...base, date_range, dimensions: ['time:minute'] }), String(date_range))
  })

  it('names that are none, also those of JavaScript', async () => {
    for (const name of [
      '__proto__',
      'constructor',
      'toString',
      'event:__proto__',
      'visit:constructor',
      'event:props:',
      'time:second',
      '',
      ' ',
      'visit:',
      'EVENT:PAGE',
      'event:page\u0000',
    ]) {
      expect(expectReasonable(await ask({ ...base, metrics: [name] }), name)).toBe('bad-query')
      expect(expectReasonable(await ask({ ...base, dimensions: [name] }), name)).toBe('bad-query')
      expect(expectReasonable(await ask({ ...base, filters: [['is', name, ['x']]] }), name)).toBe('bad-query')
      expect(expectReasonable(await ask({ ...base, order_by: [[name, 'asc']] }), name)).toBe('bad-query')
    }
    for (const name of ['__proto__', 'constructor', 'x'.repeat(300)])
      expect(expectReasonable(await ask({ ...base, dimensions: [`event:props:${name}`] }), name)).toBe('ok')
  })

  it('filters without end', async () => {
    const leaf = ['is', 'event:page', ['/']]
    const deep = (levels: number) =>
      JSON.stringify({ ...base, filters: ['FILTER'] }).replace(
        '"FILTER"',
        `${'["not",'.repeat(levels)}${JSON.stringify(leaf)}${']'.repeat(levels)}`,
      )
    expect(expectReasonable(await ask({ ...base, filters: Array.from({ length: 101 }, () => leaf) }), 'leaves')).toBe('bad-query')
    expect(expectReasonable(await ask(deep(9)), 'deep')).toBe('ok')
    for (const levels of [11, 1_000, 5_000]) expect(expectReasonable(await ask(deep(levels)), 'deeper')).toBe('bad-query')
    expect(
      expectReasonable(await ask({ ...base, filters: [['is', 'event:page', Array.from({ length: 1_001 }, () => 'x')]] }), 'values'),
    ).toBe('bad-query')
    expect(expectReasonable(await ask({ ...base, filters: [['is', 'event:page', ['x'.repeat(2_001)]]] }), 'value')).toBe('bad-query')
    for (const filter of [
      [],
      ['is'],
      ['is', 'event:page'],
      ['is', 'event:page', []],
      ['is', 'event:page', [null]],
      ['and', []],
      ['has_done', []],
      ['__proto__', 'event:page', ['x']],
      ['is', 'event:page', ['/'], { case_sensitive: 'no' }],
    ])
      expect(expectReasonable(await ask({ ...base, filters: [filter] }), JSON.stringify(filter))).toBe('bad-query')
  })

  it('patterns that go on for ever elsewhere come back here', async () => {
    const begin = performance.now()
    for (const pattern of [
      '(a+)+$',
      '^/(a+)+$',
      '(a|aa)+$',
      '(.*)*x',
      '^(([a-z])+.)+[A-Z]([a-z])+$',
      '(a|a?)+$',
      '((a*)*)*b',
      '(?:a{0,30}){0,30}$',
    ])
      expectReasonable(await ask({ ...base, dimensions: ['event:page'], filters: [['matches', 'event:page', [pattern]]] }), pattern)
    for (const pattern of [
      '(',
      '[',
      '*',
      '(?<=a)b',
      '(a)\\1',
      '(?!a)',
      '\\',
      'a{1001}',
      '(?P<x',
      '\ud800',
      'x'.repeat(501),
      '(((a{30}){30}){30})',
    ])
      expect(expectReasonable(await ask({ ...base, filters: [['matches', 'event:page', [pattern]]] }), pattern), pattern).toMatch(
        /^(bad-query|ok)$/,
      )
    // 60 pages of 1,800 letters would take longer than the universe has lasted; the bound is only no hang.
    expect(performance.now() - begin).toBeLessThan(25_000)
  }, 60_000)
})

import { describe, expect, test } from 'vitest'
import { catalogue, type ErrorCode, FootfallError, replyOf } from '#shared/errors.ts'

/** Every error there is: its status, and `again` where the same request may simply be sent again. Complete by type. */
const expected: Record<ErrorCode, readonly [status: number, again?: 'again']> = {
  'not-json': [400],
  empty: [400],
  'too-many-hits': [400],
  'bad-encoding': [400],
  'too-large': [413],
  'wrong-key': [401],
  'wrong-role': [403],
  'cross-site': [403],
  'unknown-site': [404],
  'not-found': [404],
  'wrong-method': [405],
  rate: [429, 'again'],
  'bad-query': [400],
  'bad-request': [400],
  conflict: [409],
  'import-position': [409],
  'site-exists': [409],
  'link-used': [401],
  'log-unavailable': [503, 'again'],
  'disk-full': [503, 'again'],
  'store-unavailable': [503, 'again'],
  'no-salt': [503, 'again'],
  'not-drained': [503, 'again'],
  starting: [503, 'again'],
  stopping: [503, 'again'],
  overloaded: [503, 'again'],
  timeout: [503, 'again'],
  'partition-stopped': [500],
  'damaged-segment': [500],
  internal: [500, 'again'],
  'folder-in-use': [1],
  'newer-format': [1],
  'not-a-folder': [1],
  'damaged-file': [1],
  'port-taken': [1],
  'bad-setting': [1],
}
const codes = Object.keys(expected) as ErrorCode[]

test('the catalogue holds these and no others', () => {
  expect(Object.keys(catalogue).sort()).toEqual([...codes].sort())
})

describe.each(codes)('%s', (code) => {
  const error = new FootfallError(code)
  const [status, again] = expected[code]

  test('is built as the catalogue says', () => {
    expect(error).toBeInstanceOf(Error)
    expect({ name: error.name, code: error.code, status: error.status, retryable: error.retryable }).toEqual({
      name: 'FootfallError',
      code,
      status,
      retryable: again === 'again',
    })
  })

  test('is a sentence and a cure', () => {
    for (const text of [error.message, error.hint]) expect(text).toMatch(/^[A-Z"].*[.”"…)]$/)
    expect(error.message.length).toBeLessThan(110)
  })

  test('says when to come again exactly where that helps', () => {
    expect(error.retryAfterS).toBe(again === 'again' ? 1 : undefined)
    expect(replyOf(error).headers['retry-after']).toBe(again === 'again' ? '1' : undefined)
  })

  test('is a reply of three fields', () => {
    const reply = replyOf(error)
    expect(reply.status).toBe(status === 1 ? 500 : status)
    expect(reply.headers).toMatchObject({ 'content-type': 'application/json', 'cache-control': 'no-store' })
    expect(JSON.parse(reply.body)).toEqual({ error: error.message, code, hint: error.hint })
  })
})

test('detail, hint, cause and the time to wait can be given', () => {
  const cause = new Error('below')
  const error = new FootfallError('rate', { detail: 'It was 7.', hint: 'Wait.', cause, retryAfterS: 9 })
  expect(error.message).toBe('Too many hits from this network. It was 7.')
  expect([error.hint, error.cause, replyOf(error).headers['retry-after']]).toEqual(['Wait.', cause, '9'])
})

test.each<[string, unknown]>([
  ['an Error', new Error('secret')],
  ['a text', 'secret'],
  ['nothing', undefined],
  ['a look-alike', { code: 'rate', status: 200, message: 'secret' }],
])('%s is internal, without its text', (_what, thrown) => {
  const reply = replyOf(thrown)
  expect(reply.status).toBe(500)
  expect(JSON.parse(reply.body).code).toBe('internal')
  expect(reply.body).not.toContain('secret')
})

import { expect, test } from 'vitest'
import { createHandler } from '#functions/query-metrics/handler.ts'
import { sharePath } from '#functions/query-metrics/shares.ts'
import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { aWorld, parse } from '../query/service.ts'

/** Large questions are shared out; here a question of a few visits is large. */
const sizes = { unit: 1, range: 1 }

const query = { metrics: ['visitors', 'visits', 'pageviews', 'total_revenue'], dimensions: ['event:page'], date_range: 'all' }

const visits = Array.from({ length: 30 }, (_, i) => ({
  at: `2026-03-${String(9 + (i % 6)).padStart(2, '0')}T22:50:00Z`,
  who: `v${i % 11}`,
  hits: [{ path: `/${i % 4}` }, { after: 900, path: `/${i % 3}`, rev: { a: '1234567', c: 'EUR' } }],
}))

/** A world whose questions are shared out among two helpers; `through` stands before each of them. */
const aSharedWorld = async (through: (helper: Handler, request: Request, n: number) => Promise<Reply>) => {
  const world = await aWorld()
  await world.visit(...visits)
  const helper = createHandler(world.ports)
  const asked: Request[] = []
  const helpers = [1, 2].map((): Handler => (request) => through(helper, request, asked.push(request)))
  const errors: unknown[] = []
  const shared = createHandler(world.ports, { helpers, sizes, onError: (error) => errors.push(error) })
  const askShared = async (signal?: AbortSignal) => {
    const body = Buffer.from(JSON.stringify({ site_id: 'example.com', ...query }))
    const headers = { authorization: `Bearer ${world.read}` }
    const request = { method: 'POST', path: '/api/v2/query', query: '', headers, body, address: '::1', ...(signal ? { signal } : {}) }
    const reply = await shared(request).catch((error): Reply => replyOf(error))
    return { status: reply.status, ...parse(reply) }
  }
  const { headers: _headers, ...alone } = await world.ask(query)
  return { ...world, asked, errors, alone, askShared }
}

test('helpers count shares of a large question, and the answer is the same', async () => {
  const { askShared, asked, alone } = await aSharedWorld((helper, request) => helper(request))
  expect(await askShared()).toEqual(alone)
  expect(alone.results.length).toBe(4)
  expect(asked.map(({ path }) => path)).toEqual([sharePath, sharePath])
})

test('what comes while a question is shared out is in no share of it', async () => {
  const { askShared, alone, ...world } = await aSharedWorld(async (helper, request, n) => {
    if (n === 1) await world.visit({ at: '2026-03-12T10:00:00Z', who: 'late' })
    return await helper(request)
  })
  expect((await askShared()).results).toEqual(alone.results)
})

test('rows that move under a helper begin the question again', async () => {
  const { askShared, asked, alone } = await aSharedWorld((helper, request, n) =>
    n === 2 ? Promise.resolve({ ...replyOf(new FootfallError('store-unavailable')), status: 410 }) : helper(request),
  )
  expect(await askShared()).toEqual(alone)
  expect(asked.length).toBe(4)
})

test('a state that is another one when a helper looks is such a move', async () => {
  const another = (request: Request): Request => ({ ...request, body: Buffer.from(String(request.body).replace('"gen":1', '"gen":7')) })
  const { askShared, asked, alone } = await aSharedWorld((helper, request, n) => helper(n === 1 ? another(request) : request))
  expect(await askShared()).toEqual(alone)
  expect(asked.length).toBe(4)
})

const away: [string, () => Promise<Reply>][] = [
  ['cannot be reached', () => Promise.reject(new Error('connect ECONNREFUSED'))],
  ['is not known to the gateway', () => Promise.resolve({ status: 404, body: 'error finding function query-metrics' })],
  ['is about to end', () => Promise.resolve(replyOf(new FootfallError('stopping')))],
]
test.each(away)('the share of a helper that %s is counted by who was asked, and it is told', async (_why, reply) => {
  const { askShared, alone, errors } = await aSharedWorld((helper, request, n) => (n === 1 ? reply() : helper(request)))
  expect(await askShared()).toEqual(alone)
  expect(errors).toHaveLength(1)
})

test('a helper of another version does not guess', async () => {
  const later = (request: Request): Request => ({ ...request, body: Buffer.from(String(request.body).replace('"format":1', '"format":2')) })
  const { askShared, alone, errors } = await aSharedWorld((helper, request) => helper(later(request)))
  expect(await askShared()).toEqual(alone)
  expect(errors.map(String)).toEqual(Array(2).fill('Error: A helper answered 501: {"error":"Shares have format 1 here."}'))
})

test('what a helper refuses is refused with the same words, and the other helper is told to stop', async () => {
  const refused = new FootfallError('bad-query', {
    detail: 'query: it needs more than the 1 MB there are for questions',
    hint: 'Ask less.',
  })
  let stopped = false
  const { askShared } = await aSharedWorld((_helper, { signal }, n) =>
    n === 1
      ? Promise.resolve(replyOf(refused))
      : new Promise((resolve) =>
          signal!.addEventListener('abort', () => {
            stopped = true
            resolve(replyOf(new FootfallError('timeout')))
          }),
        ),
  )
  expect(await askShared()).toEqual({ status: 400, error: refused.message, code: 'bad-query', hint: 'Ask less.' })
  expect(stopped).toBe(true)
})

test('who goes before the answer ends the helpers too', async () => {
  const gone = new AbortController()
  const { askShared } = await aSharedWorld(
    (_helper, { signal }, n) =>
      new Promise((resolve) => {
        signal!.addEventListener('abort', () => resolve(replyOf(new FootfallError('timeout'))))
        if (n === 2) gone.abort()
      }),
  )
  expect((await askShared(gone.signal)).code).toBe('timeout')
})

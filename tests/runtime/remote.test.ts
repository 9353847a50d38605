import { MessageChannel } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { answerRemote, connectRemote } from '#shared/runtime/remote.ts'
import { settle } from '../fixtures/settle.ts'

const aRequest = (fields: Partial<Request> = {}): Request => ({
  method: 'POST',
  path: '/p',
  query: 'q=1',
  headers: { a: 'b' },
  body: Buffer.from('ü'),
  address: '::1',
  ...fields,
})

let near: MessageChannel['port1']
let far: MessageChannel['port2']
let errors: unknown[]
beforeEach(() => {
  ;({ port1: near, port2: far } = new MessageChannel())
  errors = []
})
afterEach(() => near.close())

/** A handler behind the channel, as the near side sees it. */
const connect = (handler: Handler) => {
  answerRemote(far, new Map([['f', handler]]), (error) => errors.push(error))
  const remote = connectRemote(near)
  return { ...remote, handle: remote.handlerOf('f') }
}
/** Long enough for messages to go there and back a few times. */
/** A stream that says how far it was pulled and whether it was ended. */
const aSource = (pieces: string[]) => {
  const source = { pulled: 0, ended: false }
  const body: AsyncIterable<string> = {
    [Symbol.asyncIterator]: () => ({
      next: async () => {
        source.pulled++
        const value = pieces.shift()
        return value === undefined ? { done: true, value } : { done: false, value }
      },
      return: async () => {
        source.ended = true
        return { done: true, value: undefined }
      },
    }),
  }
  return { source, body }
}

test('a request goes over whole, a reply comes back whole', async () => {
  let seen: Request | undefined
  const { handle } = connect(async (request) => {
    seen = request
    return { status: 201, headers: { x: 'y' }, body: 'text' }
  })
  expect(await handle(aRequest())).toEqual({ status: 201, headers: { x: 'y' }, body: 'text' })
  expect(seen).toMatchObject({ method: 'POST', path: '/p', query: 'q=1', headers: { a: 'b' }, address: '::1' })
  expect(Buffer.isBuffer(seen!.body) && seen!.body.toString()).toBe('ü')
})

test('bytes and nothing at all are bodies too', async () => {
  const replies: Reply[] = [{ status: 200, body: Buffer.from([0, 255]) }, { status: 204 }]
  const { handle } = connect(async () => replies.shift()!)
  const { body } = await handle(aRequest())
  expect(Buffer.isBuffer(body) && [...body]).toEqual([0, 255])
  expect((await handle(aRequest())).body).toBeUndefined()
})

test('requests at the same time each have their own reply', async () => {
  const { handle } = connect(async ({ query }) => {
    await new Promise((resolve) => setTimeout(resolve, query === '0' ? 20 : 0))
    return { status: 200, body: query }
  })
  const replies = await Promise.all(['0', '1', '2'].map((query) => handle(aRequest({ query }))))
  expect(replies.map(({ body }) => body)).toEqual(['0', '1', '2'])
})

describe('errors', () => {
  test('of the catalogue come back as their reply; nobody is told of the ordinary ones', async () => {
    const { handle } = connect(async () => {
      throw new FootfallError('bad-query')
    })
    const reply = await handle(aRequest())
    expect([reply.status, JSON.parse(String(reply.body)).code]).toEqual([400, 'bad-query'])
    expect(errors).toEqual([])
  })

  test('that are unforeseen are told and come back without their text', async () => {
    const { handle } = connect(async () => {
      throw new Error('secret')
    })
    const reply = await handle(aRequest())
    expect([reply.status, String(reply.body).includes('secret')]).toEqual([500, false])
    expect(errors).toMatchObject([{ message: 'secret' }])
  })

  test('a function that is not there is one', async () => {
    connect(async () => ({ status: 200 }))
    expect((await connectRemote(near).handlerOf('nobody')(aRequest())).status).toBe(500)
  })
})

describe('streams', () => {
  test('come piece by piece, pulled by the reader', async () => {
    const { source, body } = aSource(['a', 'b', 'c'])
    const { handle } = connect(async () => ({ status: 200, body }))
    const reply = await handle(aRequest())
    await settle(50)
    expect(source.pulled).toBe(0)
    const pieces: string[] = []
    for await (const piece of reply.body as AsyncIterable<string>) {
      pieces.push(piece)
      expect(source.pulled).toBe(pieces.length)
    }
    expect(pieces).toEqual(['a', 'b', 'c'])
  })

  test('a reader that leaves ends the source, and its signal', async () => {
    const { source, body } = aSource(['a', 'b', 'c'])
    let signal: AbortSignal | undefined
    const { handle } = connect(async (request) => {
      signal = request.signal
      return { status: 200, body }
    })
    for await (const _ of (await handle(aRequest())).body as AsyncIterable<string>) break
    await settle(50)
    expect([source.ended, signal!.aborted]).toEqual([true, true])
  })

  test('a source that fails fails the stream: it must not look whole', async () => {
    async function* broken() {
      yield 'a'
      throw new Error('broken')
    }
    const { handle } = connect(async () => ({ status: 200, body: broken() }))
    const pieces: string[] = []
    const read = async () => {
      for await (const piece of (await handle(aRequest())).body as AsyncIterable<string>) pieces.push(piece)
    }
    await expect(read()).rejects.toMatchObject({ code: 'store-unavailable' })
    expect(pieces).toEqual(['a'])
    expect(errors).toMatchObject([{ message: 'broken' }])
  })

  test('pieces may be bytes', async () => {
    async function* bytes() {
      yield Buffer.from([0, 255])
    }
    const { handle } = connect(async () => ({ status: 200, body: bytes() }))
    const pieces: number[][] = []
    for await (const piece of (await handle(aRequest())).body as AsyncIterable<Uint8Array>) pieces.push([...piece])
    expect(pieces).toEqual([[0, 255]])
  })

  test('a client that has gone in the meantime is told to the far side', async () => {
    const abort = new AbortController()
    let signal: AbortSignal | undefined
    const { handle } = connect(async (request) => {
      signal = request.signal
      return { status: 200, body: aSource([]).body }
    })
    await handle(aRequest({ signal: abort.signal }))
    abort.abort()
    await settle(50)
    expect(signal!.aborted).toBe(true)
  })

  test('a client that goes before the reply is made leaves no open stream behind', async () => {
    const abort = new AbortController()
    const { source, body } = aSource(['a'])
    let answer = () => {}
    const { handle } = connect(() => new Promise((resolve) => (answer = () => resolve({ status: 200, body }))))
    void handle(aRequest({ signal: abort.signal }))
    await settle(50)
    abort.abort()
    await settle(50)
    answer()
    await settle(50)
    expect(source.ended).toBe(true)
  })

  test('a client that had gone before the call is told to the far side', async () => {
    let signal: AbortSignal | undefined
    const { handle } = connect(async (request) => {
      signal = request.signal
      return { status: 200, body: aSource(['a']).body }
    })
    await handle(aRequest({ signal: AbortSignal.abort() }))
    await settle(50)
    expect(signal!.aborted).toBe(true)
  })
})

describe('a thread that has gone', () => {
  test('ends what waits, and what is asked afterwards: 503', async () => {
    const { handle, fail } = connect(() => new Promise(() => undefined))
    const waiting = handle(aRequest())
    fail()
    expect((await waiting).status).toBe(503)
    await expect(handle(aRequest())).rejects.toMatchObject({ code: 'stopping', status: 503 })
  })

  test('fails open streams', async () => {
    const body: AsyncIterable<string> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }) }
    const { handle, fail } = connect(async () => ({ status: 200, body }))
    const reader = ((await handle(aRequest())).body as AsyncIterable<string>)[Symbol.asyncIterator]()
    const waiting = expect(reader.next()).rejects.toMatchObject({ code: 'stopping' })
    await settle(50)
    fail()
    await waiting
  })
})

import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { type Caller, createCaller } from '#shared/trigger/call.ts'
import { CallCut, decodeBatch, encodeBatch } from '#shared/trigger/envelope.ts'

let server: Server | undefined
let caller: Caller | undefined
afterEach(() => {
  caller?.close()
  server?.closeAllConnections()
  server?.close()
})

const listen = async (listener: RequestListener, { timeoutMs = 10_000, isGateway = false } = {}): Promise<Caller> => {
  server = createServer(listener)
  await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  caller = createCaller({ url: `http://127.0.0.1:${port}/function/enrich-session`, timeoutMs, clock: systemClock, isGateway })
  return caller
}

const batch = {
  ...{ topic: 'hits' as const, partition: 3, logTime: 5, logId: 'log', logEnd: 9, caughtUp: true, retry: false, mode: '' as const },
  records: [{ offset: 7, time: 4, body: '{"ü":1}' }],
}
const request = encodeBatch('enrich-session', batch)

describe('a function at an address', () => {
  test('is given the batch as it is, at its own path, and its answer comes back', async () => {
    const { handle } = await listen((message, response) => {
      const chunks: Buffer[] = []
      message.on('data', (chunk) => chunks.push(chunk))
      message.on('end', () => {
        const taken = { method: 'POST', path: message.url!, query: '', headers: message.headers as Record<string, string>, address: '' }
        response.writeHead(409, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ path: message.url, batch: decodeBatch({ ...taken, body: Buffer.concat(chunks) }) }))
      })
    })
    const { status, body } = await handle(request)
    expect(status).toBe(409)
    expect(JSON.parse(String(body))).toEqual({ path: '/function/enrich-session', batch })
  })

  test('that cuts the connection when it has the request is told from one that is not there', async () => {
    const { handle } = await listen((message) => {
      message.resume()
      message.on('end', () => message.socket.resetAndDestroy())
    })
    await expect(handle(request)).rejects.toBeInstanceOf(CallCut)
    server!.close()
    server!.closeAllConnections()
    await new Promise((resolve) => server!.once('close', resolve))
    const error = await handle(request).catch((caught: unknown) => caught)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(CallCut)
  })

  test('is told when nobody waits for its answer any more', async () => {
    let gone: () => void = () => undefined
    const left = new Promise<void>((resolve) => {
      gone = resolve
    })
    const abort = new AbortController()
    const { handle } = await listen((message, response) => {
      message.resume()
      response.on('close', gone)
      abort.abort()
    })
    await expect(handle({ ...request, signal: abort.signal })).rejects.toThrow('nobody waits')
    await left
  })

  test('behind a gateway has cut the connection where the gateway says so, and only there', async () => {
    const answers = [
      { status: 502, headers: {}, isCut: true },
      { status: 500, headers: { 'x-openfaas-internal': 'proxy' }, isCut: true },
      { status: 500, headers: {}, isCut: false },
      { status: 503, headers: { 'x-openfaas-internal': 'proxy' }, isCut: false },
    ]
    for (const isGateway of [true, false])
      for (const { status, headers, isCut } of answers) {
        const { handle } = await listen(
          (message, response) => message.resume().on('end', () => response.writeHead(status, headers).end()),
          {
            isGateway,
          },
        )
        const said = await handle(request).catch((error: unknown) => error)
        expect([status, isGateway, said instanceof CallCut]).toEqual([status, isGateway, isCut && isGateway])
        caller!.close()
        server!.close()
      }
  })

  test('that does not answer in time is given up', async () => {
    const { handle } = await listen((message) => message.resume(), { timeoutMs: 100 })
    await expect(handle(request)).rejects.toThrow('has not answered within 0.1 s')
  })
})

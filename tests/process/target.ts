import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { refusalReasons } from '#shared/hit/record.ts'
import { aFolder, freePort, type Server, startServer, sumsOf } from './server.ts'

/**
 * A server to be attacked, with a site beside the attacked one. Whatever is sent: an answer of 2xx or 4xx with a reason, and afterwards
 * the process lives, an ordinary hit is counted, and the other site's numbers are what they were.
 */
export const address = '198.51.100.77'
export const agent =
  'Mozilla/5.0 (X11; Linux x86_64; SecretMachine 4711) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36'
export const sender = { 'x-forwarded-for': address, 'user-agent': agent }

const bystander = 'bystander.example'
const bystanderHits = 3

export type Answered = { status: number; body: Record<string, unknown>; text: string }

export type Target = {
  server: Server
  /** POSTs any bytes to /api/hit. */
  post(body: string | Buffer, headers?: Record<string, string>): Promise<Answered>
  /** What must hold after anything. */
  expectUnharmed(): Promise<void>
  /** Ends the server and looks at what it said and stored. */
  end(): Promise<void>
}

/** Inputs with a short readable name each, for `it.each`. */
export const named = <T>(inputs: readonly T[]): [name: string, input: T][] =>
  inputs.map((input) => [JSON.stringify(input).slice(0, 50).replaceAll('%', '%%'), input])

const parsed = (text: string): Record<string, unknown> => {
  try {
    return JSON.parse(text) as Record<string, unknown>
  } catch {
    return {}
  }
}

export const read = async (reply: Response): Promise<Answered> => {
  const text = await reply.text()
  return { status: reply.status, body: parsed(text), text }
}

/** The one rule for every input: 202 with reasons of the closed list, or 4xx with sentence, code and cure. Answers a short form. */
export const expectAnswered = ({ status, body, text }: Answered, what: string): string => {
  const told = `${what.slice(0, 120)}: ${status} ${text.slice(0, 200)}`
  if (status === 202) {
    const refused = body['refused'] as { reason: string }[]
    for (const { reason } of refused) expect(refusalReasons, told).toContain(reason)
    return refused[0]?.reason ?? 'ok'
  }
  expect(status, told).toBeGreaterThanOrEqual(400)
  expect(status, told).toBeLessThan(500)
  for (const name of ['error', 'code', 'hint']) expect(body[name], told).toEqual(expect.any(String))
  expect(text, 'an answer tells nothing of the inside').not.toMatch(/node:|\.ts\b|\/work\/|at \w+ \(/)
  return String(body['code'])
}

const filesOf = (folder: string): { name: string; bytes: Buffer }[] =>
  readdirSync(folder).map((name) => ({ name, bytes: readFileSync(join(folder, name)) }))

/** A page that must be found in what is stored: else the search for what must not be proves nothing. */
const marker = '/marker-of-what-is-stored'

const expectPrivate = (folder: string): void => {
  const files = filesOf(folder)
  expect(
    files.some(({ bytes }) => bytes.includes(marker)),
    'stored bytes can be searched',
  ).toBe(true)
  for (const secret of [address, 'SecretMachine', '203.0.113.99', 'KeyedMachine'])
    for (const { name, bytes } of files)
      for (const encoding of ['utf8', 'utf16le'] as const)
        expect(bytes.includes(Buffer.from(secret, encoding)), `${secret} in ${name}`).toBe(false)
}

/** Resident memory, MB; however much was thrown at it. */
const residentMb = (pid: number): number =>
  process.platform === 'linux' ? Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024 : 0
const mostMb = 900

export const aTarget = async (): Promise<Target> => {
  const { path: data, remove } = aFolder()
  const server = await startServer({ data, port: await freePort() })
  await server.addSite(bystander)
  for (let i = 0; i < bystanderHits; i++) await server.hit({ site: bystander, url: `https://${bystander}/${i}` }, sender)
  await server.hit({ site: 'localhost', url: `http://localhost${marker}` }, sender)
  await server.ask('POST', '/api/hit', { site: 'localhost', url: 'http://localhost/', address: '203.0.113.99', agent: 'KeyedMachine/1.0' })
  let ordinary = 0

  const expectUnharmed = async (): Promise<void> => {
    expect(server.isOver(), server.said.err).toBe(false)
    const id = `ordinary-${ordinary++}`
    const reply = await server.hit({ site: 'localhost', id, name: 'ordinary', url: 'http://localhost/ordinary' }, sender)
    expect(reply.status).toBe(202)
    await server.settled('localhost')
    const query = { site_id: 'localhost', metrics: ['events'], date_range: 'all', filters: [['is', 'event:name', ['ordinary']]] }
    expect((await server.get('POST', '/api/v2/query', query)).results[0].metrics).toEqual([ordinary])
    const ledger = await server.settled(bystander)
    expect([sumsOf(ledger).received, sumsOf(ledger).counted, ledger.balanced]).toEqual([bystanderHits, bystanderHits, true])
  }

  return {
    server,
    post: async (body, headers = {}) =>
      read(
        await fetch(`${server.url}/api/hit`, {
          method: 'POST',
          body: body as NonNullable<RequestInit['body']>,
          headers: { ...sender, ...headers },
          signal: AbortSignal.timeout(30_000),
        }),
      ),
    expectUnharmed,
    async end() {
      try {
        const { hours, balanced } = await server.settled('localhost')
        expect([hours.length > 0, balanced]).toEqual([true, true])
        expect(residentMb(server.pid), 'memory stays bounded').toBeLessThan(mostMb)
        expectPrivate(data)
        const { code, err } = await server.stop()
        expect(code).toBe(0)
        const lines = err.split('\n').filter((line) => line !== '')
        for (const line of lines) expect(() => JSON.parse(line), `the log is JSON lines: ${line.slice(0, 200)}`).not.toThrow()
        expect(lines, 'nothing went wrong inside').toEqual([])
        expectPrivate(data)
      } finally {
        await server.stop('SIGKILL')
        remove()
      }
    },
  }
}

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import type { Handler, Request } from '#shared/handler.ts'
import { json } from '#shared/handler.ts'
import { createAgents } from '#shared/hit/device.ts'
import { agents, robots } from '../../scripts/traffic/agents.ts'
import { createPlan, type Sending } from '../../scripts/traffic/plan.ts'
import { ledgerLines } from '../process/client-ledger.ts'
import { anInstallation } from '../site/installation.ts'
import { aClosedPort, aFolder, listen, publicFace, type } from './terminal.ts'

/** `footfall traffic`: what it sends, what it makes of the answers, and how it ends. */

type SentHit = Record<string, unknown>

const accepted = (count: number) => json(202, { accepted: count, refused: [] })

/** A Footfall whose hits are answered by `collect`, and a terminal beside it. */
const aServer = async (collect: (hits: SentHit[], request: Request) => ReturnType<Handler> | Awaited<ReturnType<Handler>>) => {
  const home = await anInstallation()
  const taken: { hit: SentHit; request: Request }[] = []
  const face = publicFace(home, {
    '/api/hit': async (request) => {
      const body = JSON.parse(request.body.toString()) as { hits?: SentHit[] }
      const hits = body.hits ?? [body]
      taken.push(...hits.map((hit) => ({ hit, request })))
      return collect(hits, request)
    },
  })
  const port = await listen(face)
  const folder = aFolder()
  const env = { FOOTFALL_PORT: String(port), FOOTFALL_DATA: folder, FOOTFALL_KEY: home.adminKey }
  const ledger = join(folder, 'ledger.ndjson')
  const run = (argv: string, more: Record<string, string> = {}) =>
    type(`traffic --ledger ${ledger} ${argv}`.split(' '), { env: { ...env, ...more } })
  const lines = () => ledgerLines(ledger)
  return { run, taken, lines }
}

const aPlan = (seed = 1, rate = 100) => createPlan({ site: 'a.example', seed, rate, speed: 60, now: Date.parse('2026-06-10T08:00:00Z') })
const take = (count: number, plan = aPlan()): Sending[] => Array.from({ length: count }, () => plan.next())

describe('the plan', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(take(3_000)).toEqual(take(3_000))
    expect(take(50, aPlan(2))).not.toEqual(take(50))
  })

  it('has the mix that it promises', () => {
    const all = take(40_000)
    const share = (is: (sending: Sending) => boolean) => all.filter(is).length / all.length
    expect(share(({ hit }) => hit.person.robot)).toBeCloseTo(0.05, 1.5)
    expect(share(({ isRepeat }) => isRepeat)).toBeCloseTo(0.01, 2)
    expect(share(({ hit }) => hit.queued > 0)).toBeCloseTo(0.02, 2)
    expect(share(({ hit }) => hit.bad !== undefined)).toBeCloseTo(0.005, 2)
    const kinds = new Set(all.map(({ hit }) => hit.fields.name ?? 'pageview'))
    for (const name of ['pageview', 'engagement', 'purchase', 'signup', 'search', 'download', 'outbound']) expect(kinds).toContain(name)
  })

  it('reads a few pages much and most pages seldom, in visits of several', () => {
    const views = take(20_000).filter(({ hit }) => hit.fields.name === undefined && !hit.bad)
    const counts = new Map<string, number>()
    for (const { hit } of views) counts.set(hit.page!, (counts.get(hit.page!) ?? 0) + 1)
    expect(counts.get('/')! / views.length).toBeGreaterThan(0.08)
    expect(counts.size).toBeGreaterThan(400)
    const people = new Map<string, number>()
    for (const { hit } of views) people.set(hit.person.key, (people.get(hit.person.key) ?? 0) + 1)
    expect([...people.values()].filter((count) => count > 1).length / people.size).toBeGreaterThan(0.4)
  })

  it('gives every person an address of his own', () => {
    const owners = new Map<string, string>()
    for (const { hit } of take(30_000)) {
      const { address, key } = hit.person
      expect(owners.get(address) ?? key).toBe(key)
      owners.set(address, key)
    }
  })

  it('knows its agents: people are no robots, and robots are', () => {
    const know = createAgents()
    for (const [kind, name] of [
      ['desktop', 'Desktop'],
      ['mobile', 'Mobile'],
      ['tablet', 'Tablet'],
    ] as const)
      for (const [, agent] of agents[kind]) expect(know(agent), agent).toMatchObject({ device: { type: name } })
    for (const kind of ['desktop', 'mobile', 'tablet'] as const)
      for (const [, agent] of agents[kind]) expect(know(agent).bot, agent).toBeUndefined()
    for (const agent of robots) expect(know(agent).bot, agent).toBeDefined()
    expect(Object.values(agents).flat().length).toBeGreaterThanOrEqual(55)
  })
})

describe('a run', () => {
  it('sends at the rate, writes every outcome down, and says what became of it', async () => {
    const { run, taken, lines } = await aServer((hits) => accepted(hits.length))
    const { code, out, err } = await run('--site a.example --rate 200 --seconds 1 --seed 7')
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(
      /^sent {6}200 hits in 1\.\d s, \d+ a second\nok {8}200\nrefused {3}0\nunknown {3}0\nlatency {3}p50 [\d.,]+ ms, p99 [\d.,]+ ms/,
    )
    expect(taken).toHaveLength(200)
    expect(lines()).toHaveLength(200)
    for (const line of lines())
      expect(line).toMatchObject({ site: 'a.example', outcome: 'ok', sent_at: expect.any(Number), intended_at: expect.any(Number) })
    expect(new Set(lines().map(({ id }) => id))).toEqual(new Set(taken.map(({ hit }) => hit['id'])))
  })

  it('looks like browsers: an agent, an address, ids in the order of time that nobody guesses', async () => {
    const { run, taken } = await aServer((hits) => accepted(hits.length))
    await run('--site a.example --rate 100 --seconds 1')
    const ids = new Set<string>()
    for (const { hit, request } of taken) {
      expect(request.headers['x-forwarded-for']).toMatch(/^[\d.]+$|^[\da-f:]+$/)
      expect(request.headers['user-agent']).not.toBe('')
      expect(request.headers['authorization']).toBeUndefined()
      expect(hit['id']).toMatch(/^[\da-z]{8,9}-[\w-]{16}$/)
      ids.add(String(hit['id']))
      expect(hit).not.toHaveProperty('address')
    }
    const times = [...ids].map((id) => id.split('-')[0]!)
    expect(times.at(-1)! >= times[0]!).toBe(true)
  })

  it('with --batch sends as a server does: a key, and each visitor in the hit', async () => {
    const { run, taken } = await aServer((hits) => accepted(hits.length))
    expect((await run('--site a.example --rate 200 --seconds 1 --batch 20')).code).toBe(0)
    expect(new Set(taken.map(({ request }) => request)).size).toBe(10)
    for (const { hit, request } of taken) {
      expect(request.headers['authorization']).toMatch(/^Bearer ff_own_/)
      expect(hit).toMatchObject({ address: expect.any(String), agent: expect.any(String), time: expect.any(Number) })
    }
  })

  it('counts refusals by their reason, and says what helps against `rate`', async () => {
    let count = 0
    const { run } = await aServer((hits) => {
      if (count++ % 4 === 0) throw new FootfallError('rate')
      return count % 4 === 2 ? json(202, { accepted: 0, refused: hits.map((_, index) => ({ index, reason: 'bad-url' })) }) : accepted(1)
    })
    const { code, out, err } = await run('--site a.example --rate 100 --seconds 1')
    expect(code).toBe(0)
    expect(out).toContain('refused   50 (25 rate, 25 bad-url)')
    expect(err).toContain('FOOTFALL_RATE')
    expect(err).toContain('--batch')
  })

  it('sends what is unknown again with the same id until it is definite', async () => {
    let count = 0
    const { run, taken, lines } = await aServer(() => {
      if (++count <= 30) throw new FootfallError('log-unavailable')
      return accepted(1)
    })
    const { code, out } = await run('--site a.example --rate 100 --seconds 1')
    expect(code).toBe(0)
    expect(out).toContain('ok        100')
    expect(out).toContain('unknown   0 (30 log-unavailable; 30 definite after being sent again)')
    const unknown = lines().filter(({ outcome }) => outcome === 'unknown')
    expect(unknown).toHaveLength(30)
    for (const { id } of unknown) expect(lines().some((line) => line.id === id && line.outcome === 'ok')).toBe(true)
    expect(taken).toHaveLength(130)
  })
})

describe('it ends, and says why', () => {
  const argv = '--site a.example --rate 10 --seconds 1'

  it('where the site is not registered', async () => {
    const { run, taken } = await aServer(() => accepted(1))
    const { code, err } = await run('--site gone.example --rate 10 --seconds 1')
    expect(code).toBe(1)
    expect(err).toBe('The site gone.example is not registered.\nAdd it with `footfall site add gone.example`.')
    expect(taken).toEqual([])
  })

  it('where the site is gone in the middle, or the key is', async () => {
    for (const code of ['unknown-site', 'wrong-key', 'wrong-role'] as const) {
      const { run } = await aServer(() => Promise.reject(new FootfallError(code)))
      const ended = await run(`${argv} --batch 2`)
      expect(ended).toMatchObject({ code: 1, out: '' })
      expect(ended.err).toContain(new FootfallError(code).hint)
    }
  })

  it('where no server is there', async () => {
    const env = { FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_DATA: aFolder() }
    const { code, err } = await type(`traffic ${argv}`.split(' '), { env })
    expect(code).toBe(1)
    expect(err).toMatch(/cannot be reached \(.*ECONNREFUSED/)
    expect(err).toContain('npm start')
  })

  it('where the ledger cannot be written', async () => {
    const { run, taken } = await aServer(() => accepted(1))
    const { code, err } = await run(`${argv} --ledger /nowhere/ledger.ndjson`)
    expect(code).toBe(1)
    expect(err).toContain('The ledger /nowhere/ledger.ndjson cannot be written (ENOENT')
    expect(taken).toEqual([])
  })

  it.each([
    ['--rate 10', '--site is missing'],
    ['--site a.example --rate fast', '--rate is "fast"'],
    ['--site a.example --rate 0', '--rate is "0"'],
    ['--site a.example --seconds -1', '--seconds'],
    ['--site a.example --seed 1.5', '--seed is "1.5"'],
    ['--site a.example --batch 1001', '--batch is "1001"'],
    ['--site a.example --sed 1', 'Did you mean --seed?'],
  ])('wrong use: %s', async (text, told) => {
    const { code, out, err } = await type(['traffic', ...text.split(' ')])
    expect([code, out]).toEqual([2, ''])
    expect(err).toContain(told)
  })
})

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import { type Handler, json } from '#shared/handler.ts'
import { checkClock, type Finding } from '../../scripts/cli/checks.ts'
import type { World } from '../../scripts/cli/command.ts'
import { anInstallation, start } from '../site/installation.ts'
import { aClosedPort, aFolder, listen, listenPlain, publicFace, type } from './terminal.ts'

const ledger =
  (pending = { records: 0, age_ms: 0 }, balanced = true): Handler =>
  async () =>
    json(200, { hours: [], pending, balanced })

type Options = {
  ledger?: Handler
  health?: Handler
  sites?: string[]
  key?: string
  env?: Record<string, string>
  world?: Partial<World>
  page?: string
}

/** A healthy installation with one thing changed, looked at by the doctor. */
const look = async ({ ledger: books = ledger(), health, sites, key, env = {}, world = {}, page }: Options = {}) => {
  const home = await anInstallation(sites ? { sites } : {})
  const port = await listen(publicFace(home, { '/api/ledger': books, ...(health ? { '/health': health } : {}) }))
  const settings = { FOOTFALL_PORT: String(port), FOOTFALL_DATA: aFolder(), FOOTFALL_KEY: key ?? home.adminKey, ...env }
  const clock = { ...home.clock, now: () => Date.now() }
  const { code, out } = await type(['doctor', ...(page ? [page] : []), '--json'], { env: settings, world: { clock, ...world } })
  return { code, findings: JSON.parse(out) as Finding[] }
}

const states = (findings: readonly Finding[]) => Object.fromEntries(findings.map(({ check, state }) => [check, state]))
const well = { settings: 'ok', folder: 'ok', disk: expect.anything(), server: 'ok', clock: 'ok', key: 'ok', lag: 'ok', ledger: 'ok' }

describe('the doctor', () => {
  it('finds a healthy installation healthy', async () => {
    const { code, findings } = await look()
    expect(states(findings)).toEqual(well)
    expect(code).toBe(0)
  })

  const table: [why: string, options: Options, check: string, state: string, text: string, cure: string][] = [
    ['a setting', { env: { FOOTFALL_RATE: 'much' } }, 'settings', 'fail', 'FOOTFALL_RATE is "much"', 'hits per second'],
    ['a misspelt setting', { env: { FOOTFALL_PROT: '1' } }, 'settings', 'fail', 'FOOTFALL_PROT is no setting', 'FOOTFALL_PORT'],
    ['a proxy that is none', { env: { FOOTFALL_TRUSTED_PROXIES: '10.0.0.0/99' } }, 'settings', 'fail', '10.0.0.0/99', 'CIDRs'],
    ['a database that is gone', { env: { FOOTFALL_GEO: '/nowhere.mmdb' } }, 'settings', 'fail', '/nowhere.mmdb', '.mmdb'],
    ['a folder not made yet', { env: { FOOTFALL_DATA: '/nowhere/footfall' } }, 'folder', 'warn', 'not there yet', 'npm start'],
    [
      'a newer format',
      { world: { checkFolder: () => Promise.reject(new FootfallError('newer-format')) } },
      'folder',
      'fail',
      'newer version',
      'Start that version',
    ],
    [
      'a damaged file',
      { world: { checkFolder: () => Promise.reject(new FootfallError('damaged-file')) } },
      'folder',
      'fail',
      'damaged',
      'restore',
    ],
    ['a wrong key', { key: `ff_own_${'A'.repeat(43)}` }, 'key', 'fail', 'missing or wrong', 'footfall key add'],
    [
      'no durable log',
      { health: () => Promise.reject(new FootfallError('disk-full')) },
      'server',
      'fail',
      'answers 503',
      'log of the server',
    ],
    [
      'some lag',
      { ledger: ledger({ records: 10, age_ms: 30_000 }) },
      'lag',
      'warn',
      '10 records are pending, the oldest for 30.0 s',
      'Wait',
    ],
    ['much lag', { ledger: ledger({ records: 10, age_ms: 600_000 }) }, 'lag', 'fail', '600.0 s', 'docs/operations.md'],
    ['numbers that do not add up', { ledger: ledger(undefined, false) }, 'ledger', 'fail', 'a.example, b.example', 'report it'],
    ['a ledger that fails', { ledger: () => Promise.reject(new FootfallError('timeout')) }, 'lag', 'fail', 'too long', 'shorter range'],
    ['no site', { sites: [] }, 'sites', 'warn', 'no site', 'site add'],
  ]
  it.each(table)('sees %s', async (_why, options, check, state, text, cure) => {
    const { code, findings } = await look(options)
    const found = findings.find((finding) => finding.check === check)
    expect(found).toEqual({ check, state, text: expect.stringContaining(text), cure: expect.stringContaining(cure) })
    expect(code).toBe(state === 'fail' ? 1 : 0)
  })

  it('sees that no server runs, and still says the rest', async () => {
    const env = { FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_DATA: aFolder() }
    const { code, out } = await type(['doctor', 'example.com', '--json'], { env })
    expect(code).toBe(1)
    expect(states(JSON.parse(out) as Finding[])).toMatchObject({ settings: 'ok', folder: 'ok', server: 'fail', page: 'warn' })
  })

  it('sees a program that is not Footfall', async () => {
    const port = await listenPlain((_request, response) => void response.end('hello'))
    const { out } = await type(['doctor', '--json'], { env: { FOOTFALL_PORT: String(port), FOOTFALL_DATA: aFolder(), FOOTFALL_KEY: 'x' } })
    expect(out).toContain('is not Footfall')
  })

  it('sees that others can read the key', async () => {
    const folder = aFolder()
    writeFileSync(join(folder, 'admin.key'), 'ff_own_x')
    chmodSync(join(folder, 'admin.key'), 0o644)
    const { findings } = await look({ env: { FOOTFALL_DATA: folder } })
    expect(findings).toContainEqual({
      check: 'folder',
      state: 'warn',
      text: 'Other users can read admin.key.',
      cure: `chmod 600 ${folder}/admin.key`,
    })
  })

  it('sees that the folder is none', async () => {
    const file = join(aFolder(), 'file')
    writeFileSync(file, '')
    expect((await look({ env: { FOOTFALL_DATA: file } })).findings).toContainEqual(
      expect.objectContaining({ check: 'folder', state: 'fail', text: `${file} is not a folder.` }),
    )
  })

  it('prints a line for each, with the cure below', async () => {
    const env = { FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_DATA: aFolder() }
    const lines = (await type(['doctor'], { env })).out.split('\n')
    expect(lines[0]).toMatch(/^ok {4}settings {2}port \d+/)
    expect(lines.at(-1)).toMatch(/^ +→ Start it with/)
  })
})

describe('the tracker on a page', () => {
  const served = async (html: string, status = 200) => {
    const port = await listenPlain((_request, response) => void response.writeHead(status, { 'content-type': 'text/html' }).end(html))
    const { code, findings } = await look({ page: `http://127.0.0.1:${port}/`, sites: ['127.0.0.1'], env: {} })
    return { code, page: findings.find(({ check }) => check === 'page') }
  }

  it('is missing', async () => {
    expect(await served('<p>nothing</p>')).toMatchObject({
      code: 1,
      page: { state: 'fail', text: expect.stringContaining('no tracker script') },
    })
  })

  it('cannot be there when the page is not', async () => {
    expect((await served('', 404)).page).toMatchObject({ state: 'fail', text: expect.stringContaining('answers 404') })
  })

  it('is there', async () => {
    const home = await anInstallation({ sites: ['127.0.0.1'] })
    const face = publicFace(home, {
      '/api/ledger': ledger(),
      '/page': async () => ({ status: 200, body: '<script src="/footfall.js" data-site="127.0.0.1"></script>' }),
    })
    const url = `http://127.0.0.1:${await listen(face)}`
    const { code, out } = await type(['doctor', `${url}/page`], {
      env: { FOOTFALL_URL: url, FOOTFALL_DATA: aFolder(), FOOTFALL_KEY: home.adminKey },
      world: { clock: { ...home.clock, now: () => Date.now() } },
    })
    expect(out).toContain('carries the tracker of 127.0.0.1')
    expect(code).toBe(0)
  })

  it('cannot be looked for where nothing answers', async () => {
    const { findings } = await look({ page: `http://127.0.0.1:${await aClosedPort()}/` })
    expect(findings.at(-1)).toMatchObject({ check: 'page', state: 'fail', text: expect.stringContaining('ECONNREFUSED') })
  })
})

describe('two clocks', () => {
  const date = new Date(start).toUTCString()
  it.each([
    [0, 'ok'],
    [999, 'ok'],
    [2_500, 'ok'],
    [5_000, 'warn'],
    [-5_000, 'warn'],
    [59_000, 'warn'],
    [3_600_000, 'fail'],
    [-3_600_000, 'fail'],
  ])('%i ms apart are %s', (off, state) => {
    expect(checkClock(date, start + off).state).toBe(state)
  })

  it('cannot be compared without a date', () => {
    expect(checkClock(undefined, start).state).toBe('warn')
  })
})

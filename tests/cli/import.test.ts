import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { systemClock } from '#shared/clock.ts'
import { openFunctions } from '#shared/runtime/embedded.ts'
import type { World } from '../../scripts/cli/command.ts'
import { createRequests, type Request, site, siteOptions } from '../fixtures/access-log.ts'
import { type Format, formats, renderLog } from '../fixtures/access-log-formats.ts'
import { answersOf, truthOf } from '../fixtures/access-log-truth.ts'
import { createRandom } from '../model/random.ts'
import { aClosedPort, aFolder, type } from './terminal.ts'

/** `footfall import` as it is typed, over a folder that no server holds: what the site's numbers are afterwards, against a count of its own. */

/** The seed of a test's chance: given by IMPORT_SEED, else new each time, and printed. */
const seedOf = (test: string): number => {
  const seed = Number(process.env['IMPORT_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  process.stdout.write(`${test}: IMPORT_SEED=${seed}\n`)
  return seed
}

/** Three days around the night in which Berlin puts its clocks back. */
const from = Date.parse('2026-10-23T22:00:00Z')

const aHome = async () => {
  const folder = aFolder()
  const env = { FOOTFALL_DATA: join(folder, 'data'), FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_LOG: 'error' }
  const world: Partial<World> = { clock: systemClock, openFunctions: (config) => openFunctions(config, systemClock) }
  const run = (argv: readonly string[], bytes?: Buffer) =>
    type(argv, { env, world: { ...world, ...(bytes && { inputBytes: () => Readable.from([bytes]) }) } })
  const options = ['--timezone', siteOptions.timezone, '--params', 'q', '--exclude-paths', '/admin*', '--exclude-addresses', '192.0.2.0/28']
  expect((await run(['site', 'add', site, ...options])).err).not.toContain('unforeseen')
  const at = (name: string) => join(folder, name)
  const write = (name: string, content: string | Buffer) => {
    writeFileSync(at(name), content)
    return at(name)
  }
  const importing = (...argv: string[]) => run(['import', ...argv, '--site', site])
  const query = async (body: unknown) => JSON.parse((await run(['query', JSON.stringify(body), '--json'])).out)
  const pageviews = async () => (await query({ site_id: site, metrics: ['pageviews'], date_range: 'all' })).results[0].metrics[0] as number
  return { run, at, write, importing, query, pageviews, data: env.FOOTFALL_DATA }
}
type Home = Awaited<ReturnType<typeof aHome>>

const expectTruth = async ({ query }: Home, requests: readonly Request[], format: Pick<Format, 'hasHost' | 'hasAgent'>) => {
  const { byDay, byPage, bySource } = truthOf(requests, format)
  expect(await answersOf(query)).toEqual({ byDay, byPage, bySource })
}

const total = (counts: Record<string, number>) => Object.values(counts).reduce((sum, n) => sum + n, 0)
/** A number of the report, by the word before it. */
const told = (out: string, word: string): number => Number(new RegExp(`^ +${word} +([\\d,]+)`, 'm').exec(out)?.[1]?.replaceAll(',', ''))

const plain = formats.find(({ name }) => name === 'Apache combined')!

describe('every format', () => {
  test.each(formats.map((format) => [format.name, format] as const))('%s comes to what was planned', async (name, format) => {
    const seed = seedOf(name)
    const random = createRandom(seed)
    const requests = createRequests(random, { from, days: 3, visitors: 150 })
    const home = await aHome()
    const log = home.write('access.log', renderLog(requests, format, random.pick([0, 120, -420, 330])))
    const { code, out, err } = await home.importing(log, ...(random.chance(0.5) ? ['--format', format.format] : []))
    expect([code, err]).toEqual([0, ''])
    const truth = truthOf(requests, format)
    expect([told(out, 'read'), told(out, 'counted'), told(out, 'unreadable')]).toEqual([requests.length, truth.counted, truth.unreadable])
    for (const [reason, n] of Object.entries({ ...truth.flagged, ...truth.skipped }))
      expect(out).toContain(`${n.toLocaleString('en-US')} ${reason}`)
    expect([told(out, 'flagged'), told(out, 'skipped')]).toEqual([total(truth.flagged), total(truth.skipped)])
    await expectTruth(home, requests, format)
  })
})

const aPlan = (what: string, visitors = 60) => {
  const random = createRandom(seedOf(what))
  return { random, requests: createRequests(random, { from, days: 3, visitors }) }
}

describe('run again', () => {
  test('nothing is counted twice: the same log, grown in the middle of a line, rotated, packed', async () => {
    const { random, requests } = aPlan('growth')
    const home = await aHome()
    const whole = Buffer.from(renderLog(requests, plain))
    const cuts = Array.from({ length: 3 }, () => 1 + random.below(whole.length - 1)).sort((a, b) => a - b)
    const log = home.write('access.log', '')
    let read = 0
    let had = 0
    for (const end of cuts) {
      appendFileSync(log, whole.subarray(had, end))
      had = end
      const { code, out } = await home.importing(log)
      expect(code).toBe(0)
      read += told(out, 'read')
      const complete = whole.toString('latin1', 0, end)
      expect(read).toBe(complete.split('\n').length - 1)
      expect(out.includes('has no end yet')).toBe(!complete.endsWith('\n'))
    }
    appendFileSync(log, whole.subarray(had))
    renameSync(log, home.at('access.log.1'))
    writeFileSync(home.at('access.log.2.gz'), gzipSync(readFileSync(home.at('access.log.1'))))
    read += told((await home.importing(home.at('access.log.2.gz'))).out, 'read')
    expect(read).toBe(requests.length)
    const again = (await home.importing(home.at('access.log.1'))).out
    expect([told(again, 'imported before'), told(again, 'read')]).toEqual([requests.length, 0])
    await expectTruth(home, requests, plain)
  })

  test('standard input, gzip in several members, and a last line without an end', async () => {
    const { random, requests } = aPlan('stdin')
    const home = await aHome()
    const whole = Buffer.from(renderLog(requests, plain)).subarray(0, -1)
    const cut = random.below(whole.length)
    const packed = Buffer.concat([gzipSync(whole.subarray(0, cut)), gzipSync(whole.subarray(cut))])
    const stdin = (...argv: string[]) => home.run(['import', '-', '--site', site, ...argv], packed)
    const first = await stdin()
    expect([first.code, told(first.out, 'read')]).toEqual([0, requests.length - 1])
    expect(first.out).toContain(`line ${requests.length}, which has no end yet`)
    expect(told((await stdin()).out, 'read')).toBe(0)
    const finished = (await stdin('--finished')).out
    expect([told(finished, 'imported before'), told(finished, 'read')]).toEqual([requests.length - 1, 1])
    await expectTruth(home, requests, plain)
  })

  test('several logs are taken in the order of their time, and visits go on from one to the next', async () => {
    const { random, requests } = aPlan('several')
    const home = await aHome()
    const cut = 1 + random.below(requests.length - 2)
    // The second log must begin with a line that has a time.
    while (requests[cut]!.raw !== undefined) requests.splice(cut, 1)
    const older = home.write('older', gzipSync(renderLog(requests.slice(0, cut), plain)))
    const newer = home.write('newer', renderLog(requests.slice(cut), plain))
    const { code, out } = await home.importing(newer, older)
    expect(code).toBe(0)
    expect(out.indexOf(older)).toBeLessThan(out.indexOf(newer))
    expect(out).toContain(`2 logs: ${requests.length.toLocaleString('en-US')} lines read`)
    await expectTruth(home, requests, plain)
  })

  test('logs that begin alike are one log, unless they are given names', async () => {
    const home = await aHome()
    const line = (path: string) => plain.render({ ...createRequests(createRandom(1), { from, days: 1, visitors: 1 })[0]!, target: path }, 0)
    const one = home.write('one', `${line('/')}\n${line('/a')}\n`)
    const two = home.write('two', `${line('/')}\n${line('/b')}\n${line('/c')}\n`)
    await home.importing(one)
    expect(told((await home.importing(two)).out, 'read')).toBe(1)
    expect(told((await home.importing(two, '--source', 'web2')).out, 'read')).toBe(3)
    expect(told((await home.importing(two, '--source', 'web2')).out, 'read')).toBe(0)
    expect(await home.pageviews()).toBe(2 + 1 + 3)
  })
})

describe('what cannot be imported', () => {
  const line = renderLog(createRequests(createRandom(1), { from, days: 1, visitors: 1, hasJunk: false }).slice(0, 1), plain)

  test.each([
    [['import'], undefined, 2, 'FILE is missing'],
    [['import', 'x'], undefined, 2, '--site is missing'],
    [['import', 'x', '--site', 'a b'], undefined, 2, '--site is "a b"'],
    [['import', 'x', '--site', site, '--format', 'iis'], undefined, 2, 'auto, common, combined, json'],
    [['import', '-', 'x', '--site', site], undefined, 2, 'beside files'],
    [['import', '/nowhere', '--site', site], undefined, 1, 'There is no file /nowhere'],
    [['import', '/', '--site', site], undefined, 1, 'cannot be read'],
    [['import', '-', '--site', 'gone.example'], Buffer.from(line), 1, 'not registered'],
    [['import', '-', '--site', site], Buffer.from('fd377a585a0000', 'hex'), 1, 'xzcat'],
    [['import', '-', '--site', site], gzipSync(line).subarray(0, -9), 1, 'is not whole'],
    [['import', '-', '--site', site], Buffer.from('1f8b0800000000000003ffffffffffff', 'hex'), 1, 'is damaged'],
    [['import', '-', '--site', site], Buffer.from('{"a":1}\nx\n'), 1, 'Not one line could be read'],
  ] as const)('%j', async (argv, bytes, code, sentence) => {
    const home = await aHome()
    const printed = await home.run(argv, bytes)
    expect(printed.code).toBe(code)
    expect(printed.err).toContain(sentence)
  })

  test('an empty log, and one of comments, are no failure', async () => {
    const home = await aHome()
    expect((await home.importing(home.write('empty', ''))).code).toBe(0)
    expect((await home.importing(home.write('comments', '#Version: 1.0\n\n# nothing\n'))).code).toBe(0)
    expect((await home.importing(home.write('begun', line.slice(0, 20)))).out).toContain('line 1, which has no end yet')
  })

  test('a dry run says what an import would, and leaves nothing behind', async () => {
    const { requests } = aPlan('dry run')
    const home = await aHome()
    const log = home.write('access.log', renderLog(requests, plain))
    const dry = await home.importing(log, '--dry-run')
    expect([dry.code, dry.err]).toEqual([0, expect.stringContaining('Nothing was imported')])
    const truth = truthOf(requests, plain)
    const ruled = (truth.flagged['address'] ?? 0) + (truth.flagged['path'] ?? 0)
    expect([told(dry.out, 'read'), told(dry.out, 'counted'), told(dry.out, 'skipped')]).toEqual([
      requests.length,
      truth.counted + ruled,
      total(truth.skipped),
    ])
    expect(await home.pageviews()).toBe(0)
    expect(existsSync(join(home.data, 'log.db'))).toBe(true)
    expect(told((await home.importing(log)).out, 'imported before')).toBe(Number.NaN)
  })

  test('samples show lines, and nothing in them moves a terminal', async () => {
    const home = await aHome()
    const { out } = await home.importing(
      home.write('odd', `${line}\u001b[2J\u202e evil ${'x'.repeat(500)}\n${line.replace('GET /', 'GET /a.css?')}`),
    )
    expect(out).toContain('line 2: \ufffd[2J\ufffd evil x')
    expect(out).toContain('asset: A file that pages are made of')
    expect(out.split('\n').every((one) => one.length < 200)).toBe(true)
  })
})

import { type ChildProcess, spawn } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createRequests, type Request, site, siteOptions } from '../fixtures/access-log.ts'
import { formats, renderLog } from '../fixtures/access-log-formats.ts'
import { answersOf, truthOf } from '../fixtures/access-log-truth.ts'
import { createRandom, type Random } from '../model/random.ts'
import { aHome, type Home } from './home.ts'
import { aFolder, type Server, sumsOf, until } from './server.ts'

/** An import through the real processes: each line counts once, whenever the server or the command is killed, and however often it is run. */

const root = join(import.meta.dirname, '../..')
const combined = formats.find(({ name }) => name === 'Apache combined')!
const from = Date.parse('2026-10-23T22:00:00Z')

const seedOf = (test: string): number => {
  const seed = Number(process.env['IMPORT_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  process.stdout.write(`${test}: IMPORT_SEED=${seed}\n`)
  return seed
}

/** A command of the command line as a process of its own. */
const command = ({ data, port }: { data: string; port: number }, ...argv: string[]) => {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(root, 'scripts/footfall.ts'), ...argv],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], FOOTFALL_DATA: data, FOOTFALL_PORT: String(port) },
    },
  )
  let said = ''
  for (const stream of [child.stdout!, child.stderr!])
    stream.setEncoding('utf8').on('data', (piece: string) => {
      said += piece
    })
  const ended = new Promise<{ code: number | null; said: string }>((resolve) => child.once('close', (code) => resolve({ code, said })))
  onTestFinished(() => void child.kill('SIGKILL'))
  return { ended, kill: (signal: NodeJS.Signals) => child.kill(signal), isOver: () => child.exitCode !== null || child.signalCode !== null }
}

/** Lines of the site's imports that the server has taken; undefined while it does not answer. */
const standing = async (server: Server): Promise<number | undefined> => {
  try {
    const { imports } = await server.get('GET', `/api/import?site=${site}`)
    return imports.reduce((sum: number, { read }: { read: number }) => sum + read, 0)
  } catch {
    return undefined
  }
}

const aLog = (random: Random, visitors: number) => {
  const requests = createRequests(random, { from, days: 3, visitors })
  const { path, remove } = aFolder()
  onTestFinished(remove)
  return { requests, text: renderLog(requests, combined), at: (name: string) => join(path, name) }
}

const withSite = async (): Promise<Home> => {
  const home = await aHome()
  await home.server().addSite(site, { ...siteOptions, exclude: { ...siteOptions.exclude, countries: [] } })
  return home
}

const expectTruth = async (server: Server, requests: readonly Request[]) => {
  const { byDay, byPage, bySource, counted, flagged } = truthOf(requests, combined)
  const ledger = await server.settled(site)
  const sums = sumsOf(ledger)
  const own = counted + Object.values(flagged).reduce((sum, n) => sum + n, 0)
  expect([sums.counted, sums.received, sums.dead, sums.lost, ledger.balanced]).toEqual([own, own + sums.repeated, 0, 0, true])
  expect(await answersOf((query) => server.get('POST', '/api/v2/query', query))).toEqual({ byDay, byPage, bySource })
  return sums
}

const linesOf = (text: string): number => text.split('\n').length - 1

describe('an import', () => {
  it('is whole and single whatever is killed, and goes on when its log has grown, was rotated and packed', async () => {
    const seed = seedOf('import, kill -9')
    const random = createRandom(seed)
    const { requests, text, at } = aLog(random, 2_000)
    const { start, server, restart } = await withSite()
    const cut = text.lastIndexOf('\n', Math.floor(text.length * 0.8)) + 1 + random.below(50)
    writeFileSync(at('access.log'), text.slice(0, cut))
    const importing = () => command(start, 'import', at('access.log'), '--site', site)

    const lines = linesOf(text.slice(0, cut))
    // A command that finds nobody to speak to opens the folder itself: it is at work once more has been taken than before it began.
    let stood = 0
    let running = importing()
    let midway = 0
    for (let round = 1; round <= 6; round++) {
      const target = Math.floor((lines * (round - random.next())) / 6)
      await until(`line ${target} of ${lines}`, async () => {
        const now = (await standing(server())) ?? 0
        return (now >= target && now > stood) || running.isOver() || undefined
      })
      if (!running.isOver()) midway++
      const victim = random.pick(['server', 'command', 'both'])
      if (victim !== 'server') running.kill('SIGKILL')
      if (victim !== 'command') {
        await server().stop('SIGKILL')
        await restart()
      }
      if (victim !== 'server') {
        await running.ended
        stood = (await standing(server())) ?? 0
        running = importing()
      }
    }
    const { code, said } = await running.ended
    expect(code, said).toBe(0)
    expect(midway, 'the import was under way when something was killed').toBeGreaterThan(1)
    expect((await importing().ended).said).toContain(`imported before  ${lines.toLocaleString('en-US')} lines`)

    appendFileSync(at('access.log'), text.slice(cut))
    writeFileSync(at('access.log.1.gz'), gzipSync(readFileSync(at('access.log'))))
    const both = [importing(), command(start, 'import', at('access.log.1.gz'), '--site', site)]
    for (const one of both) expect((await one.ended).code).toBe(0)
    renameSync(at('access.log'), at('access.log.2'))
    expect((await command(start, 'import', at('access.log.2'), '--site', site).ended).said).toMatch(/^ +read +0 lines/m)
    expect(await standing(server())).toBe(requests.length)
    const { repeated } = await expectTruth(server(), requests)
    process.stdout.write(`import, kill -9: ${requests.length} lines, ${repeated} hits came twice and were counted once\n`)
  }, 120_000)

  it('of an older backup begins again, and only what is missing is counted', async () => {
    const random = createRandom(seedOf('import, restore'))
    const { requests, text, at } = aLog(random, 200)
    const { start, server } = await withSite()
    const cut = text.indexOf('\n', Math.floor(text.length * random.next() * 0.8)) + 1
    writeFileSync(at('access.log'), text.slice(0, cut))
    const run = async (...argv: string[]) => {
      const { code, said } = await command(start, ...argv).ended
      expect(code, said).toBe(0)
      return said
    }
    await run('import', at('access.log'), '--site', site)
    await run('backup', at('backup.tar'))
    appendFileSync(at('access.log'), text.slice(cut))
    await run('import', at('access.log'), '--site', site)
    await expectTruth(server(), requests)
    await run('restore', at('backup.tar'), '--yes')
    expect(await standing(server())).toBe(0)
    const again = await run('import', at('access.log'), '--site', site)
    expect(again).not.toContain('imported before')
    const { repeated } = await expectTruth(server(), requests)
    expect(repeated).toBeGreaterThan(0)
  }, 60_000)

  it('that is interrupted ends by itself, says how to go on, and does', async () => {
    const { requests, text, at } = aLog(createRandom(seedOf('import, Ctrl-C')), 400)
    const { start, server } = await withSite()
    writeFileSync(at('access.log'), text)
    const importing = () => command(start, 'import', at('access.log'), '--site', site)
    const first = importing()
    await until('some lines', async () => ((await standing(server())) ?? 0) > 0 || undefined)
    first.kill('SIGINT')
    const { code, said } = await first.ended
    expect([code, said]).toEqual([1, expect.stringContaining('The same command goes on')])
    expect((await importing().ended).code).toBe(0)
    await expectTruth(server(), requests)
    expect(existsSync(at('access.log'))).toBe(true)
  }, 60_000)
})

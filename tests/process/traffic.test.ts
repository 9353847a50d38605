import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { aHome } from './home.ts'
import { expectEqual, foldLedger } from './recount.ts'
import { aFolder, type Server, sumsOf, until } from './server.ts'

/** `footfall traffic` as it is typed, against a real server: what its ledger says is what the server counts. */

const program = join(import.meta.dirname, '../../scripts/footfall.ts')

const type = (server: Server, words: string) => {
  const child: ChildProcess = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, 'traffic', ...words.split(' ')], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], FOOTFALL_PORT: String(server.port), FOOTFALL_DATA: server.data },
  })
  const said = { out: '', err: '' }
  child.stdout!.on('data', (piece: Buffer) => {
    said.out += piece.toString()
  })
  child.stderr!.on('data', (piece: Buffer) => {
    said.err += piece.toString()
  })
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.once('close', (code) => resolve({ code, ...said })),
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, ended }
}

const aLedger = (): string => {
  const { path, remove } = aFolder()
  onTestFinished(remove)
  return join(path, 'ledger.ndjson')
}

it('Ctrl-C ends it with the summary, and the server has counted what its ledger says', async () => {
  const server = (await aHome()).server()
  const ledger = aLedger()
  const { child, ended } = type(server, `--site localhost --rate 400 --seconds 600 --seed 5 --ledger ${ledger}`)
  await until('some hits', () => (existsSync(ledger) && readFileSync(ledger, 'utf8').split('\n').length > 400 ? true : undefined))
  child.kill('SIGINT')
  const { code, out, err } = await ended
  expect([code, err]).toEqual([0, ''])
  const fold = foldLedger(ledger, 'localhost')
  expect(out).toContain(`sent      ${fold.lines.toLocaleString('en-US')} hits`)
  expect(out).toMatch(/unknown {3}0\n/)
  await expectEqual(server, fold)
  const sums = sumsOf(await server.settled('localhost'))
  expect(sums.received).toBe(fold.lines)
  expect([sums.refused > 0, sums.repeated > 0, sums.flagged > 0]).toEqual([true, true, true])
}, 60_000)

it('says what helps where the server limits hits, and with a key it does not', async () => {
  const server = (await aHome({ FOOTFALL_RATE: '1', FOOTFALL_TRUSTED_PROXIES: '192.0.2.1' })).server()
  const limited = await type(server, '--site localhost --rate 100 --seconds 1').ended
  expect(limited.out).toMatch(/refused {3}\d+ \(\d+ rate/)
  expect(limited.err).toContain('--batch')
  const ledger = aLedger()
  const keyed = await type(server, `--site localhost --rate 1000 --seconds 1 --batch 50 --ledger ${ledger}`).ended
  expect([keyed.code, keyed.err]).toEqual([0, ''])
  expect(keyed.out).not.toContain('rate,')
}, 60_000)

it('goes on over a restart of the server: what was unknown is sent again and counted once', async () => {
  const home = await aHome()
  const ledger = aLedger()
  const { ended } = type(home.server(), `--site localhost --rate 200 --seconds 6 --seed 6 --ledger ${ledger}`)
  await until('some hits', () => (existsSync(ledger) && readFileSync(ledger, 'utf8').split('\n').length > 200 ? true : undefined))
  await home.server().stop('SIGKILL')
  const server = await home.restart()
  const { code, out } = await ended
  expect(code).toBe(0)
  expect(out).toMatch(/unknown {3}0 \(.+definite after being sent again\)/)
  await expectEqual(server, foldLedger(ledger, 'localhost'))
}, 60_000)

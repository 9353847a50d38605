import { spawn } from 'node:child_process'
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { print } from './figure.ts'
import { type Footfall, startFootfall } from './processes.ts'

/**
 * `footfall import` of a million lines into a running server, against reading the same file line by line and splitting each at blanks.
 * Everything is drained at the end, and a figure whose counts differ is not a figure.
 */
const lines = 1_000_000
const site = 'localhost'
const seed = 1
const root = join(import.meta.dirname, '..')

const mulberry = (start: number) => {
  let state = start | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

const agents = [
  'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1',
]
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number) => String(n).padStart(2, '0')
const clf = (t: number) => {
  const d = new Date(t)
  const time = `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`
  return `${two(d.getUTCDate())}/${months[d.getUTCMonth()]}/${d.getUTCFullYear()}:${time} +0000`
}

/** A week of a site: one line in five is a page, the others are what pages are made of, redirects and errors; 100,000 visitors. */
async function* logLines(counted: { pages: number }): AsyncGenerator<string> {
  const random = mulberry(seed)
  const below = (n: number) => Math.floor(random() * n)
  const begin = Date.UTC(2026, 4, 4)
  let text = ''
  for (let i = 0; i < lines; i++) {
    const t = begin + Math.floor((i / lines) * 7 * 86_400_000)
    const visitor = below(100_000)
    const kind = random()
    const [target, status] =
      kind < 0.2
        ? [`/page/${below(500)}`, 200]
        : kind < 0.9
          ? [`/assets/app.${below(40)}.js`, 200]
          : kind < 0.95
            ? ['/old', 301]
            : ['/gone', 404]
    if (kind < 0.2) counted.pages++
    const who = `${11 + (visitor >> 16)}.${(visitor >> 8) & 255}.7.${visitor & 255}`
    text += `${who} - - [${clf(t)}] "GET ${target} HTTP/1.1" ${status} 5120 "https://example.org/" "${agents[visitor % 3]}"\n`
    if (text.length < 1_000_000) continue
    yield text
    text = ''
  }
  yield text
}

const splitAll = async (path: string): Promise<number> => {
  const begin = performance.now()
  let fields = 0
  for await (const line of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY }))
    fields += line.split(' ').length
  if (fields < lines) throw new Error('not all lines were read')
  return (performance.now() - begin) / 1_000
}

/** The most that was resident of a process, MB. */
const peakMb = (pid: number): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024

const runImport = async ({ port, data }: Footfall, path: string): Promise<{ seconds: number; peak: number }> => {
  const begin = performance.now()
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(root, 'scripts/footfall.ts'), 'import', path, '--site', site],
    {
      stdio: ['ignore', 'ignore', 'inherit'],
      env: { PATH: process.env['PATH'], FOOTFALL_DATA: data, FOOTFALL_PORT: String(port) },
    },
  )
  let peak = 0
  const look = setInterval(() => {
    peak = Math.max(peak, peakMb(child.pid!))
  }, 200)
  const code = await new Promise((resolve) => child.once('exit', resolve))
  clearInterval(look)
  if (code !== 0) throw new Error(`the import ended with ${code}`)
  return { seconds: (performance.now() - begin) / 1_000, peak }
}

const drained = async (footfall: Footfall): Promise<{ counted: number; balanced: boolean }> => {
  for (;;) {
    const { hours, pending, balanced } = await footfall.ask('GET', `/api/ledger?site=${site}`)
    const counted = hours.reduce((sum: number, hour: { counted: number }) => sum + hour.counted, 0)
    if (pending.records === 0) return { counted, balanced }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

export const benchImport = async (): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), 'footfall-bench-log-'))
  const path = join(folder, 'access.log')
  const truth = { pages: 0 }
  await pipeline(Readable.from(logLines(truth)), createWriteStream(path))
  const footfall = await startFootfall()
  try {
    print({ name: 'import-seed', value: seed, unit: 'seed' })
    print({ name: 'import-file', value: statSync(path).size / 1e6, unit: 'MB' })
    const split = lines / (await splitAll(path))
    print({ name: 'readline-split', value: split, unit: 'lines/s' })
    const serverBefore = peakMb(footfall.pid)
    const { seconds, peak } = await runImport(footfall, path)
    const rate = lines / seconds
    print({ name: 'import', value: rate, unit: 'lines/s', against: 'readline-split', ratio: rate / split })
    print({ name: 'import-hits', value: truth.pages / seconds, unit: 'hits/s' })
    print({ name: 'import-command-memory', value: peak, unit: 'MB' })
    print({
      name: 'import-server-memory',
      value: peakMb(footfall.pid),
      unit: 'MB',
      against: 'before',
      ratio: peakMb(footfall.pid) / serverBefore,
    })
    const { counted, balanced } = await drained(footfall)
    if (counted !== truth.pages || !balanced)
      throw new Error(`${truth.pages} pages are in the log, ${counted} were counted, balanced: ${balanced}`)
    const again = await runImport(footfall, path)
    print({
      name: 'import-again',
      value: lines / again.seconds,
      unit: 'lines/s',
      against: 'readline-split',
      ratio: lines / again.seconds / split,
    })
    if ((await drained(footfall)).counted !== truth.pages) throw new Error('a repeat was counted')
    print({ name: 'import-counted-equals-log', value: counted, unit: 'hits' })
  } finally {
    await footfall.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import type { Clock } from '#shared/clock.ts'
import { lineLimit, logFormats, unreadableReasons } from '#shared/hit/access-log.ts'
import { skipReasons } from '#shared/hit/access-log-page.ts'
import type { Client, Sent } from '../../scripts/cli/client.ts'
import type { World } from '../../scripts/cli/command.ts'
import type { Answer } from '../../scripts/cli/http.ts'
import { gathered, type Piece, piecesFrom, readLines, sourceOf, withFirstLine } from '../../scripts/cli/import/lines.ts'
import type { Log } from '../../scripts/cli/import/log-file.ts'
import { createProgress, progressText } from '../../scripts/cli/import/progress.ts'
import { importLog } from '../../scripts/cli/import/run.ts'
import { limits } from '../../scripts/cli/import/send.ts'
import { createRandom } from '../model/random.ts'

/** The parts of `footfall import`: cutting a log into lines, sending them to a server that is not always willing, showing how far it is. */

async function* inParts(bytes: Buffer, sizes: () => number): AsyncGenerator<Buffer> {
  for (let from = 0; from < bytes.length; ) {
    const end = Math.min(bytes.length, from + sizes())
    yield bytes.subarray(from, end)
    from = end
  }
}
const collect = async <T>(all: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = []
  for await (const one of all) list.push(one)
  return list
}
const textOf = (pieces: readonly Piece[]) => Buffer.concat(pieces.map(({ bytes }) => bytes)).toString()

describe('lines', () => {
  test('are the same however the bytes arrive, and numbered without a gap', async () => {
    const random = createRandom(Number(process.env['IMPORT_SEED'] ?? 3))
    for (let round = 0; round < 200; round++) {
      const lines = Array.from({ length: random.below(30) }, () => 'é'.repeat(random.below(8)))
      const whole = Buffer.from(lines.map((line) => `${line}\n`).join('') + (random.chance(0.5) ? 'tail' : ''))
      const reader = readLines(inParts(whole, () => 1 + random.below(12)))
      const pieces = await collect(reader.pieces)
      expect(textOf(pieces)).toBe(lines.map((line) => `${line}\n`).join(''))
      let next = 1
      for (const { line, lines: n, bytes } of pieces) {
        expect([line, bytes.toString().split('\n').length - 1]).toEqual([next, n])
        next += n
      }
      expect(next).toBe(lines.length + 1)
      expect(reader.unfinished()?.bytes.toString()).toBe(whole.toString().endsWith('tail') ? 'tail' : undefined)
    }
  })

  test('of any length are one line, and of the long ones only a beginning is held', async () => {
    const whole = Buffer.from(`a\n${'x'.repeat(5_000_000)}\nb\n`)
    for (const size of [1_000, 300_000, 6_000_000]) {
      const pieces = await collect(readLines(inParts(whole, () => size)).pieces)
      const lines = textOf(pieces).split('\n')
      expect([lines.length, lines[0], lines[2]]).toEqual([4, 'a', 'b'])
      expect(lines[1]!.length).toBeGreaterThan(lineLimit)
      expect(Math.max(...pieces.map(({ bytes }) => bytes.length))).toBeLessThan(600_000)
      expect(pieces.reduce((sum, piece) => sum + piece.lines, 0)).toBe(3)
    }
  })

  test('a finished log ends its last line; a piece is cut where an import stands', async () => {
    const [piece] = await collect(
      readLines(
        inParts(Buffer.from('a\nb\nc\nd'), () => 99),
        true,
      ).pieces,
    )
    expect(piece).toMatchObject({ line: 1, lines: 3 })
    const all = await collect(
      readLines(
        inParts(Buffer.from('a\nb\nc\nd'), () => 99),
        true,
      ).pieces,
    )
    expect(textOf(all)).toBe('a\nb\nc\nd\n')
    expect(piecesFrom(piece!, 1)).toBe(piece)
    expect(piecesFrom(piece!, 3)).toEqual({ line: 3, lines: 1, bytes: Buffer.from('c\n') })
    expect(piecesFrom(piece!, 4)).toBeUndefined()
  })

  test('are gathered until they are worth a request', async () => {
    const pieces = readLines(inParts(Buffer.from('1\n2\n3\n4\n5\n6\n7\n'), () => 2)).pieces
    const requests = await collect(gathered(pieces, () => 3, 4))
    expect(requests.map(({ line, bytes }) => [line, bytes.toString()])).toEqual([
      [3, '3\n4\n'],
      [5, '5\n6\n'],
      [7, '7\n'],
    ])
  })

  test('the first one that says something names the log', async () => {
    const firstOf = async (text: string) => (await withFirstLine(readLines(inParts(Buffer.from(text), () => 3)))).first
    expect([await firstOf('# x\n\n \r\nline one\r\nline two\n'), await firstOf('line one\n')]).toEqual(['line one', 'line one'])
    expect([await firstOf(''), await firstOf('no end'), await firstOf('#\n#\n')]).toEqual([undefined, undefined, undefined])
    expect(new Set([sourceOf('a', ''), sourceOf('b', ''), sourceOf('a', 'x'), sourceOf('a', 'y')]).size).toBe(4)
    expect(sourceOf('a', '')).toMatch(/^[\w-]{32}$/)
  })
})

/** A clock whose pauses take no time but are written down. */
const aClock = () => {
  let now = 0
  const pauses: number[] = []
  const clock: Clock = {
    now: () => now,
    random: (bytes) => Buffer.alloc(bytes),
    after: (ms, run) => {
      pauses.push(ms)
      now += ms
      setImmediate(run)
      return () => undefined
    },
  }
  return { clock, pauses }
}

const lineCount = 30_000
const logText = Array.from({ length: lineCount }, (_, i) => `line ${i + 1}\n`).join('')
const aLog = (): Log & { opened: () => number } => {
  let opened = 0
  return {
    name: 'access.log',
    size: logText.length,
    opened: () => opened,
    open: () => {
      opened++
      return { bytes: inParts(Buffer.from(logText), () => 50_000), position: () => 0 }
    },
  }
}

/** A server that keeps an import, and does what a test says before it takes a request. */
const aServer = (before: (request: { method: string; path: string; n: number }) => Answer | 'lost' | 'gone' | undefined, base?: URL) => {
  let next = 1
  let n = 0
  const taken: string[] = []
  const sums = () => ({ next, read: next - 1, counted: next - 1, flagged: {}, skipped: {}, unreadable: 0, days: null })
  const json = (status: number, value: unknown): Answer => ({ status, headers: {}, text: JSON.stringify(value) })
  const take = (path: string, { body = '', headers }: Sent): Answer => {
    const line = Number(new URLSearchParams(path.split('?')[1]).get('line'))
    if (line !== next) return json(409, { error: 'x', code: 'import-position', hint: '', next })
    const bytes = headers?.['content-encoding'] === 'gzip' ? gunzipSync(body) : Buffer.from(body)
    const lines = bytes.toString().split('\n').slice(0, -1)
    taken.push(...lines)
    next += lines.length
    return json(200, { ...sums(), read: lines.length, counted: lines.length, samples: [] })
  }
  const client: Client = {
    where: 'the server',
    base,
    ask: () => Promise.reject(new Error('not asked so')),
    download: async () => [] as never,
    close: async () => undefined,
    async send(method, path, sent) {
      const told = before({ method, path, n: n++ })
      if (told === 'gone') throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
      if (told !== undefined && told !== 'lost') return told
      if (path.startsWith('/api/ledger')) return json(200, { pending: { records: 0 } })
      const answer = method === 'GET' ? json(200, { imports: next === 1 ? [] : [sums()] }) : take(path, sent)
      if (told === 'lost') throw Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' })
      return answer
    },
  }
  const goBack = (to: number) => {
    next = to
    taken.length = to - 1
  }
  return { client, taken, goBack }
}

const task = { site: 'a.example', format: 'auto', sourceName: '', isFinished: false }
const quiet = { show: () => undefined, end: () => undefined }
const run = async (client: Client, { log = aLog(), signal = new AbortController().signal } = {}) => {
  const { clock, pauses } = aClock()
  return { outcome: await importLog(log, task, { client, world: { clock } as World, progress: quiet, signal }), pauses, log }
}
const whole = logText.split('\n').slice(0, -1)
const reply = (status: number, headers: Record<string, string> = {}): Answer => ({
  status,
  headers,
  text: '{"error":"x","code":"overloaded","hint":""}',
})

describe('sending', () => {
  test('every line once, in its order', async () => {
    const { client, taken } = aServer(() => undefined)
    const { outcome, pauses } = await run(client)
    expect(taken).toEqual(whole)
    expect(outcome).toMatchObject({ before: 0, added: { read: lineCount, next: lineCount + 1 }, isStopped: false })
    expect(pauses).toEqual([])
  })

  test('again after 503, 429 and broken connections, as late as it is told', async () => {
    const answers: Record<number, ReturnType<Parameters<typeof aServer>[0]>> = {
      0: 'gone',
      2: reply(503, { 'retry-after': '7' }),
      3: reply(429),
      4: 'lost',
      5: reply(500),
    }
    const { client, taken } = aServer(({ n }) => answers[n])
    const { outcome, pauses } = await run(client)
    expect(taken).toEqual(whole)
    expect(pauses).toContain(7_000)
    expect(outcome.added.read).toBe(lineCount)
  })

  test('an answer that was lost is not asked for twice', async () => {
    const { client, taken } = aServer(({ method, n }) => (method === 'POST' && n % 3 === 2 ? 'lost' : undefined))
    const { outcome } = await run(client)
    expect(taken).toEqual(whole)
    expect(outcome.added.read).toBe(lineCount)
  })

  test('from where another one stands who imports the same log', async () => {
    const { client, taken } = aServer(() => undefined)
    const results = await Promise.all([run(client), run(client)])
    expect(taken).toEqual(whole)
    expect(results.every(({ outcome }) => outcome.before + outcome.added.read === lineCount)).toBe(true)
  })

  test('from the beginning when a restore set the import back', async () => {
    let posts = 0
    const { client, taken, goBack } = aServer(({ method }) => {
      if (method === 'POST' && ++posts === 2) goBack(5)
      return undefined
    })
    const { log, outcome } = await run(client)
    expect(taken).toEqual(whole)
    expect([log.opened(), outcome.before]).toEqual([2, 4])
  })

  test('packed where the server is another machine', async () => {
    const kinds = new Set<string | undefined>()
    for (const base of ['http://127.0.0.1:8000', 'https://stats.example.com']) {
      const { client, taken } = aServer(() => undefined, new URL(base))
      const send: Client['send'] = (method, path, sent) => {
        if (method === 'POST') kinds.add(sent.headers?.['content-encoding'])
        return client.send(method, path, sent)
      }
      await run({ ...client, send })
      expect(taken).toEqual(whole)
    }
    expect(kinds).toEqual(new Set([undefined, 'gzip']))
  })

  test('waits while the server is behind', async () => {
    let looks = 0
    const behind = { status: 200, headers: {}, text: JSON.stringify({ pending: { records: limits.pendingRecords } }) }
    const { client, taken } = aServer(
      ({ path }) => (path.startsWith('/api/ledger') && ++looks <= 3 ? behind : undefined),
      new URL('http://localhost:1'),
    )
    const { pauses } = await run(client)
    expect(taken).toEqual(whole)
    expect(pauses).toEqual([limits.pendingLookMs, limits.pendingLookMs, limits.pendingLookMs])
  })

  test('gives up on a server that takes nothing any more', async () => {
    const { client } = aServer(({ n }) => (n > 1 ? 'gone' : undefined))
    await expect(run(client)).rejects.toMatchObject({
      message: expect.stringContaining('has not taken anything for 5 minutes'),
      hint: expect.stringContaining('goes on'),
    })
  })

  test('ends between two requests when it is interrupted, also while it waits', async () => {
    const abort = new AbortController()
    const { client, taken } = aServer(({ method, n }) => {
      if (n === 2) abort.abort()
      return method === 'POST' && n > 2 ? 'gone' : undefined
    })
    const { outcome } = await run(client, { signal: abort.signal })
    expect(outcome.isStopped).toBe(true)
    expect([taken.length > 0, taken.length < lineCount, outcome.added.read]).toEqual([true, true, taken.length])
  })

  test('what no waiting cures is an error at once', async () => {
    const { client } = aServer(({ method }) =>
      method === 'POST' ? { ...reply(401), text: '{"error":"No.","code":"wrong-key","hint":"A key."}' } : undefined,
    )
    await expect(run(client)).rejects.toMatchObject({ message: 'No.', code: 'wrong-key' })
  })
})

describe('progress', () => {
  test.each([
    [{ lines: 0, done: 0, size: 100 }, 0, 'a.log  [........................]  0 %  0 lines  0/s'],
    [{ lines: 5_000, done: 50, size: 100 }, 10, 'a.log  [############............]  50 %  5,000 lines  500/s  0:10 left'],
    [{ lines: 5_000, done: 100, size: 100 }, 10, 'a.log  [########################]  100 %  5,000 lines  500/s  0:00 left'],
    [{ lines: 1, done: 2, size: 200 }, 100, 'a.log  [........................]  1 %  1 lines  0/s'],
    [{ lines: 10, done: 20, size: 1_000 }, 100, 'a.log  [........................]  2 %  10 lines  0/s  1:21:40 left'],
    [{ lines: 5_000, done: 0, size: undefined }, 10, 'a.log  5,000 lines  500/s'],
    [{ lines: 5_000, done: 10, size: 0 }, 10, 'a.log  5,000 lines  500/s'],
  ])('%j after %i s', (place, seconds, text) => {
    expect(progressText({ name: 'a.log', ...place }, seconds)).toBe(text)
  })

  test.each([
    [true, 2],
    [false, 1],
  ])('on a terminal (%s) a line that moves, elsewhere one now and then', (isTerminal, times) => {
    const { clock } = aClock()
    const written: string[] = []
    const progress = createProgress(clock, { isTerminal, write: (text) => void written.push(text), columns: () => 20 })
    const place = { name: 'a\u001b[2J.log', lines: 1, done: 1, size: 2 }
    for (const ms of [1, 250, 1, 10_000]) {
      clock.after(ms, () => undefined)
      progress.show(place)
    }
    expect(written.length).toBe(times)
    for (const text of written) expect(text.replace('\r\u001b[K', '')).not.toContain('\u001b')
    if (isTerminal) expect(written[0]!.length).toBeLessThan(25)
    progress.end()
    expect(written.length).toBe(isTerminal ? times + 1 : times)
  })
})

test('docs/import.md names every reason and every format', () => {
  const page = readFileSync(new URL('../../docs/import.md', import.meta.url), 'utf8')
  for (const reason of Object.keys(skipReasons)) expect(page).toMatch(new RegExp(`^\\| \`${reason}\` \\|`, 'm'))
  for (const word of [...Object.keys(unreadableReasons), ...logFormats]) expect(page).toContain(`\`${word}\``)
})

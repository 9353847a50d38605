import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { FootfallError } from '#shared/errors.ts'
import type { Handler, Request, Stream } from '#shared/handler.ts'
import { columnNames } from '#shared/query/export/columns.ts'
import { commands } from '../../scripts/cli/commands/export.ts'
import { aFolder, aTerminal, listen, publicFace, type } from './terminal.ts'

/** `footfall export`, over the folder and over HTTP, with a handler in the place of query-metrics. */

const bytes = Buffer.from('time,page\r\n1,/ü\r\n\0\xff', 'latin1')

async function* whole(): AsyncGenerator<Uint8Array> {
  yield bytes.subarray(0, 5)
  yield bytes.subarray(5)
}
async function* broken(): AsyncGenerator<Uint8Array> {
  yield bytes
  throw new FootfallError('store-unavailable')
}

const asked: Request[] = []
const answering =
  (body: () => Stream): Handler =>
  async (request) => {
    asked.push(request)
    return { status: 200, headers: { 'content-type': 'text/csv' }, body: body() }
  }
const refusing: Handler = () => Promise.reject(new FootfallError('bad-query', { detail: 'columns: there is no column "x".' }))

/** The command typed in both ways in which Footfall is reached; each answers what was printed and the folder it could write to. */
const ways = (handler: Handler) => [
  async (argv: readonly string[]) => {
    const { env, world } = await aTerminal({ '/api/v2/export': handler })
    return await type(argv, { env, world })
  },
  async (argv: readonly string[]) => {
    const { home } = await aTerminal()
    const port = await listen(publicFace(home, { '/api/v2/export': handler }))
    return await type(argv, { env: { FOOTFALL_URL: `http://127.0.0.1:${port}`, FOOTFALL_KEY: home.adminKey } })
  },
]

describe.each([
  ['over the folder', 0],
  ['over HTTP', 1],
])('%s', (_name, n) => {
  const way = (handler: Handler) => ways(handler)[n]!

  it('writes a file, whole', async () => {
    const folder = aFolder()
    const file = join(folder, 'hits.parquet')
    const { code, out, err } = await way(answering(whole))(['export', file, '--site', 'a.example', '--range', '7d', '--bots'])
    expect([code, out, err]).toEqual([0, expect.stringMatching(/hits\.parquet: 0\.0 MB, from /), ''])
    expect(readFileSync(file).equals(bytes)).toBe(true)
    expect(readdirSync(folder)).toEqual(['hits.parquet'])
    expect([...new URLSearchParams(asked.at(-1)!.query)]).toEqual([
      ['site_id', 'a.example'],
      ['date_range', '7d'],
      ['format', 'parquet'],
      ['bots', 'true'],
    ])
  })

  it('writes to standard output, and nothing else there', async () => {
    const { code, out, err } = await way(answering(whole))([
      ...['export', '-', '--site', 'a.example', '--filters', '[["is","event:page",["/a&b"]]]', '--columns', 'time,page', '--updates'],
    ])
    expect([code, err]).toEqual([0, ''])
    // The terminal of tests shows each piece on a line of its own.
    expect(out.replaceAll('\n', '')).toBe(bytes.toString('latin1').replaceAll('\n', ''))
    const query = new URLSearchParams(asked.at(-1)!.query)
    expect([query.get('date_range'), query.get('format'), query.get('columns'), query.get('updates')]).toEqual([
      'all',
      'csv',
      'time,page',
      'true',
    ])
    expect(query.get('filters')).toBe('[["is","event:page",["/a&b"]]]')
  })

  it('leaves nothing of an export that ends early, and says so', async () => {
    const folder = aFolder()
    const { code, err } = await way(answering(broken))(['export', join(folder, 'a.csv'), '--site', 'a.example'])
    expect([code, readdirSync(folder)]).toEqual([1, []])
    expect(err).toMatch(/The export ended early|A store cannot be reached/)
  })

  it("says the server's sentence and cure", async () => {
    const folder = aFolder()
    const { code, err } = await way(refusing)(['export', join(folder, 'a.csv'), '--site', 'a.example'])
    expect([code, err]).toEqual([1, expect.stringContaining('columns: there is no column "x".')])
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('wrong use', () => {
  const run = (argv: readonly string[]) => ways(answering(whole))[0]!(argv)

  it.each([
    [['export', '-'], /--site is missing/],
    [['export', '--site', 'a.example'], /FILE/],
    [['export', '-', '--site', 'a.example', '--filters', '['], /--filters is not JSON/],
    [['export', '-', '--site', 'a.example', '--fromat', 'csv'], /Did you mean --format/],
  ])('%j', async (argv, message) => {
    const { code, err } = await run(argv)
    expect([code, err]).toEqual([2, expect.stringMatching(message)])
  })

  it('a file that is there is not replaced', async () => {
    const file = join(aFolder(), 'a.jsonl')
    writeFileSync(file, 'mine')
    const { code, err } = await run(['export', file, '--site', 'a.example'])
    expect([code, err, readFileSync(file, 'utf8'), existsSync(`${file}.part`)]).toEqual([
      1,
      expect.stringContaining('exists already'),
      'mine',
      false,
    ])
  })
})

it('docs/export.md names every column and option, and no other', () => {
  const doc = readFileSync(new URL('../../docs/export.md', import.meta.url), 'utf8')
  const [command = '', columns = ''] = [doc.split('## The command')[1], doc.split('## Columns')[1]?.split('## Formats')[0]]
  const named = columns.split('\n').flatMap((line) => /^\| (`.*?`) \|/.exec(line)?.[1]?.match(/\w+/g) ?? [])
  expect([...named].sort()).toEqual([...columnNames].sort())
  const options = command.split('\n').flatMap((line) => /^\| `--(\w+)/.exec(line)?.[1] ?? [])
  expect(options).toEqual(Object.keys(commands[0]!.options))
})

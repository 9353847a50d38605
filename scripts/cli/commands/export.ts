import { createWriteStream, existsSync, renameSync, rmSync } from 'node:fs'
import { resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { FootfallError } from '#shared/errors.ts'
import { withClient } from '../client.ts'
import { type Command, Failure, siteOption, textOf, UsageError, type Values, type World } from '../command.ts'
import { reasonOf } from '../http.ts'
import { terminalScreen } from '../import/progress.ts'

/** `footfall export`: the hits behind the numbers as a file, which is there when it is whole and not before. */

/** The format that the end of a name says. */
const formatOf = (file: string): string | undefined => {
  const end = /\.(csv|ndjson|jsonl|parquet)$/i.exec(file)?.[1]?.toLowerCase()
  return end === 'jsonl' ? 'ndjson' : end
}

const checkFilters = (text: string): string => {
  try {
    JSON.parse(text)
    return text
  } catch (cause) {
    throw new UsageError(
      `--filters is not JSON: ${(cause as Error).message}`,
      `Write it in quotes: --filters '[["is","visit:country",["DE"]]]'`,
    )
  }
}

const queryOf = (file: string, values: Values): URLSearchParams => {
  const filters = textOf(values, 'filters')
  const columns = textOf(values, 'columns')
  return new URLSearchParams({
    site_id: siteOption(values),
    date_range: textOf(values, 'range') ?? 'all',
    format: textOf(values, 'format') ?? formatOf(file) ?? 'csv',
    ...(filters === undefined ? {} : { filters: checkFilters(filters) }),
    ...(columns === undefined ? {} : { columns }),
    ...(values['bots'] ? { bots: 'true' } : {}),
    ...(values['updates'] ? { updates: 'true' } : {}),
  })
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`
const tellMs = 200

/** How much has come, on a terminal; nothing where nobody looks, or where the rows themselves are shown. */
const createProgress = (world: World, isShown: boolean) => {
  const { isTerminal, write } = terminalScreen
  const isOn = isShown && isTerminal
  let told = world.clock.now()
  return {
    show(bytes: number): void {
      if (!isOn || world.clock.now() - told < tellMs) return
      told = world.clock.now()
      write(`\r\u001b[K${megabytes(bytes)}`)
    },
    end: () => isOn && write('\r\u001b[K'),
  }
}

/** The body as it comes; a connection that ends early is a failure, since what came would look whole. */
async function* whole(body: AsyncIterable<Uint8Array>, onBytes: (bytes: number) => void): AsyncGenerator<Uint8Array> {
  let bytes = 0
  try {
    for await (const piece of body) {
      bytes += piece.length
      onBytes(bytes)
      yield piece
    }
  } catch (cause) {
    if (cause instanceof FootfallError) throw cause
    throw new Failure(`The export ended early (${reasonOf(cause)}).`, 'Run it again, or export a shorter range.', { cause })
  }
}

const exportCommand: Command = {
  name: 'export',
  summary: 'writes the hits of a range into a file, one row each: CSV, NDJSON or Parquet',
  takes: ['FILE|-'],
  options: {
    site: { type: 'string', value: 'DOMAIN', help: 'the registered site they are of' },
    range: { type: 'string', value: 'RANGE', help: 'all (the default), 7d, month, … or two dates with a comma between them' },
    format: { type: 'string', value: 'FORMAT', help: "csv, ndjson or parquet; by default what the file's name ends with, else csv" },
    filters: { type: 'string', value: 'JSON', help: 'only hits that pass these filters of a query' },
    columns: { type: 'string', value: 'NAMES', help: 'which columns, with commas between them' },
    bots: { type: 'boolean', help: 'also hits that are flagged as of robots' },
    updates: { type: 'boolean', help: 'also engagement updates (foreground time and scroll depth)' },
  },
  more: [
    'npm run footfall -- export hits.parquet --site example.com --range 2026-01-01,2026-12-31',
    `npm run footfall -- export - --site example.com --filters '[["is","event:name",["signup"]]]' --columns time,page,source`,
    'A file is never replaced. See docs/export.md for columns.',
  ],
  run: ({ positionals: [given = ''], values }, world) => {
    const query = queryOf(given, values)
    const isFile = given !== '-'
    const target = resolve(given)
    if (isFile && existsSync(target)) throw new Failure(`${given} exists already.`, 'Name a new file; an export never replaces one.')
    return withClient(world, async (client) => {
      const body = await client.download(`/api/v2/export?${query}`)
      const progress = createProgress(world, isFile)
      let size = 0
      const pieces = whole(body, (bytes) => {
        size = bytes
        progress.show(bytes)
      })
      const part = `${target}.part`
      try {
        if (isFile) {
          await pipeline(Readable.from(pieces), createWriteStream(part, { mode: 0o600 }))
          renameSync(part, target)
        } else for await (const piece of pieces) await world.outBytes(piece)
      } finally {
        progress.end()
        if (isFile) rmSync(part, { force: true })
      }
      if (isFile) world.out(`${given}: ${megabytes(size)}, from ${client.where}`)
      return 0
    })
  },
}

export const commands: readonly Command[] = [exportCommand]

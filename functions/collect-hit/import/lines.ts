import { type LogFormat, lineLimit, type PageLine, readLogLine } from '#shared/hit/access-log.ts'
import type { ResolvedHit } from '#shared/hit/batch.ts'
import { agentHash } from '#shared/hit/identity.ts'
import { createImportRecords, type ImportedHit } from '#shared/hit/import-record.ts'
import { createTally, type ImportTally, type Sample } from '#shared/hit/import-tally.ts'
import type { ParsedHit } from '#shared/hit/parse.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { addDays, calendarOf, type Day } from '#shared/site/zone.ts'
import { flagOf } from '#shared/visit/flag.ts'
import { createExclusions, type EdgeKnowledge, nowhere, unknownDevice } from '../resolve.ts'
import type { VisitorKeys } from './keys.ts'

/**
 * From the lines of one request to `hits` records, in two goes: first what each line is, then, with the keys of its days at hand, whose
 * it was. Addresses and agents end here.
 */

/** Lines in a row before others get a turn: hits of visitors come through the same thread. */
const linesInARow = 100

/** The event loop is no clock: this waits for its next turn, not for time. */
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export type Piece = { config: SiteConfig; source: string; line: number; text: string; format: LogFormat; now: number }
/** `bodies`: the records as they go into the log. */
export type Taken = { lines: number; bodies: string[]; tally: ImportTally; samples: Sample[] }

type Page = PageLine & { line: number; day: Day }

/** The lines of a text that ends with one; each is cut out by itself, a list of all of them would be twice the text. */
function* linesOf(text: string): Generator<string> {
  for (let from = 0; from < text.length; ) {
    const end = text.indexOf('\n', from)
    // What is longer than a line may be is told by its length alone.
    yield text.slice(from, Math.min(end, from + lineLimit + 1))
    from = end + 1
  }
}

const nothing = {
  id: undefined,
  n: 'pageview',
  ti: undefined,
  p: undefined,
  rev: undefined,
  fg: undefined,
  sd: undefined,
  visitor: undefined,
  user: undefined,
  scr: undefined,
  lang: undefined,
  address: undefined,
  agent: undefined,
} as const

const idOf = (source: string, line: number): string => `${source.slice(0, 8)}-${line.toString(36)}`

export const createLines = ({ agents, places }: EdgeKnowledge, keys: VisitorKeys) => {
  const isExcluded = createExclusions()

  const resolve = (page: Page, { config, source }: Piece, keyOf: (day: Day) => Buffer | undefined): ImportedHit => {
    const { line, day, t, url, r, client, address, agent } = page
    const known = agent === undefined ? undefined : agents(agent)
    const before = keyOf(addDays(day, -1))
    const hit: ParsedHit = { ...nothing, site: config.site, t, url, r }
    const resolved: ResolvedHit = {
      hit,
      id: idOf(source, line),
      config,
      // All of an import is in one shard, where its lines keep their order; its visitors are nobody's else.
      sh: 0,
      vis: agentHash(keyOf(day)!, config.site, client, agent ?? ''),
      // Visits go on over midnight where the day before was imported too.
      vprev: before && agentHash(before, config.site, client, agent ?? ''),
      fs: undefined,
      user: undefined,
      geo: address === '' ? nowhere : places(address),
      rule: isExcluded(config, address) ? 'address' : undefined,
      dev: known?.device ?? unknownDevice,
      bot: known?.bot,
    }
    return { ...resolved, line }
  }

  /** Takes the lines of a piece; writes nothing but the keys that its days need. */
  return async (piece: Piece): Promise<Taken> => {
    const { config, format, now, text } = piece
    const calendar = calendarOf(config.zones)
    const { tally, samples, ...count } = createTally()
    const pages: Page[] = []
    let line = piece.line
    for (const lineText of linesOf(text)) {
      const verdict = readLogLine(lineText, format, config, now)
      if ('skipped' in verdict) count.skip(line, verdict.skipped, lineText)
      else if ('unreadable' in verdict) count.unreadable(line, verdict.unreadable, lineText)
      else pages.push({ ...verdict, line, day: calendar.dayAt(verdict.t).day })
      if ((++line - piece.line) % linesInARow === 0) await nextTurn()
    }
    const keyOf = await keys(config.site, new Set(pages.map(({ day }) => day)), now)
    const { records, add } = createImportRecords(piece.source)
    for (const [i, page] of pages.entries()) {
      const { record, hit } = add(resolve(page, piece, keyOf))
      count.page(flagOf(record, hit, config), page.day)
      if ((i + 1) % linesInARow === 0) await nextTurn()
    }
    const bodies: string[] = []
    for (const record of records) {
      bodies.push(JSON.stringify(record))
      if (bodies.length % linesInARow === 0) await nextTurn()
    }
    return { lines: line - piece.line, bodies, tally, samples }
  }
}

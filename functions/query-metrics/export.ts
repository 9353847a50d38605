import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Reply } from '#shared/handler.ts'
import { isoRange, type Range, resolveRange } from '#shared/query/dates.ts'
import { csv, type Format, ndjson } from '#shared/query/export/lines.ts'
import { parquet } from '#shared/query/export/parquet.ts'
import { type ExportRequest, type FormatName, parseExport } from '#shared/query/export/request.ts'
import { type Batch, prepareExport } from '#shared/query/export/rows.ts'
import { type Freshness, isoTime } from '#shared/query/freshness.ts'
import { queryLimits } from '#shared/query/limits.ts'
import type { createRooms } from '#shared/query/room.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import { partitionsOf } from '#shared/site/shards.ts'
import { type Calendar, calendarOf } from '#shared/site/zone.ts'
import { beginReading, createPause, type Pause, reread } from './reading.ts'
import type { createTables } from './tables.ts'
import type { Turns } from './turns.ts'

/**
 * The hits of a range as a file, one row each. It goes out as its reader takes it: what is next is made only then, in a turn of its own,
 * so that a slow reader holds nobody up, and no more than the columns of one row group. What cannot go on is cut, never ended.
 */

export const exportLimits = {
  /** Exports that are open at a time, of all and of one key. */
  open: 8,
  openPerKey: 2,
  /** One whose turn does not come asks again after this long: it has begun and cannot be refused. */
  againMs: 1_000,
} as const

type Sources = Parameters<typeof beginReading>[0] & {
  clock: Clock
  turns: Turns
  rooms: ReturnType<typeof createRooms>
  tables: ReturnType<typeof createTables>
}
/** Where the rows begin that are all kept. */
type KeptFrom = (site: SiteConfig, calendar: Calendar) => Promise<number | undefined>
type Rows = AsyncGenerator<Batch, void, void>

const types: Record<FormatName, string> = {
  csv: 'text/csv; charset=utf-8; header=present',
  ndjson: 'application/x-ndjson',
  parquet: 'application/vnd.apache.parquet',
}

const tooMany = (detail: string) => new FootfallError('overloaded', { detail, retryAfterS: 30 })

/** Answers exports; open ones are counted and bounded. */
export const createExports = (sources: Sources, keptFrom: KeptFrom) => {
  const open: string[] = []

  /** A place among the open exports; `leave` gives it back, once, with the room that is held by then. */
  const enter = (key: string) => {
    if (open.length >= exportLimits.open) throw tooMany(`${exportLimits.open} exports are open.`)
    if (open.filter((other) => other === key).length >= exportLimits.openPerKey)
      throw tooMany(`A key may have ${exportLimits.openPerKey} exports open.`)
    open.push(key)
    const place: Place = {
      room: undefined,
      isRead: false,
      leave: () => {
        open.splice(open.indexOf(key), 1)
        place.room?.close()
        place.leave = () => undefined
      },
    }
    return place
  }

  return async (site: SiteConfig, key: string, asked: URLSearchParams, signal: AbortSignal | undefined): Promise<Reply> => {
    const request = parseExport(asked, site)
    const place = enter(key)
    try {
      const { headers, rows } = await sources.turns(key, signal, () => {
        const pause = createPause(sources.clock, signal)
        return reread(() => {
          place.room?.close()
          const room = sources.rooms.open()
          place.room = room
          return prepare(sources, keptFrom, site, request, { room, pause, signal })
        })
      })
      // A reply whose client has gone before is never read, and so never ended.
      const gone = () => place.isRead || place.leave()
      if (signal?.aborted) gone()
      else signal?.addEventListener('abort', gone)
      const format = formatOf(request, calendarOf(site.zones))
      return { status: 200, headers, body: pieces(sources, key, signal, format, rows, place) }
    } catch (error) {
      place.leave()
      throw error
    }
  }
}

const formatOf = ({ format, columns }: ExportRequest, calendar: Calendar): Format => {
  if (format === 'parquet') return parquet(columns)
  return format === 'csv' ? csv(columns, calendar) : ndjson(columns, calendar)
}

type Place = { room: ReturnType<Sources['rooms']['open']> | undefined; isRead: boolean; leave(): void }
type Around = { room: ReturnType<Sources['rooms']['open']>; pause: Pause; signal: AbortSignal | undefined }

/** All that may be refused is found out before the answer begins. */
const prepare = async (
  sources: Sources,
  keptFrom: KeptFrom,
  site: SiteConfig,
  request: ExportRequest,
  { room, pause, signal }: Around,
): Promise<{ headers: Record<string, string>; rows: Rows }> => {
  const own = partitionsOf(site.site, site, await sources.generations.list())
  const reading = await beginReading(sources, site.site, own)
  const freshness = await reading.freshness()
  const data = await reading.days()
  const calendar = calendarOf(site.zones)
  const range = resolveRange(request.dates, calendar, sources.clock.now(), data)
  const tablesOf = sources.tables({ reading, data, calendar })(pause)
  const rows = await prepareExport(await tablesOf(range), { ...request, range, calendar, room, pause })
  const kept = await keptFrom(site, calendar)
  const completeFrom = kept !== undefined && range.from < kept ? kept : undefined
  return {
    headers: headersOf(site, request, isoRange(calendar, range), range, freshness, completeFrom),
    rows: rows(createSlices(sources.clock, signal)),
  }
}

/** What a query says in `meta`. */
const headersOf = (
  { site }: SiteConfig,
  { format }: ExportRequest,
  [from, to]: readonly [string, string],
  range: Range,
  { asOf, lagMs, incompleteSince }: Freshness,
  completeFrom: number | undefined,
): Record<string, string> => {
  const part = (instant: string) => (range.days ? instant.slice(0, 10) : instant.slice(0, 19).replaceAll(':', ''))
  return {
    'content-type': types[format],
    'content-disposition': `attachment; filename="${site}_${part(from)}_${part(to)}.${format}"`,
    'cache-control': 'no-store',
    'x-footfall-range': `${from},${to}`,
    'x-footfall-as-of': isoTime(asOf),
    'x-footfall-lag-ms': String(lagMs),
    ...(incompleteSince === undefined ? {} : { 'x-footfall-incomplete-since': isoTime(incompleteSince) }),
    ...(completeFrom === undefined ? {} : { 'x-footfall-complete-from': isoTime(completeFrom) }),
  }
}

/** As `createPause`, but for what may take as long as its reader does. */
const createSlices = (clock: Clock, signal: AbortSignal | undefined): Pause => {
  let slice = clock.now() + queryLimits.sliceMs
  return () => {
    if (signal?.aborted) throw new FootfallError('timeout', { detail: 'Nobody waits for the answer any more.' })
    if (clock.now() < slice) return undefined
    return new Promise((resolve) => setImmediate(resolve)).then(() => {
      slice = clock.now() + queryLimits.sliceMs
    })
  }
}

async function* pieces(
  { turns, clock }: Sources,
  key: string,
  signal: AbortSignal | undefined,
  format: Format,
  rows: Rows,
  place: Place,
): AsyncGenerator<string | Uint8Array, void, void> {
  /** Some rows, as soon as it is the export's turn. */
  const next = async (): Promise<IteratorResult<Batch, void>> => {
    for (;;)
      try {
        return await turns(key, signal, () => rows.next())
      } catch (error) {
        if (!(error instanceof FootfallError) || error.code !== 'overloaded' || signal?.aborted) throw error
        await new Promise<void>((resolve) => clock.after(exportLimits.againMs, resolve))
      }
  }
  place.isRead = true
  try {
    const first = format.begin()
    if (first !== undefined) yield first
    for (let step = await next(); !step.done; step = await next()) {
      const piece = format.rows(step.value)
      if (piece !== undefined) yield piece
    }
    const last = format.end()
    if (last !== undefined) yield last
  } finally {
    await rows.return()
    place.leave()
  }
}

import { catalogue, type ErrorCode, FootfallError, replyOf } from '#shared/errors.ts'
import { type Handler, json, type Reply, type Request } from '#shared/handler.ts'
import { besideCells } from '#shared/query/columns/cells.ts'
import { countUnits } from '#shared/query/columns/engine.ts'
import { addUp, isShared, sharesOf } from '#shared/query/columns/shares.ts'
import type { Table } from '#shared/query/columns/table.ts'
import { type Share, type Sizes, unitsFor, usualSizes } from '#shared/query/columns/units.ts'
import type { CountPlan, Counts, OfSample } from '#shared/query/counting.ts'
import { countsOf, countsText, planOf, planText } from '#shared/query/plan-text.ts'
import type { createRooms } from '#shared/query/room.ts'
import { Moved } from '#shared/segment/moved.ts'
import type { SiteConfig, ZoneSpan } from '#shared/site/config.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { createPause, type Ground, type Reading, readingOn, type Sources } from './reading.ts'
import type { createTables } from './tables.ts'

/**
 * A large question is shared out: this one counts some of its units, each helper some others, all of the same rows. A helper is
 * query-metrics once more, in another thread or another process; it is asked at `sharePath`, which no public path leads to. A helper is
 * never needed: where one cannot help now, its share is counted here.
 */

export const sharePath = '/share'

/** Of what is asked and answered: another version of Footfall, as there is one during an upgrade, does not help where this is another. */
const format = 1 as const

/** What a helper is asked: a share of a plan (as text), and the reading that it is about. */
type Asked = {
  format: typeof format
  site: string
  zones: readonly ZoneSpan[]
  ground: Ground
  data: { first: number; last: number } | undefined
  share: Share
  plan: string
  /** Closed days of which only the edge rows are asked about (columns/cells.ts). */
  edgesOf: readonly string[]
}

const internal = (asked: Asked, signal: AbortSignal): Request => ({
  method: 'POST',
  path: sharePath,
  query: '',
  headers: {},
  body: Buffer.from(JSON.stringify(asked)),
  address: '127.0.0.1',
  signal,
})

const movedStatus = 410
/** RFC 9110 §15.6.2: what is asked is nothing that it knows. */
const unknownFormatStatus = 501

/** A refusal as the error that it was; a gateway's or a proxy's is none of ours. */
const errorOf = ({ status, body }: Reply): Error => {
  // Rows that moved under the helper have moved under the question: it is begun again.
  if (status === movedStatus) return new Moved('was moved on')
  try {
    const { code, error, hint } = JSON.parse(String(body)) as { code: ErrorCode; error: string; hint: string }
    return new FootfallError(code, { detail: error.slice(catalogue[code].error.length + 1), hint })
  } catch {
    return new Error(`A helper answered ${status}: ${String(body).slice(0, 200)}`)
  }
}

/** Whether the question itself is at fault, or has to be begun again; all else may be so for this helper alone. */
const isOfTheQuestion = (error: unknown): boolean => error instanceof Moved || (error instanceof FootfallError && !error.retryable)

const askHelper = async (helper: Handler, asked: Asked, signal: AbortSignal): Promise<Counts> => {
  const reply = await helper(internal(asked, signal))
  if (reply.status !== 200) throw errorOf(reply)
  return countsOf(String(reply.body))
}

/** `signal`: aborted when nobody waits for the answer any more. */
type Known = { site: SiteConfig; reading: Reading; data: Asked['data']; signal: AbortSignal | undefined }

/** Counts plans with helpers, where there are some and the question is large: of more than one unit. `onError` is told why one did not help. */
export const createSharing =
  (helpers: readonly Handler[], onError: (error: unknown) => void, sizes: Sizes = usualSizes) =>
  ({ site, reading, data, signal }: Known) =>
  async (tables: readonly Table[], plan: CountPlan, edgesOf: readonly string[]): Promise<OfSample> => {
    const { units, sampled } = unitsFor(tables, plan.mostVisits, sizes.unit)
    const [own, ...theirs] = sharesOf(units, isShared(plan) ? helpers.length + 1 : 1) as [Share, ...Share[]]
    if (theirs.length === 0) return { ...(await countUnits(tables, plan, own)), sampled }
    const failed = new AbortController()
    const pause = (): Promise<void> | undefined => {
      failed.signal.throwIfAborted()
      return plan.pause()
    }
    const end = AbortSignal.any([failed.signal, ...(signal ? [signal] : [])])
    // Whoever fails ends the others: what they count is of no use any more.
    const orEnd = (work: Promise<Counts>): Promise<Counts> =>
      work.catch((error) => {
        failed.abort(error)
        throw error
      })
    const about = { format, site: site.site, zones: site.zones, ground: reading.ground, data }
    const asked = { ...about, plan: planText(plan, site.zones), edgesOf }
    const countHere = (share: Share): Promise<Counts> => countUnits(tables, { ...plan, pause }, share)
    const helped = (helper: Handler, share: Share): Promise<Counts> =>
      askHelper(helper, { ...asked, share }, end).catch((error) => {
        if (end.aborted || isOfTheQuestion(error)) throw error
        onError(error)
        return countHere(share)
      })
    const others = theirs.map((share, i) => orEnd(helped(helpers[i]!, share)))
    const counts = await Promise.allSettled([orEnd(countHere(own)), ...others])
    if (failed.signal.aborted) throw failed.signal.reason
    return { ...addUp(counts.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))), sampled }
  }

type Working = Omit<Sources, 'versions' | 'reached'> & { rooms: ReturnType<typeof createRooms>; tables: ReturnType<typeof createTables> }

/** Counts a share of a question, of the rows that it is about. */
export const answerShare = async ({ rooms, tables, ...sources }: Working, request: Request): Promise<Reply> => {
  const { format: asked, site, zones, ground, data, share, plan: text, edgesOf }: Asked = JSON.parse(request.body.toString())
  if (asked !== format) return json(unknownFormatStatus, { error: `Shares have format ${format} here.` })
  const pause = createPause(sources.clock, request.signal)
  const room = rooms.open()
  try {
    const reading = readingOn(sources, site, ground)
    const tablesOf = tables({ reading, data, calendar: calendarOf(zones) })(pause)
    const plan = planOf(text, { room, pause })
    const rows = await besideCells(await tablesOf(plan.range), edgesOf)
    if (!rows) throw new Moved('was moved on')
    const counts = await countUnits(rows, plan, share)
    return { status: 200, headers: { 'content-type': 'application/json' }, body: countsText(counts) }
  } catch (error) {
    if (error instanceof Moved) return { ...replyOf(error), status: movedStatus }
    throw error
  } finally {
    room.close()
  }
}

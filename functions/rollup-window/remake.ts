import type { Clock } from '#shared/clock.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Memtables } from '#shared/ports/memtables.ts'
import type { Replays, Versions } from '#shared/ports/replays.ts'
import type { SiteDay } from '#shared/ports/seals.ts'
import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'
import type { Sites } from '#shared/ports/sites.ts'
import type { LifeLimits } from '#shared/rollup/life.ts'
import { eventHits, looksAtOtherDays, ordersBelow, type RuleStep, replayRows } from '#shared/rollup/replay.ts'
import { chainOf } from '#shared/segment/chain.ts'
import type { SegmentRow } from '#shared/segment/row.ts'
import { mergeSorted } from '#shared/segment/together.ts'
import type { EventHit } from '#shared/visit/event.ts'
import { type Attempts, dayText } from './attempts.ts'
import { type AsyncSteps, createBegun } from './begun.ts'
import { groupsOf, putClosed } from './closed.ts'

/**
 * Makes days of versions (data.md §14): whenever version 0 of a day is closed, for the first time or again with late rows, every other
 * version of it is made of it anew. So each has what came late, whichever readers take, and to go back to one loses nothing.
 */
export type RemakePorts = {
  memtables: Pick<Memtables, 'read'>
  segments: Segments
  sites: Sites
  replays: Pick<Replays, 'list'>
  versions: Versions
  clock: Clock
}

/** Why a version could not be made when it was last tried, for who asks how far it is. */
export type Failures = Map<string, string>
export const failureName = ({ site, ver }: { site: string; ver: number }): string => `${site} ${ver}`

type Due = SiteDay & { ver: number }

const notMade = (due: Due): string => `${dayText(due)} could not be made in version ${due.ver}`

export const createRemake = (
  { memtables, segments, sites, replays, versions, clock }: RemakePorts,
  limits: LifeLimits,
  failures: Failures,
  { attempt, inTurn }: Pick<Attempts, 'attempt' | 'inTurn'>,
) => {
  const stepsOf = async ({ site, day, ver }: Due): Promise<RuleStep[]> => {
    const steps: RuleStep[] = []
    for (const order of ordersBelow(await replays.list(site), { ver, day })) {
      const config = await sites.at(site, order.config)
      if (!config) throw new FootfallError('internal', { detail: `${site} has no configuration ${order.config}.` })
      steps.push({ ver: order.ver, rules: order.rules, config })
    }
    return steps
  }

  async function* rowsOf(partition: number, entries: readonly SegmentEntry[]): AsyncGenerator<SegmentRow[], void, void> {
    const groups: Awaited<ReturnType<typeof groupsOf>>[] = []
    for (const entry of entries) groups.push(await groupsOf(segments, partition, entry))
    yield* mergeSorted(groups)
  }

  /** Visits that have hits on other days too: by day, their ids. */
  async function* spanning(partition: number, day: number, closed: SegmentEntry): AsyncSteps<Map<number, Set<string>>> {
    const found = new Map<number, Set<string>>()
    for await (const rows of rowsOf(partition, [closed])) {
      for (const { s } of rows)
        if (s.days.length > 1)
          for (const [other] of s.days) if (other !== day) found.set(other, (found.get(other) ?? new Set<string>()).add(s.id))
      yield
    }
    return found
  }

  /** Hits of these visits on a day, as far as they are cold. `undefined` while older ones than the segment's are hot still. */
  async function* hitsOf(
    partition: number,
    where: SiteDay,
    ids: ReadonlySet<string>,
    to: number,
  ): AsyncSteps<[string, EventHit[]][] | undefined> {
    const { site, day } = where
    const { intervals } = await memtables.read(partition, site, day, day, { characters: 1 })
    const list = await segments.list(partition, site, day, day)
    const chain = chainOf(list)
    const reach = chain.at(-1)?.to ?? 0
    if (intervals.some(({ from }) => from < to && from >= reach)) return undefined
    const found: [string, EventHit[]][] = []
    for await (const rows of rowsOf(partition, chain)) {
      for (const row of rows) if (ids.has(row.s.id)) found.push([row.s.id, eventHits(day, row)])
      yield
    }
    return found
  }

  let made = 0

  async function* make(partition: number, due: Due, logTime: number): AsyncSteps<void> {
    const { site, day, ver } = due
    const steps = await stepsOf(due)
    const closed = (await segments.list(partition, site, day, day)).filter(({ level }) => level === 1).sort((a, b) => b.to - a.to)[0]
    if (!closed) return
    const others = new Map<string, EventHit[]>()
    if (looksAtOtherDays(steps))
      for (const [other, ids] of yield* spanning(partition, day, closed)) {
        const found = yield* hitsOf(partition, { site, day: other }, ids, closed.to)
        if (!found) return // at a later tick
        for (const [id, hits] of found) others.set(id, [...(others.get(id) ?? []), ...hits])
      }
    const replayed = async function* () {
      for await (const rows of rowsOf(partition, [closed])) yield replayRows(rows, day, (id) => others.get(id) ?? [], steps)
    }
    yield* putClosed({ segments, sites }, partition, { site, day, from: 0, to: closed.to }, { ver, at: logTime }, replayed(), limits)
    made++
  }

  async function* tried(partition: number, due: Due, logTime: number): AsyncSteps<void> {
    try {
      yield* make(partition, due, logTime)
      failures.delete(failureName(due))
    } catch (error) {
      failures.set(failureName(due), `${notMade(due)}; it is tried again: ${error instanceof Error ? error.message : String(error)}`)
      throw error
    }
  }

  const { isBegun, begin, goOn } = createBegun(clock, limits, attempt)

  /** Makes the days that are due, until `isOver`. True when it was at work: there may be more of it. */
  const remakeDue = async (partition: number, logTime: number, isOver: () => boolean): Promise<boolean> => {
    made = 0
    if (isBegun(partition)) await goOn(partition, isOver)
    for (const due of inTurn(await versions.due(partition, limits.atOnce), notMade)) {
      if (isOver()) break
      begin(partition, notMade(due), tried(partition, due, logTime))
      await goOn(partition, isOver)
    }
    return made > 0 || isBegun(partition)
  }

  return { remakeDue }
}

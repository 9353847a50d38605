import { type Clock, hasPassed } from '#shared/clock.ts'
import type { Retention } from '#shared/ports/retention.ts'
import type { Seals } from '#shared/ports/seals.ts'
import type { Segments } from '#shared/ports/segments.ts'
import type { Sites } from '#shared/ports/sites.ts'
import { firstKept, type LifeLimits } from '#shared/rollup/life.ts'
import { retentionOf } from '#shared/site/config.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { type Attempts, dayText, type OnError, toldAtOnce } from './attempts.ts'

/** What is looked at once an hour: days that a site keeps no longer go, and days that should have been closed are told. */
export type ExpirePorts = { retention: Retention; seals: Seals; segments: Segments; sites: Sites; clock: Clock }

export const createExpire = (
  { retention, seals, segments, sites, clock }: ExpirePorts,
  limits: LifeLimits,
  { attempt }: Pick<Attempts, 'attempt'>,
  onError: OnError,
) => {
  const lookedAt = new Map<number, number>()

  /** Rows that are hot still stand on the day's segments: it goes when they were closed. */
  const isCold = async (partition: number, site: string, day: number): Promise<boolean> =>
    (await seals.bases(partition, [{ site, day }]))[0] === undefined

  const expireSite = async (partition: number, site: string, logTime: number): Promise<void> => {
    const config = await sites.find(site)
    const before = firstKept(calendarOf(config?.zones ?? [{ tz: 'UTC', from: 0 }]), logTime, retentionOf(config))
    if (before === undefined) return
    for (const day of await retention.days(partition, site, before))
      if (await isCold(partition, site, day)) await retention.drop(partition, { site, day })
  }

  const tellUnclosed = async (partition: number, logTime: number): Promise<void> => {
    const late = (await segments.open(partition)).filter(({ oldest }) => oldest < logTime - limits.unclosedMs)
    for (const open of late.slice(0, toldAtOnce))
      onError(
        new Error(`${dayText(open)} were flushed ${new Date(open.oldest).toISOString()} and are not closed yet (${late.length} days)`),
      )
  }

  /** Ends early when `isOver`, and goes on at the next tick. */
  const expireDue = async (partition: number, logTime: number, isOver: () => boolean): Promise<void> => {
    if (!hasPassed(clock, lookedAt.get(partition) ?? Number.NEGATIVE_INFINITY, limits.expireEveryMs)) return
    for (const site of await retention.sites(partition)) {
      if (isOver()) return
      await attempt(`rows of ${JSON.stringify(site)} that are kept no longer could not be dropped`, () =>
        expireSite(partition, site, logTime),
      )
    }
    await tellUnclosed(partition, logTime)
    lookedAt.set(partition, clock.now())
  }

  return { expireDue }
}

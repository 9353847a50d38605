import type { SiteDay } from '#shared/ports/seals.ts'
import type { SegmentEntry, Segments } from '#shared/ports/segments.ts'
import type { Sites } from '#shared/ports/sites.ts'
import type { LifeLimits } from '#shared/rollup/life.ts'
import { createClosedDay } from '#shared/rollup/stored.ts'
import type { Interval } from '#shared/segment/encode.ts'
import { openListed } from '#shared/segment/moved.ts'
import type { SegmentRow } from '#shared/segment/row.ts'
import { rowGroupsOf } from '#shared/segment/stream.ts'
import { calendarOf } from '#shared/site/zone.ts'
import type { AsyncSteps } from './begun.ts'

/** A closed day as one segment, of whatever version: the only place where one is made and put. */

/** The rows of a listed segment, a row group at a time. Throws `Moved` when it was dropped. */
export const groupsOf = async (
  segments: Pick<Segments, 'head' | 'read'>,
  partition: number,
  entry: SegmentEntry,
): Promise<AsyncIterable<Iterable<SegmentRow>>> => {
  const { head, fetch } = await openListed(segments, partition, entry)
  return rowGroupsOf(head, fetch)
}

/** Makes a segment of level 1 of rows that come merged and in order, and puts it; in steps. From `cellRows` rows on it has cells. */
export async function* putClosed(
  { segments, sites }: { segments: Pick<Segments, 'put'>; sites: Pick<Sites, 'find'> },
  partition: number,
  where: SiteDay & Interval,
  { ver, at }: Pick<SegmentEntry, 'ver' | 'at'>,
  slices: AsyncIterable<readonly SegmentRow[]>,
  { cellRows }: Pick<LifeLimits, 'cellRows'>,
): AsyncSteps<void> {
  const { site, day } = where
  const config = await sites.find(site)
  const visits = createClosedDay(where, config && { day, bounce: config.bounce, calendar: calendarOf(config.zones) }, cellRows)
  for await (const rows of slices) {
    visits.add(rows)
    yield
  }
  const { entry, head, chunks } = yield* visits.done()
  await segments.put(partition, { ...entry, level: 1, ver, at }, head, chunks)
}

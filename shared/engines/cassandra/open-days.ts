import type { types } from 'cassandra-driver'
import type { Clock } from '../../clock.ts'
import type { SiteDay } from '../../ports/seals.ts'
import type { OpenDay, Segments } from '../../ports/segments.ts'
import { type Database, type Statement, statement } from './database.ts'
import { isListed, type ManifestRow, readRows } from './manifest.ts'
import { eachAtOnce } from './slots.ts'

/**
 * Which days are open, without looking at all days of all sites: a mark for each flushed segment that no closed one has yet, and how far
 * each day is closed. Both are written before their segment is listed, as unsure, and after that once more, as sure; of an unsure one the
 * manifest is asked. That a closed segment has a flushed one stays true for ever: by that alone marks are deleted, so nothing that
 * happens at the same time can be lost.
 */

/** From its begin to its listing a put may take so long. */
export const putMs = 3_600_000
/** What is unsure for so long and not listed never will be. */
const forgottenMs = 2 * putMs
/** Days that are asked for at once. */
const daysAtOnce = 8

/** A mark, or how far a day is closed: the segment that says so. */
type Sign = SiteDay & { to: number; id: string; at: number; sure: boolean; begun: number }

const columns = 'site, day, "to", id, at, sure, begun'

const signOf = (row: types.Row): Sign => ({
  site: row['site'],
  day: row['day'],
  to: Number(row['to']),
  id: row['id'],
  at: Number(row['at']),
  sure: row['sure'],
  begun: Number(row['begun']),
})

const insert =
  (table: 'unclosed' | 'closed_day') =>
  (partition: number, row: ManifestRow, sure: boolean): Statement => {
    const { site, day, to, id, at, begun } = row
    return statement(
      `INSERT INTO ${table} (part, ${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
      partition,
      site,
      day,
      to,
      id,
      at,
      sure,
      begun,
    )
  }

/** Marks a flushed segment as one that no closed one has. */
export const insertMark = insert('unclosed')
/** Says how far a day is closed. */
export const insertReach = insert('closed_day')

/** Deletes the marks of a day that its closed segment has. */
export const deleteMarks = (partition: number, { site, day }: SiteDay, reach: number): Statement =>
  statement('DELETE FROM unclosed WHERE part = ? AND site = ? AND day = ? AND "to" <= ?', partition, site, day, reach)

export const deleteReach = (partition: number, { site, day }: SiteDay): Statement =>
  statement('DELETE FROM closed_day WHERE part = ? AND day = ? AND site = ?', partition, day, site)

const deleteMark = (partition: number, { site, day, to, id }: Sign): Statement =>
  statement('DELETE FROM unclosed WHERE part = ? AND site = ? AND day = ? AND "to" = ? AND id = ?', partition, site, day, to, id)

const keyOf = ({ site, day }: SiteDay): string => `${day} ${site}`

/** The open days that marks tell of; `reaches` has how far days are closed. */
const openDaysOf = (marks: readonly Sign[], reaches: ReadonlyMap<string, number>): OpenDay[] => {
  const days = new Map<string, OpenDay>()
  for (const mark of marks) {
    const { site, day, at } = mark
    const known = days.get(keyOf(mark)) ?? { site, day, closed: reaches.has(keyOf(mark)), oldest: at, newest: at }
    known.oldest = Math.min(known.oldest, at)
    known.newest = Math.max(known.newest, at)
    days.set(keyOf(mark), known)
  }
  return [...days.values()]
}

export const createOpenDays = (db: Database, clock: Pick<Clock, 'now'>): Segments['open'] => {
  const isTrue = async (partition: number, sign: Sign): Promise<boolean> =>
    sign.sure || (await readRows(db, partition, sign.site, sign.day, sign.day)).some((row) => row.id === sign.id && isListed(row))

  /** Those whose segment is listed. */
  const trueOf = async (partition: number, signs: readonly Sign[]): Promise<Sign[]> => {
    const found = await eachAtOnce(signs, daysAtOnce, async (sign) => ((await isTrue(partition, sign)) ? [sign] : []))
    return found.flat()
  }

  const closedOn = async (partition: number, day: number): Promise<Sign[]> => {
    const rows = await db.rows(statement(`SELECT ${columns} FROM closed_day WHERE part = ? AND day = ?`, partition, day))
    return trueOf(partition, rows.map(signOf))
  }

  /** How far the days are closed on which there are marks. */
  const reachesOf = async (partition: number, marks: readonly Sign[]): Promise<Map<string, number>> => {
    const days = [...new Set(marks.map(({ day }) => day))]
    const reaches = new Map<string, number>()
    for (const sign of (await eachAtOnce(days, daysAtOnce, (day) => closedOn(partition, day))).flat())
      reaches.set(keyOf(sign), Math.max(sign.to, reaches.get(keyOf(sign)) ?? 0))
    return reaches
  }

  return async (partition) => {
    const marks = (await db.rows(statement(`SELECT ${columns} FROM unclosed WHERE part = ?`, partition))).map(signOf)
    const reaches = await reachesOf(partition, marks)
    const isCovered = (mark: Sign): boolean => mark.to <= (reaches.get(keyOf(mark)) ?? Number.NEGATIVE_INFINITY)
    const beyond = await trueOf(
      partition,
      marks.filter((mark) => !isCovered(mark)),
    )
    const isBeyond = new Set(beyond)
    const isForgotten = ({ begun }: Sign): boolean => Math.abs(clock.now() - begun) > forgottenMs
    const over = marks.filter((mark) => isCovered(mark) || (!isBeyond.has(mark) && isForgotten(mark)))
    await db.batch(over.map((mark) => deleteMark(partition, mark)))
    return openDaysOf(beyond, reaches)
  }
}

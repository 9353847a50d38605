import { decodeRows } from '../rollup/block.ts'
import type { Block, SegmentHit, SegmentRow } from '../segment/row.ts'
import type { Calendar } from '../site/zone.ts'
import type { Session } from '../visit/event.ts'
import { type HitReader, hitReader, type VisitReader, visitReader } from './dimensions.ts'
import type { ColumnOf } from './filters.ts'
import { endless, type Room, sizes, textBytes } from './room.ts'

/**
 * From blocks to whole visits. Of one day and session the row with the newest event offset stands, hits of all its rows add up;
 * a session that has rows on several days becomes one visit when all days are read. Only what the query needs is kept of a row.
 */

/** Columns that a query reads, by dimension name, and whether it counts something per page. */
export type Columns = { visit: readonly string[]; hit: readonly string[]; paths: boolean }

export const pageview = 0
const otherEvent = 1
export const engagement = 2

/** What a hit of that name is. */
export const kindOf = (name: string): Hit['kind'] => (name === 'pageview' ? pageview : name === 'engagement' ? engagement : otherEvent)

export type Hit = {
  t: number
  kind: typeof pageview | typeof otherEvent | typeof engagement
  /** Visitor hash of the hit's day. */
  vis: string
  v: readonly string[]
  /** Page as it was sent, for exits and pairs; absent too where nothing is counted per page. */
  path: string | undefined
  fg: number
  sd: number | undefined
  rev: { a: string; c: string } | undefined
}

export type Visit = {
  start: number
  last: number
  pv: number
  ev: number
  fg: number
  /** 1 = it met a goal as the site was set then. */
  goal?: 1 | undefined
  exit: string | undefined
  exitT: number | undefined
  new: 0 | 1 | undefined
  /** Start day and the visitor's hash on it. */
  day: number
  vis: string
  flagged: boolean
  v: readonly string[]
  /** Its hits in the range; none when it only lies on a day that the range touches. */
  hits: Hit[]
}

type Held = { off: number; vis: string; visit: Visit; several: boolean }

/** Index of a dimension among the columns. */
export const columnOf =
  (columns: Columns): ColumnOf =>
  (dimension) =>
    dimension.startsWith('event:') ? columns.hit.indexOf(dimension) : columns.visit.indexOf(dimension)

const none: readonly string[] = []

type Merge = {
  /** Takes a block of the current day; rows at or beyond offset `before` are later than the answer and left out. */
  take(block: Block, before: number): void
  /** Takes rows of the current day, wherever they come from. */
  add(rows: Iterable<SegmentRow>): void
  /** Ends a day: the visits that lie on this day alone. Their room is given back with the next call. */
  day(): Visit[]
  /** Ends the reading: the visits that lie on several days. */
  rest(): Visit[]
  /** Gives back all room. */
  end(): void
}

/** Up to so many hits a visit's list is as long as they are; a longer one grows by halves, so that a robot's visit is not copied for each hit. */
const exactHits = 16

/** Merges the blocks of one partition, day after day, for the hits in `[from, to)`. */
export const createMerge = (columns: Columns, range: { from: number; to: number }, calendar: Calendar, room: Room = endless): Merge => {
  const visitReaders = columns.visit.map(visitReader)
  const hitReaders = columns.hit.map(hitReader)
  const visitBytes = sizes.visit + sizes.value * visitReaders.length
  const hitBytes = sizes.hit + sizes.value * hitReaders.length
  const carried = new Map<string, Held>()
  let day = new Map<string, Held>()
  /** Bytes of the current day, of the day before that is being counted now, and of visits on several days. */
  const bytes = { day: 0, done: 0, carried: 0 }
  const hold = (more: number): void => {
    bytes.day += more
    room.take(more)
  }
  const free = (): void => {
    room.give(bytes.done)
    bytes.done = 0
  }
  let text = interner(hold)

  const visitOf = (s: Session, vis: string, hits: Hit[]): Visit => ({
    start: s.start,
    last: s.last,
    pv: s.pv,
    ev: s.ev,
    fg: s.fg,
    goal: s.goal,
    exit: columns.paths && s.exit !== undefined ? text(s.exit) : undefined,
    exitT: s.exitT,
    new: s.new,
    day: s.days[0]?.[0] ?? 0,
    vis: s.days[0] === undefined || s.days[0][1] === vis ? vis : text(s.days[0][1]),
    flagged: s.bot !== undefined && s.bot !== '',
    v: readVisit(visitReaders, s, calendar, text),
    hits,
  })

  const takeRow = (row: SegmentRow): void => {
    const held = day.get(row.s.id)
    const came = row.h.filter(({ t }) => t >= range.from && t < range.to).map((h) => hitOf(h, hitReaders, columns.paths, text))
    hold(came.length * hitBytes)
    const hits = held ? joined(held.visit.hits, came) : came
    if (held) held.visit.hits = hits
    else hold(visitBytes)
    if (held && held.off > row.off) return
    const vis = text(row.vis)
    day.set(row.s.id, { off: row.off, vis, visit: visitOf(row.s, vis, hits), several: row.s.days.length > 1 })
  }

  const carry = (id: string, held: Held): void => {
    const other = carried.get(id)
    if (!other) return void carried.set(id, held)
    const newest = held.off >= other.off ? held : other
    newest.visit.hits = other.visit.hits.concat(held.visit.hits)
    carried.set(id, newest)
  }

  return {
    take(block, before) {
      free()
      for (const row of decodeRows(block)) if (row.off < before) takeRow(row)
    },
    add(rows) {
      free()
      for (const row of rows) takeRow(row)
    },
    day() {
      free()
      const whole: Visit[] = []
      let kept = 0
      for (const [id, held] of day) {
        for (const hit of held.visit.hits) hit.vis = held.vis
        if (held.several) {
          carry(id, held)
          kept += visitBytes + held.visit.hits.length * hitBytes
        } else whole.push(held.visit)
      }
      bytes.carried += kept
      bytes.done = bytes.day - kept
      bytes.day = 0
      day = new Map()
      text = interner(hold)
      return whole
    },
    rest() {
      free()
      const visits = [...carried.values()].map(({ visit }) => visit)
      carried.clear()
      return visits
    },
    end() {
      room.give(bytes.day + bytes.done + bytes.carried)
      Object.assign(bytes, { day: 0, done: 0, carried: 0 })
    },
  }
}

const readVisit = (readers: readonly VisitReader[], s: Session, calendar: Calendar, text: Intern): readonly string[] =>
  readers.length === 0 ? none : readers.map((read) => text(read(s, calendar)))

const hitOf = (h: SegmentHit, readers: readonly HitReader[], paths: boolean, text: Intern): Hit => ({
  t: h.t,
  kind: kindOf(h.n),
  vis: '',
  v: readers.length === 0 ? none : readers.map((read) => text(read(h))),
  path: paths && h.path !== undefined ? text(h.path) : undefined,
  fg: h.fg ?? 0,
  sd: h.sd,
  rev: h.rev,
})

type Intern = (value: string) => string

const joined = (hits: Hit[], more: Hit[]): Hit[] => {
  if (more.length === 0) return hits
  if (hits.length + more.length <= exactHits) return hits.concat(more)
  for (const hit of more) hits.push(hit)
  return hits
}

/** Keeps one copy of each text of a day: a page seen a million times costs a million pointers, not strings. */
const interner = (hold: (bytes: number) => void): Intern => {
  const known = new Map<string, string>()
  return (value) => {
    const found = known.get(value)
    if (found !== undefined) return found
    hold(textBytes(value))
    known.set(value, value)
    return value
  }
}

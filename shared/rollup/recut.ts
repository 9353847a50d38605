import type { RecordHit } from '../hit/record.ts'
import type { SiteConfig } from '../site/config.ts'
import type { EventHit, Session } from '../visit/event.ts'
import { meetsGoal } from '../visit/goal.ts'
import { standingOf } from '../visit/session.ts'
import { begun, isOfOneDay, isUpdate, isWhole, startDayOf, type Visit, withHit, withSource } from './remade-visit.ts'

/**
 * The rule session_timeout: visits of a day are cut and joined as if their hits had come in the order of time under another timeout, by the
 * very step that enrich cuts with. Each day by itself: a visit that lies on several days stays, so that no day needs to know what became
 * of another. Flagged visits stay too: many of their hits are of machines, and which hit flagged them is not known.
 */
export const underTimeout = (visits: readonly Visit[], ver: number, config: SiteConfig): Visit[] => {
  const isCut = (visit: Visit): boolean => visit.s.bot === undefined && isOfOneDay(visit) && isWhole(visit)
  // An exclusion may have left a visit of another day among those of this one.
  const days = Map.groupBy(visits.filter(isCut), ({ s }) => startDayOf(s))
  return [...visits.filter((visit) => !isCut(visit)), ...[...days.values()].flatMap((some) => recut(some, ver, config))]
}

/** A hit and the visit that it was in. `q`: the campaign, which is known of hits alone that began one. */
type Placed = { hit: EventHit; of: Visit; begins: boolean; met: boolean }

/** Ids of one partition are made of offsets: the longer one, of equals the greater one, was opened later. */
const byId = (a: string, b: string): number => a.length - b.length || (a < b ? -1 : a > b ? 1 : 0)
/** The id of the visit that enrich opened; what rules cut off it have more behind it. */
const openedId = (id: string): string => id.split('!', 1)[0]!
const byOpening = ({ s: a }: Visit, { s: b }: Visit): number =>
  a.start - b.start || byId(openedId(a.id), openedId(b.id)) || byId(a.id, b.id)

/** All hits in the order of time; of the same instant those of the earlier visit first. */
const placedHits = (visits: readonly Visit[], config: SiteConfig): Placed[] =>
  visits
    .toSorted(byOpening)
    .flatMap((of): Placed[] => {
      const first = of.h.find((hit) => !isUpdate(hit))
      const meets = goalOf(of, config)
      return of.h.map((hit) => ({ hit, of, begins: hit === first, met: meets(hit) }))
    })
    .sort((a, b) => a.hit.t - b.hit.t)

/**
 * Which hits a visit that met a goal may have met it with: those that meet one of today's; where none does, the goals were others then, and
 * each of its parts keeps it.
 */
const goalOf = ({ s, h }: Visit, config: SiteConfig): ((hit: EventHit) => boolean) => {
  if (s.goal === undefined) return () => false
  const met = new Set(h.filter((hit) => meetsGoal(config, hit)))
  return met.size === 0 ? () => true : (hit) => met.has(hit)
}

const recut = (visits: readonly Visit[], ver: number, config: SiteConfig): Visit[] => {
  const made: Visit[] = []
  const parts = new Map<Visit, number>()
  let current: Visit | undefined
  /** Updates that lie before the first visit: they begin none, and are its. */
  const early: Placed[] = []

  const take = (visit: Visit, { hit, of, met }: Placed): void => {
    visit.off = Math.max(visit.off, of.off)
    visit.s = withHit(visit.s, hit, of.s, config)
    if (met) visit.s.goal = 1
    visit.h.push(hit)
  }
  /** What was the beginning of a visit keeps all that is known of it; what is cut off gets an id by which number of cut it is. */
  const begin = (placed: Placed): Visit => {
    const { hit, of, begins } = placed
    const part = (parts.get(of) ?? 0) + 1
    if (!begins) parts.set(of, part)
    const { goal: _goal, ...s } = begins ? of.s : cutOff(of.s, `${of.s.id}!${ver}-${part}`, hit, config)
    const visit: Visit = { off: of.off, s: begun(s, hit), h: [] }
    for (const one of [...early.splice(0), placed]) take(visit, one)
    made.push(visit)
    return visit
  }

  for (const placed of placedHits(visits, config)) {
    if (isUpdate(placed.hit)) {
      if (current) take(current, placed)
      else early.push(placed)
      continue
    }
    const standing = current ? standingOf(current.s, asItCame(placed), placed.hit.day, config) : 'after'
    if (current && standing === 'inside') take(current, placed)
    else {
      const visit = begin(placed)
      if (standing === 'after') current = visit // else it is a visit beside the current one, as enrich has it
    }
  }
  return made
}

/** A hit as enrich took it, as far as it is kept: its campaign is, if it began a visit. */
const asItCame = ({ hit, of, begins }: Placed): RecordHit => {
  const { us, um, uc, un, ut, clk } = of.s
  const q = { us, um, uc, un, ut, clk }
  return begins && Object.values(q).some((mark) => mark !== undefined) ? { ...hit, q } : hit
}

/** What begins in the middle of a visit is the same visitor's; its source is that of its own referrer, since no campaign is kept with a hit. */
const cutOff = (s: Session, id: string, hit: EventHit, config: SiteConfig): Session => {
  const { us: _1, um: _2, uc: _3, un: _4, ut: _5, clk: _6, ...rest } = s
  return withSource({ ...rest, id, ref: hit.ref }, config)
}

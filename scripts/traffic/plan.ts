import { createPeople, type Person } from './people.ts'
import { createRandom } from './random.ts'
import { type Fields, humanVisit, robotVisit, type Step } from './visit.ts'
import { badHits, type Page, pagesOf } from './world.ts'

/**
 * The hits of a site, one after the other, without end: the same seed, rate and speed give the same sequence. It knows no clock and
 * sends nothing. Hits are `rate` a second; visits begin so often that their later hits and new visits fill that rate together.
 */
export type PlanOptions = {
  site: string
  seed: number
  /** Hits a second. */
  rate: number
  /** Seconds of a visit that pass in one real second. */
  speed: number
  /** Today, for the first days in cookies. */
  now: number
  pages?: number
}

/** One hit as it will be sent, the same object each time it is sent again. The sender puts in its id, and its time. */
export type PlannedHit = {
  person: Person
  page: string | undefined
  fields: Readonly<Fields | Record<string, unknown>>
  /** Milliseconds that it waits before it is sent (then it comes in disorder). */
  queued: number
  /** Why the server must refuse it. */
  bad?: string
  id?: string
  time?: number
}
export type Sending = { hit: PlannedHit; isRepeat: boolean }
export type Plan = { next(): Sending }

/** Shares of hits, except `robots`, `returning` (of visits). 7.5 % of visits are 5 % of hits: robots look at fewer pages. */
const shares = { robots: 0.075, returning: 0.2, queued: 0.02, repeated: 0.01, bad: 0.005 } as const
/** People who may come back. */
const rememberedPeople = 50_000
const heldS = { queued: 20, repeated: 5 } as const

type Visit = { person: Person; steps: Step[] }
type Due = { at: number; order: number; visit?: Visit; sending?: Sending }

/** A binary heap of what is due, the earliest first; of equals the one that came first. */
const createAgenda = () => {
  const heap: Due[] = []
  const isBefore = (a: Due, b: Due) => a.at < b.at || (a.at === b.at && a.order < b.order)
  const swap = (i: number, j: number) => {
    const held = heap[i]!
    heap[i] = heap[j]!
    heap[j] = held
  }
  const sink = (from: number) => {
    for (let i = from; ; ) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2]) if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child
      if (least === i) return
      swap(i, least)
      i = least
    }
  }
  return {
    put(due: Due) {
      let i = heap.push(due) - 1
      for (let parent = (i - 1) >> 1; i > 0 && isBefore(heap[i]!, heap[parent]!); parent = (i - 1) >> 1) {
        swap(i, parent)
        i = parent
      }
    },
    /** Takes the earliest if it is due at `now`. */
    take(now: number): Due | undefined {
      const first = heap[0]
      if (!first || first.at > now) return undefined
      const last = heap.pop()!
      if (heap.length > 0) {
        heap[0] = last
        sink(0)
      }
      return first
    },
  }
}

export const createPlan = ({ site, seed, rate, speed, now, pages: pageCount = 500 }: PlanOptions): Plan => {
  const random = createRandom(seed)
  const people = createPeople(random, seed, now)
  const pages: readonly Page[] = pagesOf(pageCount)
  const bad = badHits(site)
  const agenda = createAgenda()
  const met: Person[] = []
  let count = 0
  let order = 0

  const remember = (person: Person): Person => {
    if (met.length < rememberedPeople) met.push(person)
    else met[random.whole(rememberedPeople)] = person
    return person
  }

  const someone = (): Person => (met.length > 0 && random.chance(shares.returning) ? random.pick(met) : remember(people.human()))

  const begin = (): Visit =>
    random.chance(shares.robots)
      ? { person: people.robot(), steps: robotVisit(random, site, pages) }
      : { person: someone(), steps: humanVisit(random, site, pages) }

  /** The visit's next hit; the one after it is put on the agenda. */
  const advance = (visit: Visit, at: number): PlannedHit => {
    const { page, fields } = visit.steps.shift()!
    const next = visit.steps[0]
    if (next) agenda.put({ at: at + next.afterS, order: order++, visit })
    return { person: visit.person, page, fields, queued: 0 }
  }

  const badHit = (): PlannedHit => {
    const person = met.length > 0 ? random.pick(met) : remember(people.human())
    const { reason, fields } = random.pick(bad)
    return { person, page: undefined, fields, queued: 0, bad: reason }
  }

  /** Holds a hit back, so that it comes after others of its visit. */
  const hold = (hit: PlannedHit, at: number): void => {
    const waitS = heldS.queued * random.unit()
    agenda.put({
      at: at + waitS,
      order: order++,
      sending: { hit: { ...hit, queued: Math.round((waitS * 1000) / speed) }, isRepeat: false },
    })
  }

  const maybeRepeat = (sending: Sending, at: number): Sending => {
    if (random.chance(shares.repeated))
      agenda.put({ at: at + heldS.repeated * random.unit(), order: order++, sending: { hit: sending.hit, isRepeat: true } })
    return sending
  }

  return {
    next() {
      const at = (count++ * speed) / rate
      for (;;) {
        if (random.chance(shares.bad)) return { hit: badHit(), isRepeat: false }
        const due = agenda.take(at)
        if (due?.sending) return due.sending.isRepeat ? due.sending : maybeRepeat(due.sending, at)
        const hit = advance(due?.visit ?? begin(), due?.at ?? at)
        if (random.chance(shares.queued)) hold(hit, at)
        else return maybeRepeat({ hit, isRepeat: false }, at)
      }
    },
  }
}

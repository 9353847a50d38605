import { agents, kinds, robots } from './agents.ts'
import type { Random } from './random.ts'
import { address6Of, addressOf, places, screens } from './world.ts'

/** Who the traffic comes from. Each person has an address that nobody else has, so a recount may tell people apart by their number. */
export type Person = {
  /** The person's name in the client's ledger; nothing of it is sent. */
  key: string
  robot: boolean
  address: string
  agent: string
  language?: string
  screen?: string
  /** First-party id; absent where cookies are blocked, and of robots. */
  visitor?: string
}

const dayMs = 86_400_000
const shares = { v6: 0.15, noCookie: 0.08, known: 0.2 } as const

/** `YYYYMMDD` of a day, as the cookie carries the first one. */
const dayText = (t: number): string => new Date(t).toISOString().slice(0, 10).replaceAll('-', '')

/** Makes people, one after the other: the sequence depends on the seed alone, the first days in cookies on today. */
export const createPeople = (random: Random, seed: number, now: number) => {
  let count = 0

  const addressFor = (octet: number): string => {
    const k = count + seed * 65_537 // runs with other seeds come from other addresses
    return random.chance(shares.v6) ? address6Of(k) : addressOf(octet, k)
  }

  const robot = (): Person => {
    const address = addressFor(random.pick([17, 40, 52, 66]))
    return { key: `r${count++}`, robot: true, address, agent: random.pick(robots) }
  }

  const human = (): Person => {
    const kind = random.weighted(kinds)
    const { octet, language } = random.weighted(places)
    const address = addressFor(octet)
    const daysAgo = random.chance(shares.known) ? 1 + random.whole(90) : 0
    const tail = random
      .whole(2 ** 32)
      .toString(36)
      .padStart(7, '0')
    const cookie = `${seed.toString(36)}-${count.toString(36)}-${tail}.${dayText(now - daysAgo * dayMs)}`
    const visitor = random.chance(shares.noCookie) ? undefined : cookie
    const agent = random.weighted(agents[kind])
    return { key: `p${count++}`, robot: false, address, agent, language, screen: random.weighted(screens[kind]), visitor }
  }
  return { robot, human }
}

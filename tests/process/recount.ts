import { expect } from 'vitest'
import { ledgerLines } from './client-ledger.ts'
import { type Server, sumsOf } from './server.ts'

/**
 * The client's ledger, folded by itself: it shares no code with the stages and asks the server only what users ask. For each id it
 * knows what must be counted (`ok`) and what may be (`ok` or unknown); a count that lies outside is a lost, doubled or invented hit.
 */
type Hit = {
  outcome: 'ok' | 'refused' | 'unknown'
  name: string
  page: string | undefined
  visitor: string
  robot: boolean
  /** When it happened, as far as the client can know: the server's clock lies between sending and answer. */
  first: number
  last: number
}

export type Fold = { site: string; hits: Map<string, Hit>; lines: number; unknownAt: number[] }

const better = { ok: 2, refused: 1, unknown: 0 } as const

/** All that a ledger file says about one site. */
export const foldLedger = (path: string, site: string): Fold => {
  const lines = ledgerLines(path).filter((line) => line.site === site)
  const hits = new Map<string, Hit>()
  for (const { id, outcome, name, page, visitor, robot, time, queued, sent_at, done_at } of lines) {
    const first = time ?? sent_at - queued - 1
    const last = time ?? done_at - queued + 1
    const known = hits.get(id)
    if (!known) hits.set(id, { outcome, name, page, visitor, robot, first, last })
    else {
      known.first = Math.min(known.first, first)
      known.last = Math.max(known.last, last)
      if (better[outcome] > better[known.outcome]) known.outcome = outcome
    }
  }
  return { site, hits, lines: lines.length, unknownAt: lines.filter(({ outcome }) => outcome === 'unknown').map(({ done_at }) => done_at) }
}

/** What a recount asks of a server: answers to users, and to wait until all is counted. */
export type Counter = Pick<Server, 'get' | 'settled'>

type Bounds = Map<string, { least: number; most: number }>

/** How often each label must and may be counted; `labels` are all that a hit can lie under, alone it is certain. */
const bounds = (hits: Iterable<Hit>, labels: (hit: Hit) => string[]): Bounds => {
  const counts: Bounds = new Map()
  for (const hit of hits) {
    if (hit.outcome === 'refused') continue
    const all = [...new Set(labels(hit))]
    for (const label of all) {
      const count = counts.get(label) ?? { least: 0, most: 0 }
      counts.set(label, count)
      count.most++
      if (hit.outcome === 'ok' && all.length === 1) count.least++
    }
  }
  return counts
}

type Row = { dimensions: string[]; metrics: number[] }

const query = async (server: Counter, site: string, body: Record<string, unknown>): Promise<Row[]> => {
  const answer = await server.get('POST', '/api/v2/query', { site_id: site, date_range: 'all', include: { bots: true }, ...body })
  expect(answer.meta.incomplete_since ?? null).toBeNull()
  expect(answer.meta.exact ?? true).toBe(true)
  return answer.results
}

/** Every count lies where it must: between what is certain and what is possible, and nothing is counted that was never sent. */
const compare = (what: string, rows: readonly Row[], expected: Bounds): void => {
  const got = new Map(rows.map(({ dimensions, metrics }) => [dimensions[0] ?? '', metrics[0]!]))
  const wrong: string[] = []
  for (const [label, { least, most }] of expected) {
    const count = got.get(label) ?? 0
    if (count < least || count > most) wrong.push(`${label}: ${count} counted, ${least === most ? least : `${least} to ${most}`} sent`)
  }
  for (const [label, count] of got) if (count > 0 && !expected.has(label)) wrong.push(`${label}: ${count} counted, none sent`)
  expect(wrong, what).toEqual([])
}

const isEvent = ({ name }: Hit): boolean => name !== 'engagement'
const isPageview = ({ name }: Hit): boolean => name === 'pageview'
const minutes = ({ first, last }: Hit): string[] =>
  [first, last].map((t) => `${new Date(t).toISOString().slice(0, 16).replace('T', ' ')}:00`)
const days = ({ first, last, visitor }: Hit): string[] => [first, last].map((t) => `${new Date(t).toISOString().slice(0, 10)} ${visitor}`)

const distinct = (counts: Bounds): { least: number; most: number } => ({
  least: [...counts.values()].filter(({ least }) => least > 0).length,
  most: counts.size,
})

/** The server's ledger of the site against ours. Waits until all is counted. */
const compareLedger = async (server: Counter, { site, hits }: Fold): Promise<void> => {
  const ledger = await server.settled(site)
  const sums = sumsOf(ledger)
  const ok = [...hits.values()].filter(({ outcome }) => outcome === 'ok').length
  const unknown = [...hits.values()].filter(({ outcome }) => outcome === 'unknown').length
  expect(ledger.balanced, `the ledger of ${site} is balanced`).toBe(true)
  expect([sums.dead, sums.lost], `dead and lost of ${site}`).toEqual([0, 0])
  expect(sums.counted, `hits of ${site} that are lost`).toBeGreaterThanOrEqual(ok)
  expect(sums.counted, `hits of ${site} that are doubled or invented`).toBeLessThanOrEqual(ok + unknown)
}

const compareVisitors = async (server: Counter, { site, hits }: Fold, cookieless: boolean): Promise<void> => {
  const events = [...hits.values()].filter(isEvent)
  const name = cookieless ? days : ({ visitor }: Hit) => [visitor]
  for (const [bots, seen] of [
    [true, events],
    [false, events.filter(({ robot }) => !robot)],
  ] as const) {
    const rows = await query(server, site, { metrics: ['visitors'], include: { bots } })
    const { least, most } = distinct(bounds(seen, name))
    expect(rows[0]!.metrics[0], `visitors of ${site}`).toBeGreaterThanOrEqual(least)
    // Of an hour around midnight a visitor without cookies may be two.
    expect(rows[0]!.metrics[0], `visitors of ${site}`).toBeLessThanOrEqual(most)
  }
}

/** Loss, doubles and inventions, by page: what must hold after every crash, whatever is still unknown. */
export const expectNothingLost = async (server: Counter, fold: Fold): Promise<void> => {
  await compareLedger(server, fold)
  const rows = await query(server, fold.site, { metrics: ['pageviews'], dimensions: ['event:page'] })
  compare(
    `pages of ${fold.site}`,
    rows,
    bounds([...fold.hits.values()].filter(isPageview), ({ page }) => [page!]),
  )
}

/** All of it: per page, name and minute, with and without robots, and the visitors. Nothing may be unknown any more. */
export const expectEqual = async (server: Counter, fold: Fold, cookieless = false): Promise<void> => {
  const { site } = fold
  const hits = [...fold.hits.values()]
  expect(hits.filter(({ outcome }) => outcome === 'unknown')).toEqual([])
  await expectNothingLost(server, fold)
  const events = hits.filter(isEvent)
  const people = hits.filter(({ robot }) => !robot)
  const times = hits.flatMap(({ first, last }) => [first, last])
  const iso = (t: number) => new Date(t).toISOString()
  const range = [iso(Math.min(...times) - 60_000), iso(Math.max(...times) + 60_000)]

  const whole = await query(server, site, { metrics: ['events', 'pageviews'] })
  expect(whole[0]!.metrics, site).toEqual(
    [events, hits.filter(isPageview)].map((list) => list.filter(({ outcome }) => outcome === 'ok').length),
  )
  const names = await query(server, site, { metrics: ['events'], dimensions: ['event:name'] })
  compare(
    `names of ${site}`,
    names,
    bounds(events, ({ name }) => [name]),
  )
  const human = await query(server, site, { metrics: ['pageviews'], dimensions: ['event:page'], include: { bots: false } })
  compare(
    `people's pages of ${site}`,
    human,
    bounds(people.filter(isPageview), ({ page }) => [page!]),
  )
  const perMinute = await query(server, site, { metrics: ['events'], dimensions: ['time:minute'], date_range: range })
  compare(`minutes of ${site}`, perMinute, bounds(events, minutes))
  expect(
    perMinute.reduce((sum, { metrics }) => sum + metrics[0]!, 0),
    `minutes of ${site} add up`,
  ).toBe(whole[0]!.metrics[0])
  await compareVisitors(server, fold, cookieless)
}

/** An answer is given up within this time after the process that owed it was killed. */
const fallMs = 2_000

/** A load that tested something: kills left outcomes unknown, and as long as the process lived nearly all were ok. */
export const expectTested = (folds: readonly Fold[], kills: readonly number[]): void => {
  const lines = folds.reduce((sum, fold) => sum + fold.lines, 0)
  const unknown = folds.flatMap(({ unknownAt }) => unknownAt)
  const byItself = unknown.filter((at) => !kills.some((kill) => at >= kill - 5 && at <= kill + fallMs))
  expect(unknown.length, 'no outcome was unknown: this run has tested nothing').toBeGreaterThan(0)
  expect(byItself.length / lines, 'more than 5 % unknown before the kills: this run has tested nothing').toBeLessThan(0.05)
  expect(lines - unknown.length, 'hardly anything was answered: this run has tested nothing').toBeGreaterThan(1_000)
}

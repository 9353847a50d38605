import { expect, test } from 'vitest'
import { compileFilters, createWork, parseFilters } from '#shared/query/filters.ts'
import { createFold } from '#shared/query/fold.ts'
import { queryLimits } from '#shared/query/limits.ts'
import { createMerge, type Hit, type Visit } from '#shared/query/merge.ts'
import { needsOf } from '#shared/query/metrics.ts'
import type { MetricName } from '#shared/query/names.ts'
import { createRooms, endless, type Room } from '#shared/query/room.ts'
import { calendarOf } from '#shared/site/zone.ts'
import { aSite, blocksOf } from './world.ts'

/** What keeps one question from taking thread and heap from all others. */

const columns = { visit: [], hit: ['event:page'], paths: false }
const hitOf = (page: string): Hit => ({ t: 1, kind: 0, vis: 'a', v: [page], path: undefined, fg: 0, sd: undefined, rev: undefined })
const visitOf = (pages: readonly string[]): Visit => ({
  start: 1,
  last: 1,
  pv: 1,
  ev: 1,
  fg: 0,
  exit: undefined,
  exitT: undefined,
  new: undefined,
  day: 20260310,
  vis: 'a',
  flagged: false,
  v: [],
  hits: pages.map(hitOf),
})
const foldOf = ({
  dimensions = ['event:page'],
  goals = [] as string[],
  metrics = ['visitors'] as MetricName[],
  keep = undefined as Set<string> | undefined,
  mostGroups = 1e9,
  filters = [] as unknown[],
  room = endless as Room,
}) => {
  const work = createWork()
  return createFold({
    dimensions,
    goals: goals.map((name) => ({ name, test: () => true, scroll: name === 'Depth' })),
    columns,
    test: compileFilters(parseFilters(filters), () => 0, [], work),
    buckets: undefined,
    range: { from: 0, to: 10 },
    needs: needsOf(metrics),
    bots: false,
    bounce: 'engaged',
    keep,
    work,
    room,
    mostGroups,
  })
}
const stepsOf = (steps: Iterator<void, void>): number => {
  let count = 0
  while (!steps.next().done) count++
  return count
}

test('more groups than there may be are refused while they come to be', () => {
  const fold = foldOf({ mostGroups: 3 })
  stepsOf(fold.add(visitOf(['/a', '/b', '/c', '/a'])))
  expect(() => stepsOf(fold.add(visitOf(['/a', '/d'])))).toThrow('dimensions: they make more than 3 groups')
})

test('a hit that meets several goals is in the tail once', () => {
  const fold = foldOf({ dimensions: ['event:goal'], goals: ['A', 'B', 'C'], keep: new Set(['B']) })
  stepsOf(fold.add(visitOf(['/a', '/b'])))
  const { groups, tails } = fold.done()
  expect([...groups.values(), ...tails].map(({ values, events, visits }) => [...values, events, visits])).toEqual([
    ['B', 2, 1],
    ['(other)', 2, 1],
  ])
})

test('an update in the tail counts as what it is in any of its rows', () => {
  const fold = foldOf({ dimensions: ['event:goal'], goals: ['Page', 'Depth'], keep: new Set(), metrics: ['visitors', 'scroll_depth'] })
  stepsOf(fold.add({ ...visitOf([]), hits: [{ ...hitOf('/a'), kind: 2, path: '/a', sd: 80 }] }))
  expect(fold.done().tails.map(({ visits, visitors, events, scrollSum }) => [visits, visitors?.size, events, scrollSum])).toEqual([
    [1, 1, 0, 80],
  ])
})

test('one visit with many hits is counted in steps', () => {
  const pages = Array.from({ length: 20_000 }, () => '/')
  expect(stepsOf(foldOf({}).add(visitOf(pages)))).toBe((pages.length * 100) / queryLimits.sliceWork)
  expect(stepsOf(foldOf({}).add(visitOf(['/'])))).toBe(0)
})

test('what a filter looks at is work; what it has looked at is known', () => {
  const values = Array.from({ length: 1_000 }, (_, i) => `no-${i}`)
  const filters = [['contains', 'event:page', values, { case_sensitive: false }]]
  const pages = Array.from({ length: 100 }, (_, i) => `/${i}/${'x'.repeat(1_990)}`)
  const fold = foldOf({ filters })
  const first = stepsOf(fold.add(visitOf(pages)))
  expect(first).toBeGreaterThanOrEqual(99)
  expect(stepsOf(fold.add(visitOf(pages)))).toBeLessThanOrEqual(1)
})

test('known answers take so much memory and no more, and stay right', () => {
  const work = { ...createWork(), memory: 100 }
  const passes = compileFilters(parseFilters([['contains', 'event:page', ['b']]]), () => 0, [], work)
  const asked = ['/b', '/a', '/b2', '/a2', '/b', '/a2', '/b2']
  const answers = (): boolean[] => asked.map((page) => passes({ v: [] }, hitOf(page)))
  expect(answers()).toEqual([true, false, true, false, true, false, true])
  expect(work.memory).toBeLessThanOrEqual(0)
  const { spent } = work
  expect(answers()).toEqual([true, false, true, false, true, false, true])
  expect(work.spent - spent).toBeGreaterThan(asked.length * 100)
})

test('rooms: alone too large is refused, beside others it is told to come again, and all is given back', () => {
  const rooms = createRooms(1_000)
  const one = rooms.open()
  one.take(700)
  const other = rooms.open()
  expect(() => other.take(400)).toThrow('overloaded')
  other.close()
  expect(() => one.take(400)).toThrow('query: it needs more than the 0 MB')
  one.close()
  const last = rooms.open()
  last.take(1_000)
  last.give(1_000)
  last.take(1_000)
})

test('a merge holds of a day what it keeps of it, and gives it back', () => {
  const site = aSite()
  const held = { now: 0, most: 0 }
  const room: Room = {
    take: (bytes) => {
      held.now += bytes
      held.most = Math.max(held.most, held.now)
    },
    give: (bytes) => {
      held.now -= bytes
    },
  }
  const days = ['2026-03-10', '2026-03-11', '2026-03-12'].flatMap((day) => [{ at: `${day}T08:00:00Z`, hits: [{}, { after: 60 }] }])
  const blocks = blocksOf(site, [...days, { at: '2026-03-11T22:50:00Z', hits: [{}, { after: 1200 }] }])
  const merge = createMerge({ ...columns, paths: true }, { from: 0, to: Number.MAX_SAFE_INTEGER }, calendarOf(site.zones), room)
  const after: number[] = []
  for (const day of blocks.keys()) {
    for (const block of blocks.get(day)!) merge.take(block, 1e9)
    merge.day()
    after.push(held.now)
  }
  expect(after[0]).toBeGreaterThan(0)
  expect(after[2]! - after[0]!).toBeGreaterThan(0) // the visit on two days
  merge.rest()
  merge.end()
  expect(held.now).toBe(0)
  expect(held.most).toBeLessThan(10_000)
})

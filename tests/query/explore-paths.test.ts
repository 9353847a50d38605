import { describe, expect, it, test } from 'vitest'
import { answerPaths, type PathTree } from '#shared/query/explore/ask-paths.ts'
import { parsePaths } from '#shared/query/explore/requests.ts'
import { createRandom } from '../model/random.ts'
import {
  askedOf,
  groupsOf,
  nights,
  type PlainHit,
  perCent,
  plainFilters,
  plainHits,
  randomVisits,
  refusalOf,
  type World,
  zones,
} from './exploring.ts'
import { type AVisit, aSite } from './world.ts'

const base = { site_id: 'example.com', date_range: 'all', direction: 'next', steps: 3, by: 'page' }
const ask = (request: Record<string, unknown>, visits: readonly AVisit[], world: World = {}) =>
  answerPaths(parsePaths({ ...base, ...request }), askedOf(visits, world))

/** `value visits/ends [children]`, to be read at a glance. */
const brief = (node: PathTree): string => {
  const children = node.children ? ` [${node.children.map(brief).join(', ')}]` : ''
  return `${node.other ? '*' : ''}${node.value} ${node.visits}/${'exits' in node ? node.exits : node.entries}${children}`
}
const tree = async (...asked: Parameters<typeof ask>): Promise<string> => brief((await ask(...asked)).tree)

let minute = 0
/** A visit of pages, or of `!events`, a second each. */
const walk = (text: string, fields: Partial<AVisit> = {}): AVisit => ({
  at: new Date(Date.parse('2026-03-10T10:00:00Z') + minute++ * 60_000).toISOString(),
  who: 'w',
  hits: text.split(' ').map((step, after) => (step.startsWith('!') ? { after, n: step.slice(1) } : { after, path: step })),
  ...fields,
})

describe('paths of visits', () => {
  const visits = [walk('/a /b /c /d'), walk('/a /b'), walk('/a /c /b /a'), walk('/b'), walk('/a /b /d')]

  it('from the first page on, level by level, with where they end', async () => {
    const answer = await ask({}, visits)
    expect(brief(answer.tree)).toBe('null 5/0 [/a 4/0 [/b 3/1 [/c 1/0, /d 1/1], /c 1/0 [/b 1/0]], /b 1/1]')
    expect(answer.tree.children![0]).toMatchObject({ value: '/a', visits: 4, share: 80, exits: 0 })
    expect(answer.levels).toEqual([
      { level: 1, visits: 5, exits: 1 },
      { level: 2, visits: 4, exits: 1 },
      { level: 3, visits: 3, exits: 1 },
    ])
    expect(answer.query).toMatchObject({ direction: 'next', steps: 3, limit: 5, by: 'page', filters: [], include: { bots: false } })
    expect(answer.meta).toEqual({ exact: true, sampled: 1, imports_included: false })
  })

  it('after the first time at a page; before the last time at one', async () => {
    expect(await tree({ from: { page: '/b' } }, visits)).toBe('/b 5/2 [/a 1/1, /c 1/0 [/d 1/1], /d 1/1]')
    expect(await tree({ direction: 'previous', to: { page: '/b' }, steps: 2 }, visits)).toBe('/b 5/1 [/a 3/3, /c 1/0 [/a 1/1]]')
    expect(await tree({ direction: 'previous', to: { page: '/a' }, steps: 1 }, visits)).toBe('/a 4/3 [/b 1/0]')
    expect(await tree({ direction: 'previous', steps: 1 }, visits)).toBe('null 5/0 [/b 2/1, /d 2/0, /a 1/0]')
  })

  it('what is the same several times in a row is one step, the anchor too', async () => {
    const again = [walk('/a /a !x /a /b /b /a')]
    expect(await tree({}, again)).toBe('null 1/0 [/a 1/0 [/b 1/0 [/a 1/1]]]')
    expect(await tree({ from: { page: '/a' } }, again)).toBe('/a 1/0 [/b 1/0 [/a 1/1]]')
    expect(await tree({ by: 'event' }, again)).toBe('null 1/0 [pageview 1/0 [x 1/0 [pageview 1/1]]]')
  })

  it('pages around an event, events around a page', async () => {
    const bought = [walk('/shop !buy /thanks /'), walk('/shop !buy'), walk('!buy /shop !buy /bye'), walk('/shop')]
    expect(await tree({ from: { event: 'buy' } }, bought)).toBe('buy 3/1 [/shop 1/0 [/bye 1/1], /thanks 1/0 [/ 1/1]]')
    expect(await tree({ direction: 'previous', to: { event: 'buy' } }, bought)).toBe('buy 3/0 [/shop 3/3]')
    expect(await tree({ from: { page: '/shop' }, by: 'event' }, bought)).toBe('/shop 4/1 [buy 3/1 [pageview 2/2]]')
    expect(await tree({ from: { event: 'none' } }, bought)).toBe('none 0/0')
  })

  it('the most visited nodes of a level, the rest by parent and not followed', async () => {
    const many = [...visits, walk('/x /b /c'), walk('/y'), walk('/b /x')]
    expect(await tree({ limit: 2 }, many)).toBe(
      'null 8/0 [/a 4/0 [/b 3/1 [/c 1/0, *(other) 1/1], /c 1/0 [/b 1/0]], /b 2/1 [*(other) 1/1], *(other) 2/1]',
    )
    const answer = await ask({ limit: 1 }, many)
    expect(brief(answer.tree)).toBe('null 8/0 [/a 4/0 [/b 3/1 [/c 1/0, *(other) 1/1], *(other) 1/0], *(other) 4/2]')
    expect(answer.levels.map(({ visits }) => visits)).toEqual([8, 6, 4])
  })

  it('filters choose visits; bots only where they are asked for; engagement is no step', async () => {
    const some = [walk('/a /b', { src: 'mail' }), walk('/a /c'), walk('/a /b', { bot: 'agent' }), walk('/a !engagement /b')]
    expect(await tree({ steps: 2 }, some)).toBe('null 3/0 [/a 3/0 [/b 2/2, /c 1/1]]')
    expect(await tree({ steps: 2, filters: [['is', 'event:page', ['/b']]] }, some)).toBe('null 2/0 [/a 2/0 [/b 2/2]]')
    expect(await tree({ steps: 2, filters: [['is', 'visit:source', ['mail']]] }, some)).toBe('null 1/0 [/a 1/0 [/b 1/1]]')
    expect(await tree({ steps: 2, include: { bots: true } }, some)).toBe('null 4/0 [/a 4/0 [/b 3/3, /c 1/1]]')
    expect(await tree({ by: 'event' }, [walk('/a !engagement')])).toBe('null 1/0 [pageview 1/1]')
  })

  it('a page that is called (other) is a page, and hits of one millisecond stay in the order in which they came', async () => {
    expect(await tree({}, [walk('(other)')])).toBe('null 1/0 [(other) 1/1]')
    const same = { at: '2026-03-10T10:00:00Z', who: 'w', hits: [{ path: '/z' }, { path: '/a' }, { path: '/m' }] }
    expect(await tree({}, [same])).toBe('null 1/0 [/z 1/0 [/a 1/0 [/m 1/1]]]')
    expect(await tree({ direction: 'previous' }, [same])).toBe('null 1/0 [/m 1/0 [/a 1/0 [/z 1/1]]]')
  })

  it('only what lies in the range is a path, over midnight too', async () => {
    const over = [
      {
        at: '2026-03-10T22:50:00Z',
        who: 'w',
        whoNext: 'x',
        hits: [{ path: '/a' }, { after: 300, path: '/b' }, { after: 900, path: '/c' }],
      },
    ]
    const site = aSite({ identity: 'cookieless' })
    const answer = await ask({}, over, { site })
    expect(brief(answer.tree)).toBe('null 1/0 [/a 1/0 [/b 1/0 [/c 1/1]]]')
    expect(answer.meta).not.toHaveProperty('metric_warnings')
    expect(await tree({ date_range: ['2026-03-11', '2026-03-11'] }, over)).toBe('null 1/0 [/c 1/1]')
  })
})

describe('a recount of random visits agrees', () => {
  type Node = { path: string[]; visits: number; ends: number; other: boolean }

  /** The paths as texts, each as long as it goes. */
  const pathsOf = (
    hits: PlainHit[],
    backwards: boolean,
    isAnchor: ((hit: PlainHit) => boolean) | undefined,
    by: 'page' | 'event',
  ): string[] | undefined => {
    const sorted = [...hits].sort((a, b) => a.t - b.t || a.n - b.n)
    if (backwards) sorted.reverse()
    const at = isAnchor ? sorted.findIndex(isAnchor) : 0
    if (at < 0) return undefined
    const textOf = (hit: PlainHit): string | undefined => (by === 'event' ? hit.name : hit.name === 'pageview' ? hit.page : undefined)
    const texts = sorted
      .slice(at)
      .map(textOf)
      .map((text, i) => (text === undefined && isAnchor && i === 0 ? '' : text))
      .filter((text) => text !== undefined)
    if (texts.length === 0) return undefined
    const once = texts.filter((text, i) => text !== texts[i - 1])
    return isAnchor ? once.slice(1) : once
  }

  const nodesOf = (paths: string[][], steps: number, limit: number): Node[] => {
    const nodes: Node[] = []
    let parents = [JSON.stringify([])]
    for (let level = 1; level <= steps; level++) {
      const here = paths.filter((path) => path.length >= level && parents.includes(JSON.stringify(path.slice(0, level - 1))))
      const order = parents
      const found = [...groupsOf(here, (path) => JSON.stringify(path.slice(0, level)))].map(([key, of]) => ({
        ...{ key, path: JSON.parse(key) as string[], visits: of.length, ends: of.filter((path) => path.length === level).length },
        parent: order.indexOf(JSON.stringify(JSON.parse(key).slice(0, -1))),
      }))
      found.sort(
        (a, b) => b.visits - a.visits || (a.path.at(-1)! < b.path.at(-1)! ? -1 : a.path.at(-1)! > b.path.at(-1)! ? 1 : a.parent - b.parent),
      )
      for (const { path, visits, ends } of found.slice(0, limit)) nodes.push({ path, visits, ends, other: false })
      for (const rest of groupsOf(found.slice(limit), ({ parent }) => String(parent)).values()) {
        const sum = (read: (node: (typeof rest)[number]) => number) => rest.reduce((total, node) => total + read(node), 0)
        nodes.push({
          path: [...rest[0]!.path.slice(0, -1), '(other)'],
          visits: sum(({ visits }) => visits),
          ends: sum(({ ends }) => ends),
          other: true,
        })
      }
      parents = found.slice(0, limit).map(({ key }) => key)
    }
    return nodes
  }

  const flat = (node: PathTree, path: string[] = []): (Node & { share: number | null })[] =>
    (node.children ?? []).flatMap((child) => {
      const own = [...path, child.value!]
      const ends = 'exits' in child ? child.exits : child.entries
      return [{ path: own, visits: child.visits, ends, other: child.other ?? false, share: child.share }, ...flat(child, own)]
    })
  const byPath = (a: Node, b: Node) => (JSON.stringify([a.path, a.other]) < JSON.stringify([b.path, b.other]) ? -1 : 1)

  it.each(Array.from({ length: 60 }, (_, seed) => seed))('seed %i', async (seed) => {
    const random = createRandom(seed)
    const night = Date.parse(random.pick(nights))
    const tz = random.pick(zones)
    const visits = randomVisits(random, night)
    for (let n = 0; n < 5; n++) {
      const bots = random.chance(0.3)
      const by = random.pick(['page', 'event'] as const)
      const direction = random.pick(['next', 'previous'] as const)
      const steps = 1 + random.below(5)
      const limit = 1 + random.below(4)
      const filters = random.chance(0.5) ? [] : [random.pick(plainFilters)]
      const anchor = random.pick([undefined, { page: '/a' }, { event: 'signup' }, { event: 'pageview' }])
      const from = night - 40 * 3_600_000
      const to = night + random.pick([1, 40]) * 3_600_000

      const all = plainHits(visits, tz, bots, from, to)
      const isAnchor =
        anchor && ((hit: PlainHit) => ('page' in anchor ? hit.name === 'pageview' && hit.page === anchor.page : hit.name === anchor.event))
      const paths = [...groupsOf(all, ({ visit }) => String(visits.indexOf(visit))).values()]
        .filter((hits) => hits.some((hit) => filters.every((filter) => filter.passes(hit, all))))
        .map((hits) => pathsOf(hits, direction === 'previous', isAnchor, by))
        .filter((path) => path !== undefined)
      const request = {
        date_range: [from, to - 1_000].map((t) => new Date(t).toISOString().replace('.000', '')),
        filters: filters.map(({ json }) => json),
        ...{ direction, steps, limit, by, include: { bots } },
        ...(anchor ? { [direction === 'next' ? 'from' : 'to']: anchor } : {}),
      }
      const answer = await ask(request, visits, {
        site: aSite({ zones: [{ tz, from: 0 }] }),
        now: new Date(night + 90 * 3_600_000).toISOString(),
      })
      const expected = nodesOf(paths, steps, limit).map((node) => ({ ...node, share: perCent(node.visits, paths.length) }))
      expect(flat(answer.tree).sort(byPath)).toEqual(expected.sort(byPath))
      expect(answer.tree.visits).toBe(paths.length)
      const end = direction === 'next' ? 'exits' : 'entries'
      expect(answer.tree).toMatchObject({ [end]: paths.filter(({ length }) => length === 0).length })
      const levels = Array.from({ length: steps }, (_, i) => ({
        level: i + 1,
        visits: paths.filter(({ length }) => length > i).length,
        [end]: paths.filter(({ length }) => length === i + 1).length,
      }))
      expect(answer.levels).toEqual(levels.filter(({ visits }) => visits > 0))
    }
  })
})

test('what is wrong is named, with what was expected', () => {
  const refused = (body: object) => refusalOf(parsePaths, { ...base, ...body })
  expect(refused({ steps: 11 })).toContain('steps: expected a whole number from 1 to 10')
  expect(refused({ limit: 0 })).toContain('limit: expected a whole number from 1 to 50')
  expect(refused({ direction: 'up' })).toContain('direction: expected "next" or "previous"')
  expect(refused({ by: 'title' })).toContain('by: expected "page" or "event"')
  expect(refused({ to: { page: '/' } })).toContain('to: direction "next" begins at "from"')
  expect(refused({ direction: 'previous', from: { page: '/' } })).toContain('from: direction "previous" begins at "to"')
  expect(refused({ from: {} })).toContain('from: expected {"page": …} or {"event": …}')
  expect(refused({ from: { page: '/', event: 'x' } })).toContain('from: expected {"page": …} or {"event": …}')
  expect(refused({ from: { pag: '/' } })).toContain('from: there is no field "pag". Near: page')
  expect(refused({ from: { page: '' } })).toContain('from.page: expected text')
  expect(refused({ depth: 3 })).toContain('query: there is no field "depth"')
})

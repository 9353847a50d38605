import type { Clock } from '../../clock.ts'
import type { BlockPage, HotInterval, Memtables, MinuteSums, RollupChange, RollupFence } from '../../ports/memtables.ts'
import type { Block } from '../../segment/row.ts'
import type { Connection } from './connection.ts'
import { blockKeys, blockOf, fenceKey, fenceOf, nameOf, prefixOf, recordKeys, recordOf, tagOf } from './records.ts'
import { fieldOf, fieldsOf, listOf, numberAt, numberOf, stringAt, textsOf, tuplesOf } from './replies.ts'
import { recordScript, run, type States, script } from './scripts.ts'

/** memtables on Redis: row blocks by site and day in offset order, and the realtime aggregates. */

const init = script('init')
const commit = recordScript('commit-rows')
const read = script('read-rows')
const daysOf = script('days')
const live = script('live')
const trimLive = script('trim-live')
const forget = script('forget-rows')

/** Text of the blocks of one page: what a script may gather without keeping others waiting for long. */
const pageCharacters = 4_000_000

const fenceFields = (f: RollupFence) => ['gen', f.gen, 'topic', f.topic, 'next', f.next, 'src', f.src, 'logTime', f.logTime]

type Args = (string | number)[]

const blockArgs = ({ from, to, rows, body }: Block): Args => [from, to, rows, Buffer.byteLength(body), body.length, body]

/** Blocks by site and day, each with the base that the change knows of it. */
const groupArgs = ({ blocks, bases }: RollupChange): Args[] =>
  [...Map.groupBy(blocks, ({ site, day }) => nameOf(site, day)).values()].map((group) => {
    const { site, day } = group[0]!
    const base = bases.find((one) => one.site === site && one.day === day)?.base ?? ''
    return [site, day, base, group.length, ...group.flatMap(blockArgs)]
  })

/** The change behind its lengths, as the script reads it. */
const changeArgs = (change: RollupChange): Args => {
  const skipped = (change.skipped ?? []).flatMap(({ site, day, base }): Args => [nameOf(site, day), base])
  const groups = groupArgs(change)
  const minutes = change.minutes.flatMap((m): Args => [m.site, m.minute, m.pageviews, m.events, m.visits])
  const sites = [...Map.groupBy(change.seen, ({ site }) => site).values()]
  const seen = sites.flatMap((list): Args => [list[0]!.site, list.length, ...list.flatMap(({ t, vis }) => [t, vis])])
  return [skipped.length / 2, ...skipped, groups.length, ...groups.flat(), change.minutes.length, ...minutes, sites.length, ...seen]
}

/** Every key a change writes. */
const changeKeys = (prefix: string, { blocks, minutes, seen }: RollupChange): string[] => [
  ...new Set([
    ...recordKeys(prefix),
    ...blocks.flatMap(({ site, day }) => blockKeys(prefix, site, day)),
    ...minutes.map(({ site }) => `${prefix}min:${site}`),
    ...seen.map(({ site }) => `${prefix}rt:${site}`),
    ...(minutes.length + seen.length > 0 ? [`${prefix}live`] : []),
  ]),
]

/** Intervals of a site's days: sealed copies, then the memtable, which goes up to the fence. */
const intervalsOf = (fence: RollupFence, site: string, records: readonly string[][]): HotInterval[] =>
  records.flatMap(([name, packed]) => {
    const { day, base, rows, copies } = recordOf(nameOf(site, numberOf(name!)), packed!)
    const intervals = copies.map((copy) => ({ day, from: copy.from, to: copy.to, rows: copy.rows }))
    if (rows > 0) intervals.push({ day, from: base, to: fence.next, rows })
    return intervals.sort((a, b) => a.from - b.from)
  })

export const createMemtables = (connection: Connection, states: States, clock: Pick<Clock, 'random'>): Memtables => {
  const fenceLearnt = (partition: number, reply: unknown): RollupFence | undefined => {
    const fields = fieldsOf(reply)
    if (fields.size === 0) return undefined
    states.learn(partition, fieldOf(fields, 'state'))
    return fenceOf(fields)
  }

  return {
    fence: async (partition) => fenceLearnt(partition, pairsOf(await connection.send('HGETALL', [fenceKey(partition)]))),
    async init(partition, f, instead) {
      const replaced = instead ? [instead.gen, instead.next, instead.src] : ['', '', '']
      // A name that was never used, so that nothing of an older state is read again, whatever a crash has set back.
      const args = [clock.random(8).toString('hex'), 'src', ...replaced, ...fenceFields(f)]
      const stands = fenceLearnt(partition, await run(connection, init, [fenceKey(partition), `${tagOf(partition)}old`], args))
      if (!stands) throw new TypeError('Redis has no fence after one was written.')
      return stands
    },
    async commit(partition, was, now, change) {
      const rest = [now.gen, now.topic, now.next, now.src, now.logTime, ...changeArgs(change)]
      const [answer] = await states.within(partition, (state) =>
        run(
          connection,
          commit,
          [fenceKey(partition), ...changeKeys(prefixOf(partition, state), change)],
          [was.gen, was.next, was.src, state, ...rest],
        ),
      )
      return answer === 'done' ? 'done' : 'stale'
    },
    async read(partition, site, fromDay, toDay, { after = { from: -1, day: 0 }, characters = pageCharacters } = {}): Promise<BlockPage> {
      const args = [site, fromDay, toDay, after.from, after.day, characters]
      const [fields, records, found, more] = listOf(await run(connection, read, [fenceKey(partition)], args))
      const fence = fenceLearnt(partition, fields)
      const blocks = tuplesOf(found, 3).map(([day, place, body]) => blockOf(site, numberOf(day!), place!, body!))
      const next = textsOf(more)
      return {
        fence,
        intervals: fence ? intervalsOf(fence, site, tuplesOf(records, 2)) : [],
        blocks,
        ...(next.length > 0 && { next: { from: numberAt(next, 0), day: numberAt(next, 1) } }),
      }
    },
    async days(partition, site) {
      const days = textsOf(await run(connection, daysOf, [fenceKey(partition)], [site]))
      return days.length === 0 ? undefined : { first: numberAt(days, 0), last: numberAt(days, 1) }
    },
    async live(partition, site, since) {
      const [visitors, held] = listOf(await run(connection, live, [fenceKey(partition)], [site, since]))
      const minutes = tuplesOf(held, 2).map(([minute, sums]): Omit<MinuteSums, 'site'> => {
        const parts = stringAt([sums!], 0).split(' ')
        return { minute: numberOf(minute!), pageviews: numberAt(parts, 0), events: numberAt(parts, 1), visits: numberAt(parts, 2) }
      })
      return {
        visitors: numberOf(String(visitors)),
        minutes: minutes.filter(({ minute }) => minute >= since).sort((a, b) => a.minute - b.minute),
      }
    },
    async trimLive(partition, before) {
      let cursor = '0'
      do cursor = String(await run(connection, trimLive, [fenceKey(partition)], [before, cursor]))
      while (cursor !== '0')
      await run(connection, forget, [fenceKey(partition), `${tagOf(partition)}old`], [])
    },
  }
}

/** A hash is answered to the driver itself as an object, within scripts as a list. */
const pairsOf = (reply: unknown): unknown => (Array.isArray(reply) ? reply : Object.entries(reply ?? {}).flat())

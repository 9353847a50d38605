import type { Clock } from '../../clock.ts'
import type { EnrichChange, EnrichFence, HeldSession, Sessions } from '../../ports/sessions.ts'
import type { Connection } from './connection.ts'
import { fieldOf, fieldsOf, listOf, maybeTextsOf, numberAt, numberOf } from './replies.ts'
import { createStates, run, script } from './scripts.ts'

/**
 * sessions on Redis. Keys of partition 17, where 3f… names the state that stands:
 *   {e17}:f               fence and name of the state
 *   {e17}:3f…:s:<bucket>  `site key` → `lt state`, the sessions
 *   {e17}:3f…:i:<bucket>  `site id` → lt, the hit ids
 *   {e17}:3f…:c           `site source` → line, the imports
 *   {e17}:old             states that were given up and are not yet deleted
 * Redis packs small hashes: an id takes 45 bytes in place of the 90 in one large hash (measured). A state is forgotten by naming another one, in the
 * write of the fence; a sweep deletes what is left of it.
 */
const buckets = 4_096

const init = script('init')
const load = script('load-sessions')
const commit = script('commit-sessions')
const sweep = script('sweep-sessions')
const forget = script('forget-sessions')

const tagOf = (partition: number): string => `{e${partition}}:`

/** Which bucket a name lies in (FNV-1a). What is stored depends on it: it must never change. */
const bucketOf = (name: string): number => {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return ((hash ^ (hash >>> 15)) >>> 0) % buckets
}

const fenceFields = (f: EnrichFence) => [f.gen, f.topic, f.next, f.ev, f.logTime, f.mode]

const fenceOf = (fields: ReadonlyMap<string, string>): EnrichFence => {
  const mode = fieldOf(fields, 'mode')
  if (mode !== '' && mode !== 'restore') throw new TypeError(`Redis holds the unknown mode ${mode}.`)
  const number = (name: string) => numberOf(fieldOf(fields, name))
  return { gen: number('gen'), topic: fieldOf(fields, 'topic'), next: number('next'), ev: number('ev'), logTime: number('logTime'), mode }
}

/** `lt state`: the log time stands first, where a sweep looks for it. */
const packSession = ({ lt, state }: HeldSession): string => `${lt} ${state}`
const unpackSession = (packed: string): HeldSession => {
  const at = packed.indexOf(' ')
  return { state: packed.slice(at + 1), lt: numberOf(packed.slice(0, at)) }
}

/** One field that is asked for; `place` is where its value belongs. */
type Asked = { bucket: string; field: string; place: number }

/** One field that is written, or dropped without a value. */
type Written = { bucket: string; field: string; value?: string | number }

const sessionAt = (field: string) => ({ bucket: `s:${bucketOf(field)}`, field })
const idAt = (field: string) => ({ bucket: `i:${bucketOf(field)}`, field })
const lineAt = (field: string) => ({ bucket: 'c', field })

const writtenOf = ({ sessions, dropped, ids, lines }: EnrichChange): Written[] => [
  ...dropped.map(({ site, key }) => sessionAt(`${site} ${key}`)),
  ...sessions.map(({ site, key, ...held }) => ({ ...sessionAt(`${site} ${key}`), value: packSession(held) })),
  ...ids.map(({ site, id, lt }) => ({ ...idAt(`${site} ${id}`), value: lt })),
  ...lines.map(({ site, source, line }) => ({ ...lineAt(`${site} ${source}`), value: line })),
]

const isDrop = ({ value }: Written): boolean => value === undefined

/** One kind of a partition's buckets that a sweep walks round. */
type Round = { kind: 's' | 'i'; before: number }

/** Buckets of one script of a sweep. */
const sweptAtOnce = 1_024
/** Keys of a state given up that one call deletes. */
const forgottenAtOnce = 512

export const createSessions = (connection: Connection, clock: Pick<Clock, 'random'>): Sessions => {
  const states = createStates()
  /** Where the sweep of a partition and kind goes on. It is no harm when a process begins anew. */
  const cursors = new Map<string, number>()
  /** How many keys of a state that was given up are deleted. */
  const forgotten = new Map<string, number>()

  const fieldsLearnt = (partition: number, reply: unknown): ReadonlyMap<string, string> | undefined => {
    const fields = fieldsOf(reply)
    if (fields.size === 0) return undefined
    states.learn(partition, fieldOf(fields, 'state'))
    return fields
  }

  const loadFields = async (partition: number, asked: readonly Omit<Asked, 'place'>[]) => {
    const placed = Map.groupBy(
      asked.map((one, place): Asked => ({ ...one, place })),
      ({ bucket }) => bucket,
    )
    const args = Array.from(placed, ([bucket, list]) => [bucket, list.length, ...list.map(({ field }) => field)]).flat()
    const [fence, found] = listOf(await run(connection, load, [`${tagOf(partition)}f`], args))
    const values = maybeTextsOf(found)
    const ordered = new Array<string | undefined>(asked.length).fill(undefined)
    for (const [i, { place }] of [...placed.values()].flat().entries()) ordered[place] = values[i]
    const fields = fieldsLearnt(partition, fence)
    return { fence: fields && fenceOf(fields), values: ordered }
  }

  /** Sweeps some buckets from the cursor on; answers how many it has done and looked at, `undefined` without a fence. */
  const sweepSome = async (partition: number, { kind, before }: Round, from: number, enough: number) => {
    const tag = tagOf(partition)
    const names = Array.from({ length: Math.min(sweptAtOnce, buckets - from) }, (_, i) => `${kind}:${from + i}`)
    const answer = await states.within(partition, (state) =>
      run(connection, sweep, [`${tag}f`, ...names.map((name) => `${tag}${state}:${name}`)], [state, before, enough]),
    )
    if (answer[0] === 'none') return undefined
    return { done: numberAt(answer, 1), looked: numberAt(answer, 2), dropped: numberAt(answer, 3) }
  }

  /** Goes on until enough fields were looked at, or once round. */
  const sweepRound = async (partition: number, round: Round, limit: number): Promise<number> => {
    const name = `${partition}${round.kind}`
    let [dropped, looked] = [0, 0]
    for (let walked = 0; walked < buckets && looked < limit; ) {
      const from = cursors.get(name) ?? 0
      const some = await sweepSome(partition, round, from, limit - looked)
      if (!some) break
      cursors.set(name, (from + some.done) % buckets)
      walked += some.done
      looked += some.looked
      dropped += some.dropped
    }
    return dropped
  }

  const keyOfState = (i: number): string => (i === 0 ? 'c' : `${i % 2 ? 's' : 'i'}:${(i - 1) >> 1}`)

  /** Deletes some keys of a state that was given up. A process that begins anew begins at the first of them. */
  const forgetSome = async (partition: number): Promise<void> => {
    const tag = tagOf(partition)
    const [state] = maybeTextsOf([await connection.send('SRANDMEMBER', [`${tag}old`])])
    if (state === undefined) return
    const from = forgotten.get(state) ?? 0
    const to = Math.min(from + forgottenAtOnce, 1 + 2 * buckets)
    const keys = Array.from({ length: to - from }, (_, i) => `${tag}${state}:${keyOfState(from + i)}`)
    const isLast = to === 1 + 2 * buckets
    await run(connection, forget, [`${tag}old`, ...keys], [state, isLast ? 'last' : ''])
    if (isLast) forgotten.delete(state)
    else forgotten.set(state, to)
  }

  const fence = async (partition: number) => (await loadFields(partition, [])).fence

  return {
    async load(partition, sessions, ids, sources) {
      const asked = [
        ...sessions.map(({ site, key }) => sessionAt(`${site} ${key}`)),
        ...ids.map(({ site, id }) => idAt(`${site} ${id}`)),
        ...sources.map(({ site, source }) => lineAt(`${site} ${source}`)),
      ]
      const { fence: stands, values } = await loadFields(partition, asked)
      const numbers = (list: (string | undefined)[]) => list.map((value) => (value === undefined ? undefined : numberOf(value)))
      const idsEnd = sessions.length + ids.length
      return {
        fence: stands,
        sessions: values.slice(0, sessions.length).map((packed) => (packed === undefined ? undefined : unpackSession(packed))),
        ids: numbers(values.slice(sessions.length, idsEnd)),
        lines: numbers(values.slice(idsEnd)),
      }
    },
    async init(partition, f, instead) {
      const [gen, topic, next, ev, logTime, mode] = fenceFields(f)
      const replaced = instead ? [instead.gen, instead.next, instead.ev] : ['', '', '']
      const fields = ['gen', gen!, 'topic', topic!, 'next', next!, 'ev', ev!, 'logTime', logTime!, 'mode', mode!]
      // A name that was never used, so that nothing of an older state is read again, whatever a crash has set back.
      const args = [clock.random(8).toString('hex'), 'ev', ...replaced, ...fields]
      const tag = tagOf(partition)
      const stands = fieldsLearnt(partition, await run(connection, init, [`${tag}f`, `${tag}old`], args))
      if (!stands) throw new TypeError('Redis has no fence after one was written.')
      return fenceOf(stands)
    },
    /**
     * The fence that stands. A crash or failover of Redis may leave an older one: then enrich goes back with it. That the log still has
     * what it needs is up to the log's retention: in the distributed mode nothing is trimmed because of this answer.
     */
    durable: fence,
    async commit(partition, was, now, change) {
      const tag = tagOf(partition)
      const gathered = [...Map.groupBy(writtenOf(change), ({ bucket }) => bucket)]
      const writes = gathered.map(([, list]) => {
        const dropped = list.filter(isDrop).map(({ field }) => field)
        const put = list.filter((one) => !isDrop(one)).map(({ field, value }) => [field, value ?? ''])
        return [dropped.length, ...dropped, put.length, ...put.flat()]
      })
      const [answer] = await states.within(partition, (state) =>
        run(
          connection,
          commit,
          [`${tag}f`, ...gathered.map(([bucket]) => `${tag}${state}:${bucket}`)],
          [was.gen, was.next, was.ev, state, ...fenceFields(now), ...writes.flat()],
        ),
      )
      return answer === 'done' ? 'done' : 'stale'
    },
    async sweep(partition, { sessionsBefore, idsBefore }, limit) {
      const ids = await sweepRound(partition, { kind: 'i', before: idsBefore }, limit)
      const sessions = await sweepRound(partition, { kind: 's', before: sessionsBefore }, limit)
      await forgetSome(partition)
      return ids + sessions
    },
  }
}

import type { Memtables } from '#shared/ports/memtables.ts'
import type { ReplayJob, ReplayOrder, Replays, VersionDay, Versions } from '#shared/ports/replays.ts'
import type { Segments } from '#shared/ports/segments.ts'
import { ordersBelow } from '#shared/rollup/replay.ts'
import { chainOf } from '#shared/segment/chain.ts'
import { addDays, isoDay } from '#shared/site/zone.ts'
import type { Attempts } from './attempts.ts'
import { failureName } from './remake.ts'

/**
 * Orders of replays: what is wanted of each is compared with how far it has come, and the next steps are done. Days are put into a version
 * once they are closed (remake.ts makes them); readers are led to it, or back, a day at a time. Each step may be repeated.
 */
export type ReplayPorts = { memtables: Pick<Memtables, 'read'>; segments: Segments; replays: Replays; versions: Versions }

const settled: Readonly<Record<ReplayOrder['wanted'], ReplayJob['state']>> = {
  made: 'ready',
  switched: 'switched',
  undone: 'undone',
  dropped: 'dropped',
}

const daysOf = ({ from, to }: ReplayOrder): number[] => {
  const days: number[] = []
  for (let day = from; day <= to; day = addDays(day, 1)) days.push(day)
  return days
}

const isMade = ({ made, due }: VersionDay): boolean => made >= due

const isSame = (a: ReplayJob, b: ReplayJob): boolean =>
  a.state === b.state && a.done === b.done && a.of === b.of && a.waitsFor === b.waitsFor && a.error === b.error

export const createReplay = (
  { memtables, segments, replays, versions }: ReplayPorts,
  failures: ReadonlyMap<string, string>,
  { attempt }: Pick<Attempts, 'attempt'>,
) => {
  const put = async (partition: number, order: ReplayOrder, was: ReplayJob | undefined, job: ReplayJob): Promise<void> => {
    if (!was || !isSame(was, job)) await versions.putJob(partition, order, job)
  }

  /** A day that has rows is ready when they are one closed segment; one without rows is ready too. */
  const isReady = async (partition: number, { site }: ReplayOrder, day: number): Promise<boolean> => {
    const { intervals } = await memtables.read(partition, site, day, day, { characters: 1 })
    if (intervals.length > 0) return false
    const chain = chainOf(await segments.list(partition, site, day, day))
    return chain.length === 0 || (chain.length === 1 && chain[0]!.level === 1)
  }

  const prepare = async (partition: number, order: ReplayOrder, was: ReplayJob | undefined, isOver: () => boolean): Promise<void> => {
    const days = daysOf(order)
    const begun = new Set((await versions.days(partition, order.site, order.ver)).map(({ day }) => day))
    const closed: number[] = []
    const open: number[] = []
    for (const day of days) {
      if (begun.has(day)) continue
      if (isOver()) break
      if (await isReady(partition, order, day)) closed.push(day)
      else open.push(day)
    }
    await versions.begin(partition, order.site, order.ver, closed)
    const now = await versions.days(partition, order.site, order.ver)
    const done = now.filter(isMade).length
    const waitsFor =
      open[0] === undefined
        ? {}
        : { waitsFor: `${isoDay(open[0])} is not closed yet: that is done two hours after its end, or six hours after its last late hit.` }
    const state = done === days.length ? 'ready' : now.length === 0 ? 'waiting' : 'working'
    const error = failures.get(failureName(order))
    await put(partition, order, was, { state, done, of: days.length, ...waitsFor, ...(error === undefined ? {} : { error }) })
  }

  /** Leads readers of all days to the version that `target` names, the oldest day first. */
  const lead = async (
    partition: number,
    order: ReplayOrder,
    was: ReplayJob | undefined,
    target: (day: number) => number,
    isOver: () => boolean,
  ): Promise<void> => {
    const days = await versions.days(partition, order.site, order.ver)
    const job = { done: days.filter(isMade).length, of: daysOf(order).length }
    const isSwitch = order.wanted === 'switched'
    await put(partition, order, was, { state: isSwitch ? 'switching' : 'undoing', ...job })
    const active = (await versions.active(partition, order.site)).days
    for (const { day } of days) {
      if ((active.get(day) ?? 0) === target(day)) continue
      if (isOver()) return
      await versions.flip(partition, { site: order.site, day }, target(day))
    }
    await put(partition, order, undefined, { state: isSwitch ? 'switched' : 'undone', ...job })
  }

  const goOn = async (partition: number, order: ReplayOrder, logTime: number, isOver: () => boolean): Promise<void> => {
    const was = await versions.job(partition, order.id)
    if (was?.state === settled[order.wanted] && order.wanted !== 'made') return
    if (order.wanted === 'made') return await prepare(partition, order, was, isOver)
    if (order.wanted === 'switched') return await lead(partition, order, was, () => order.ver, isOver)
    if (order.wanted === 'dropped') {
      await versions.drop(partition, order.site, order.ver, logTime)
      return await put(partition, order, was, { state: 'dropped', done: 0, of: daysOf(order).length })
    }
    const orders = await replays.list(order.site)
    const below = (day: number): number =>
      ordersBelow(orders, { ver: order.ver, day })
        .filter(({ ver }) => ver < order.ver)
        .at(-1)?.ver ?? 0
    await lead(partition, order, was, below, isOver)
  }

  /** The next steps of all orders, until `isOver`. */
  const replayDue = async (partition: number, logTime: number, isOver: () => boolean): Promise<void> => {
    for (const order of await replays.all()) {
      if (isOver()) return
      await attempt(`replay ${order.id} of ${JSON.stringify(order.site)} could not go on`, () => goOn(partition, order, logTime, isOver))
    }
  }

  return { replayDue }
}

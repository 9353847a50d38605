import type { Random } from './random.ts'

/**
 * Every port call of the pipeline passes a gate before and after it does its work, so that a schedule decides which of all that
 * runs goes on next, and may fail there: before the work (it was not done) or after it (it was done, but nobody is told).
 */
export type Gates = {
  /** A port whose methods wait at gates of a group; a group is what dies and sleeps together (a process). */
  guard<T extends object>(port: T, group: string, methods: readonly string[]): T
  /** Lets one waiting call go on; false when none waits (of the group, when one is given). */
  release(group?: string): boolean
  /** Calls waiting, by group. */
  waiting(group?: string): number
  /** A process dies: what waits in its group never comes back. */
  kill(group: string): void
  /** A process sleeps: what waits in its group goes on under another name, later. */
  rename(group: string, to: string): void
  /** How many calls have begun. */
  readonly calls: number
  faults: {
    probability: number
    /** Fails exactly this call. */
    nth?: { call: number; after: boolean }
    /** No gates: calls go straight through. */
    open: boolean
  }
}

export class Outage extends Error {}

export const createGates = (random: Random): Gates => {
  let waiting: { group: { name: string }; go: () => void }[] = []
  let calls = 0
  const faults: Gates['faults'] = { probability: 0, open: false }
  const groups = new Map<string, { name: string }>()

  const groupOf = (name: string) => {
    const found = groups.get(name) ?? { name }
    groups.set(name, found)
    return found
  }
  const gate = (group: { name: string }): Promise<void> =>
    faults.open ? Promise.resolve() : new Promise((go) => waiting.push({ group, go }))

  const fails = (call: number, after: boolean): boolean => {
    if (faults.nth) return faults.nth.call === call && faults.nth.after === after
    return faults.probability > 0 && random.chance(faults.probability / 2)
  }

  return {
    guard(port, name, methods) {
      const guarded = { ...port } as Record<string, unknown>
      for (const method of methods) {
        const work = (port as Record<string, (...args: unknown[]) => unknown>)[method]!
        guarded[method] = async (...args: unknown[]) => {
          const group = groupOf(name)
          const call = calls++
          await gate(group)
          if (fails(call, false)) throw new Outage(`${method} failed before`)
          const result = await work(...args)
          await gate(group)
          if (fails(call, true)) throw new Outage(`${method} failed after`)
          return result
        }
      }
      return guarded as unknown as typeof port
    },
    release(name) {
      const open = name === undefined ? waiting : waiting.filter(({ group }) => group.name === name)
      if (open.length === 0) return false
      const chosen = open[random.below(open.length)]!
      waiting.splice(waiting.indexOf(chosen), 1)
      chosen.go()
      return true
    },
    waiting: (name) => (name === undefined ? waiting.length : waiting.filter(({ group }) => group.name === name).length),
    kill(name) {
      waiting = waiting.filter(({ group }) => group.name !== name)
    },
    rename(name, to) {
      const group = groups.get(name)
      if (group) group.name = to
      groups.delete(name)
    },
    get calls() {
      return calls
    },
    faults,
  }
}

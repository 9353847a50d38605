/**
 * The tracker is a guest. What goes wrong in it (storage that is blocked, a page that has replaced a function of the browser) must never
 * reach the page it counts: a hit less is better than a page that breaks.
 */
export const quiet =
  <Args extends unknown[], Result>(run: (...args: Args) => Result) =>
  (...args: Args): Result | undefined => {
    try {
      return run(...args)
    } catch {
      return undefined // the visitor's page goes on; what could be counted is
    }
  }

/** Listens at the window, on the way down: there every event of the page passes first, and nobody can have stopped it. */
export const listen = <E extends Event>(type: string, listener: (event: E) => void): void =>
  addEventListener(type, quiet(listener) as EventListener, true)

/** The clock that only ticks: it is never set, but may stand still while a machine sleeps. */
export const ticks = (): number => performance.now()

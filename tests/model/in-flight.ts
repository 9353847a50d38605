/** Counts the calls of ports that are under way, so that a schedule goes on only when none is: also where they take real time. */

type Port = Record<string, unknown>

/** Lets everything run that can run without a gate or a timer. */
const runReady = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const isPort = (value: unknown): value is Port => typeof value === 'object' && value !== null

/**
 * The same ports, with every call of theirs counted from its beginning until it is answered. `settle` resolves when none is under way and
 * nothing that an answer has woken is left to run.
 */
export const countedCalls = <Ports extends object>(ports: Ports): { stores: Ports; settle: () => Promise<void> } => {
  let underWay = 0
  let ended = (): void => undefined
  const end = () => {
    underWay--
    ended()
  }
  const counted = (port: Port): Port =>
    Object.fromEntries(
      Object.entries(port).map(([name, method]) => [
        name,
        typeof method !== 'function'
          ? method
          : (...args: unknown[]) => {
              const answer: unknown = method(...args)
              if (!(answer instanceof Promise)) return answer
              underWay++
              answer.then(end, end)
              return answer
            },
      ]),
    )
  const settle = async () => {
    await runReady()
    while (underWay > 0) {
      await new Promise<void>((resolve) => {
        ended = resolve
      })
      await runReady()
    }
  }
  const stores = Object.fromEntries(Object.entries(ports).map(([name, port]) => [name, isPort(port) ? counted(port) : port]))
  return { stores: stores as Ports, settle }
}

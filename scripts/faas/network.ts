import { spawnSync } from 'node:child_process'
import { networkInterfaces } from 'node:os'

/**
 * The gateway listens on ports that nobody can set (8080 and 8082, all interfaces). So it is given a network of its own: a namespace, joined to
 * ours by a cable. Two of them can run side by side, and a test beside a developer's. Where this process may make none (it takes root on
 * Linux), the gateway runs on the machine itself.
 */
export type Network = {
  /** Undefined: the machine itself. */
  namespace: string | undefined
  /** Where the gateway is reached from here. */
  gatewayHost: string
  /** Where the gateway reaches what runs here. */
  ourHost: string
}

/** What stands in front of a command that is to run inside. */
export const within = ({ namespace }: Network): string[] => (namespace === undefined ? [] : ['ip', 'netns', 'exec', namespace])

const ip = (...args: string[]): boolean => spawnSync('ip', args).status === 0

/** Networks of four addresses each in a range that is for private use, and hardly used by anybody. */
const networks = 64 * 256
const addressesOf = (n: number) => {
  const address = (last: number) => `10.${211 + (n >> 12)}.${(n >> 6) & 63}.${((n & 63) << 2) + last}`
  return { ourHost: address(1), gatewayHost: address(2) }
}

const isUsed = (host: string): boolean =>
  Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === host) === true)

const machine: Network = { namespace: undefined, gatewayHost: '127.0.0.1', ourHost: '127.0.0.1' }

const tries = 20

/** Makes a network of its own; the machine's where that cannot be. */
export const openNetwork = (): Network => {
  for (let tried = 0; tried < tries; tried++) {
    const n = Math.floor(Math.random() * networks)
    const { ourHost, gatewayHost } = addressesOf(n)
    if (isUsed(ourHost)) continue
    const namespace = `footfall-${n}`
    const cable = `ff${n}`
    if (!ip('netns', 'add', namespace)) return machine
    const isMade =
      ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'gateway', 'netns', namespace) &&
      ip('addr', 'add', `${ourHost}/30`, 'dev', cable) &&
      ip('link', 'set', cable, 'up') &&
      ip('-n', namespace, 'addr', 'add', `${gatewayHost}/30`, 'dev', 'gateway') &&
      ip('-n', namespace, 'link', 'set', 'gateway', 'up') &&
      ip('-n', namespace, 'link', 'set', 'lo', 'up')
    const network = { namespace, gatewayHost, ourHost }
    if (isMade) return network
    closeNetwork(network)
  }
  return machine
}

/** Whether a network that was made before is there still: a machine that was started anew has none. */
export const isThere = ({ namespace, ourHost }: Network): boolean => namespace === undefined || isUsed(ourHost)

/** Takes a network away; the cable goes with the namespace. */
export const closeNetwork = ({ namespace }: Network): void => {
  if (namespace !== undefined) ip('netns', 'del', namespace)
}

import { createServer, type Server } from 'node:net'

/**
 * Free ports for servers. They are taken from below the range from which the system gives ports to outgoing connections (32768 and
 * up), so that the port of a server that was killed is still free when it comes back.
 */

/** `client`: where clients connect. `peer`: where nodes of one cluster talk to each other, or a second door; not every server uses it. */
export type Ports = { client: number; peer: number }

const first = 20_000
const count = 10_000
const tries = 100

/** 127.0.0.1 for the first node, 127.0.0.2 for the second: all of them are loopback, without any set-up. */
export const hostOf = (node: number): string => `127.0.0.${node}`

const listen = (host: string, port: number): Promise<Server | undefined> =>
  new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(undefined))
    server.listen({ host, port, exclusive: true }, () => resolve(server))
  })

const close = (server: Server): Promise<void> => new Promise((resolve) => server.close(() => resolve()))

/** Whether nobody listens on `port` at any of `hosts`. */
export const isFree = async (port: number, hosts: readonly string[]): Promise<boolean> => {
  const servers = await Promise.all(hosts.map((host) => listen(host, port)))
  await Promise.all(servers.map((server) => server && close(server)))
  return servers.every((server) => server !== undefined)
}

/** Two ports beside each other that are free on the hosts of `nodes` nodes, now. */
export const choosePorts = async (nodes = 1): Promise<Ports> => {
  const hosts = Array.from({ length: nodes }, (_, i) => hostOf(i + 1))
  for (let i = 0; i < tries; i++) {
    // By chance, so that two tests that choose at the same moment hardly choose the same.
    const client = first + 2 * Math.floor((Math.random() * count) / 2)
    if ((await isFree(client, hosts)) && (await isFree(client + 1, hosts))) return { client, peer: client + 1 }
  }
  throw new Error(`No two free ports between ${first} and ${first + count}: stop what holds them (\`ss -ltn\` lists it).`)
}

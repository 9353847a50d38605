import { onTestFinished } from 'vitest'
import { addSites, createLoad, type Load, sites } from './load.ts'
import { expectEqual } from './recount.ts'
import { aFolder, freePort, type Server, type Start, startServer } from './server.ts'

/** A server over a new folder for one test, and its load; all of it goes when the test ends. */
export type Home = {
  start: Start
  server(): Server
  /** Starts it again on the same folder and port. */
  restart(): Promise<Server>
}

export const aHome = async (env: Record<string, string> = {}): Promise<Home> => {
  const { path: data, remove } = aFolder()
  const start = { data, port: await freePort(), env }
  let server = await startServer(start)
  onTestFinished(async () => {
    await server.stop('SIGKILL')
    remove()
  })
  return {
    start,
    server: () => server,
    restart: async () => {
      server = await startServer(start)
      return server
    },
  }
}

/** A server with the sites of the load. */
export const aLoadedHome = async (seed: number, rate: number, env: Record<string, string> = {}): Promise<Home & { load: Load }> => {
  const home = await aHome(env)
  await addSites(home.server())
  const { path, remove } = aFolder()
  const load = createLoad(home.server(), path, { seed, rate })
  onTestFinished(() => {
    load.close()
    remove()
  })
  return { ...home, load }
}

/** Everything that was ok is counted exactly once, in every view of every site. */
export const expectAllEqual = async (server: Server, load: Load): Promise<void> => {
  for (const [i, fold] of load.folds().entries()) await expectEqual(server, fold, sites[i]!.cookieless)
}

import { join } from 'node:path'
import { createPlan } from '../../scripts/traffic/plan.ts'
import { createTraffic, type Traffic } from '../../scripts/traffic/send.ts'
import { type Fold, foldLedger } from './recount.ts'
import type { Server } from './server.ts'

/** Load on a server that may die: by default three sites, with cookies, without, and fed by another server with a key and in batches. */
export type Site = { name: string; cookieless: boolean; batch?: number; share: number }

export const sites: readonly Site[] = [
  { name: 'browsers.example', cookieless: false, share: 0.3 },
  { name: 'nocookies.example', cookieless: true, share: 0.3 },
  { name: 'servers.example', cookieless: false, batch: 10, share: 0.4 },
]

export const addSites = async (server: Server): Promise<void> => {
  for (const { name, cookieless } of sites) await server.addSite(name, { identity: cookieless ? 'cookieless' : 'cookie' })
}

/** The seed of a test's chance: given by TRAFFIC_SEED, else new each time, and printed. */
export const seedOf = (test: string): number => {
  const seed = Number(process.env['TRAFFIC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
  process.stdout.write(`${test}: TRAFFIC_SEED=${seed}\n`)
  return seed
}

export type Load = {
  /** Sends until the signal comes. */
  run(signal: AbortSignal): Promise<void>
  /** Sends that many hits. */
  hits(count: number): Promise<void>
  /** Sends what is unknown again, until all of it is definite. */
  settle(): Promise<number>
  folds(): Fold[]
  close(): void
}

type LoadOptions = { seed: number; rate: number; of?: readonly Site[] }

export const createLoad = (server: Pick<Server, 'url' | 'key'>, folder: string, { seed, rate, of = sites }: LoadOptions): Load => {
  const file = join(folder, `client-${seed}.ndjson`)
  const all: { site: Site; traffic: Traffic }[] = of.map((site, i) => {
    const own = rate * site.share
    const plan = createPlan({ site: site.name, seed: seed + i, rate: own, speed: 100, now: Date.now(), pages: 60 })
    const keyed = site.batch === undefined ? undefined : { key: server.key, batch: site.batch }
    return { site, traffic: createTraffic({ url: new URL(server.url), site: site.name, plan, ledger: file, workers: 16, keyed }) }
  })
  const send = (seconds: number, signal?: AbortSignal) =>
    Promise.all(all.map(({ site, traffic }) => traffic.send({ rate: rate * site.share, seconds, signal }))).then(() => undefined)
  return {
    run: (signal) => send(3_600, signal),
    hits: (count) => send(count / rate),
    settle: async () => (await Promise.all(all.map(({ traffic }) => traffic.settle(30_000)))).reduce((a, b) => a + b, 0),
    folds: () => of.map(({ name }) => foldLedger(file, name)),
    close: () => {
      for (const { traffic } of all) traffic.close()
    },
  }
}

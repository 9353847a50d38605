import { expect, test } from 'vitest'
import { run } from './run.ts'
test('runs', async () => {
  const t0 = Date.now()
  for (let seed = 1; seed <= 50; seed++) {
    const { world, ok } = await run({ seed, hits: 60, failures: 0.02, nemesis: 0.01 }).catch((e) => { throw new Error(`seed ${seed}`, { cause: e }) })
    const events = (await world.stores.log.read('events', 0, 0, { records: 1e6, bytes: 1e9, waitMs: 0 })).map((r) => ({ o: r.offset, e: JSON.parse(r.body) })).filter(({ o, e }) => e.at === o)
    const counted: string[] = events.flatMap(({ e }) => [...(e.ids ?? []).map((i: string) => `${e.site} ${i}`), ...e.x.flatMap((x: any) => x.h.map((h: any) => `${e.site} ${h.id}`))])
    const uniq = new Set(counted)
    for (const id of ok) expect(uniq.has(id), `seed ${seed} ${id}`).toBe(true)
    world.close()
  }
  console.log('ms', Date.now() - t0)
})

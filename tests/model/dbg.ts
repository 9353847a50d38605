import { run } from './run.ts'
import { createWorld } from './world.ts'
const seed = Number(process.env.SEED)
let w: any
await run({ seed, hits: 60, failures: 0, nemesis: 0.04 }, async (x) => { w = x }).catch((e) => console.log(e.message))
console.log(await w.stores.sessions.load(0, [], [], []), await w.stores.memtables.fence(0), await w.stores.log.ends('hits', 0), await w.stores.log.ends('events', 0), w.gates.waiting())
for (let i = 0; i < 3000; i++) { await w.turn(); if (i % 200 === 199) w.clock.advance(11000) }
console.log(await w.stores.sessions.load(0, [], [], []), await w.stores.memtables.fence(0), await w.stores.log.ends('hits', 0), await w.stores.log.ends('events', 0), w.gates.waiting())

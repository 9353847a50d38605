import { runFunction } from '#shared/runtime/main.ts'

/** enrich-session as a process of its own, over the servers of the distributed mode. */
await runFunction('enrich-session', process.env)

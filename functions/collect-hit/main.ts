import { runFunction } from '#shared/runtime/main.ts'

/** collect-hit as a process of its own, over the servers of the distributed mode. */
await runFunction('collect-hit', process.env)

import { runFunction } from '#shared/runtime/main.ts'

/** serve-dashboard as a process of its own, over the servers of the distributed mode. */
await runFunction('serve-dashboard', process.env)

import { runFunction } from '#shared/runtime/main.ts'

/** query-metrics as a process of its own, over the servers of the distributed mode. */
await runFunction('query-metrics', process.env)

import { runFunction } from '#shared/runtime/main.ts'

/** rollup-window as a process of its own, over the servers of the distributed mode. */
await runFunction('rollup-window', process.env)

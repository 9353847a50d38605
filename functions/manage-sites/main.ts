import { runFunction } from '#shared/runtime/main.ts'

/** manage-sites as a process of its own, over the servers of the distributed mode. */
await runFunction('manage-sites', process.env)

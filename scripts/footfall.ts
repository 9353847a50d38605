import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import { main } from './cli/run.ts'

// What lies in the data folder is its owner's alone.
process.umask(0o077)

/** The command line (`npm run footfall -- …`): the process around scripts/cli. */

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

// A reader that has seen enough (`| head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(0)
})

// The timers of the clock keep no process alive, and a command that works on the folder itself may have nothing else to wait for.
const awake = setInterval(() => undefined, 60_000)

process.exitCode = await main(
  process.argv.slice(2),
  {
    env: process.env,
    clock: systemClock,
    config: () => readConfig(process.env),
    out: (line) => process.stdout.write(`${line}\n`),
    err: (line) => process.stderr.write(`${line}\n`),
    outBytes: async (bytes) => {
      if (!process.stdout.write(bytes)) await once(process.stdout, 'drain')
    },
    input: () => text(process.stdin),
    inputBytes: () => process.stdin,
    openFunctions: async (config) => (await import('#shared/runtime/embedded.ts')).openFunctions(config, systemClock),
    checkFolder: async ({ data }) => (await (await import('#shared/wire.ts')).wire(data, 'queries', systemClock)).close(),
    migrate: async (where) => (await import('#shared/wire.ts')).migrateTables({ ...where, clock: systemClock }),
    openTopics: async (where) => (await import('#shared/wire.ts')).wireTopics(where, systemClock),
  },
  version,
)
clearInterval(awake)

import { atPort, type Config, readConfig } from '#shared/config.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Handler } from '#shared/handler.ts'
import { type Embedded, startEmbedded } from '#shared/runtime/embedded.ts'
import { createLogger, type Logger } from '#shared/runtime/log.ts'
import { endOnSignals, endUnstarted } from '#shared/runtime/process.ts'
import { maxBodyBytes } from '#shared/runtime/routes.ts'
import { type Served, serve } from '#shared/runtime/server.ts'
import { siteName } from '#shared/site/domain.ts'

// What lies in the data folder is its owner's alone.
process.umask(0o077)

/** `npm start`: the product in one process. Prints what a newcomer needs next; ends with exit 1 and the cure when it cannot start. */

/** Requests that run get this long to end when the process is told to stop. */
const graceMs = 10_000

/** Asks the functions with the installation key; what is not a 2xx is thrown. */
const ask = async <T>(embedded: Embedded, method: string, path: string, body?: unknown): Promise<T> => {
  const headers = { authorization: `Bearer ${embedded.adminKey}` }
  const text = body === undefined ? '' : JSON.stringify(body)
  const reply = await embedded.handle({ method, path, query: '', headers, body: Buffer.from(text), address: '127.0.0.1' })
  if (reply.status >= 300) throw new Error(`${method} ${path} answered ${reply.status}: ${String(reply.body)}`)
  return JSON.parse(String(reply.body)) as T
}

/** Under which names this machine's own browser may come to the demo, beside `localhost`: none of them is a stranger's host. */
const demoHosts = (url: string): string[] => {
  const own = siteName(new URL(url).hostname)
  return own === undefined || own === 'localhost' ? ['127.0.0.1'] : [...new Set(['127.0.0.1', own])]
}

const welcome = async (embedded: Embedded, url: string): Promise<string> => {
  if (embedded.isNew) await ask(embedded, 'POST', '/api/sites', { site: 'localhost', hosts: demoHosts(url) })
  const { url: link } = await ask<{ url: string }>(embedded, 'POST', '/api/links')
  const { sites } = await ask<{ sites: { site: string; script: string }[] }>(embedded, 'GET', '/api/sites')
  const [first] = sites
  const demo = sites.some(({ site }) => site === 'localhost') ? `  Try the demo    ${url}/demo/\n` : ''
  const tag = first ? `\n  Script tag of ${first.site}\n    ${first.script}\n` : ''
  return `
Footfall is running at ${url}

  Sign in (once, within an hour)
    ${link}
${tag}
${demo}  Add a site      npm run footfall -- site add example.com
  Another link    npm run footfall -- link
  Stop            Ctrl-C
`
}

/** Listens before the folder is opened: a taken port is told first, and requests meanwhile are told to come again. */
const listen = (config: Config, logger: Logger, handlerOf: () => Handler | undefined): Promise<Served> =>
  serve({
    handler: (request) => handlerOf()?.(request) ?? Promise.reject(new FootfallError('starting')),
    host: config.host,
    port: config.port,
    maxBodyBytes,
    onError: (error, { method, path }) => logger.error({ err: error, method, path }, 'a request failed'),
  })

const run = async (): Promise<void> => {
  const settings = readConfig(process.env)
  if (settings.mode === 'distributed')
    throw new FootfallError('bad-setting', {
      detail: 'FOOTFALL_MODE is distributed, and this starts everything in one process.',
      hint: 'Leave FOOTFALL_MODE out, or start each function by its main.ts: see docs/distributed.md.',
    })
  const logger = createLogger(settings.log, 'edge')
  let embedded: Embedded | undefined
  const served = await listen(settings, logger, () => embedded?.handle)
  const config = atPort(settings, served.port)
  embedded = await startEmbedded(config, logger, (error) => {
    logger.fatal({ err: error }, 'a thread died; the process ends, a new start goes on from the log')
    process.exit(1)
  })

  const end = async () => {
    await served.close(graceMs)
    await embedded.close()
  }
  endOnSignals(logger, end, 'the end was not clean; what was answered is durable, the next start goes on from the log')
  process.stdout.write(await welcome(embedded, config.url))
}

run().catch((error: unknown) => endUnstarted('footfall', error))

import { readConfig } from '#shared/config.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Reply } from '#shared/handler.ts'
import { type Embedded, startEmbedded } from '#shared/runtime/embedded.ts'
import { createLogger } from '#shared/runtime/log.ts'
import { serve } from '#shared/runtime/server.ts'

/** `npm start`: the product in one process. Prints what a newcomer needs next; ends with exit 1 and the cure when it cannot start. */

/** Requests that run get this long to end when the process is told to stop. */
const graceMs = 10_000
const bodyBytes = 1_048_576

const ask = async (embedded: Embedded, method: string, path: string, body?: unknown): Promise<any> => {
  const headers = { authorization: `Bearer ${embedded.adminKey}` }
  const reply: Reply = await embedded.handle({
    method,
    path,
    query: '',
    headers,
    body: Buffer.from(body ? JSON.stringify(body) : ''),
    address: '127.0.0.1',
  })
  return JSON.parse(String(reply.body))
}

const welcome = async (embedded: Embedded, url: string): Promise<string> => {
  if (embedded.isNew) await ask(embedded, 'POST', '/api/sites', { site: 'localhost' })
  const { url: link } = await ask(embedded, 'POST', '/api/links')
  const { sites } = await ask(embedded, 'GET', '/api/sites')
  const site = sites[0]
  const tag = site ? `\n  Script tag of ${site.site}\n    ${site.script}\n` : ''
  return `
Footfall is running at ${url}

  Sign in (once, within an hour)
    ${link}
${tag}
  Add a site      npm run footfall -- site add example.com
  Another link    npm run footfall -- link
  Stop            Ctrl-C
`
}

const run = async (): Promise<void> => {
  const config = readConfig(process.env)
  const logger = createLogger(config.log, 'edge')
  const embedded = await startEmbedded(config, logger, (error) => {
    logger.fatal({ err: error }, 'a thread died; the process ends, a new start goes on from the log')
    process.exit(1)
  })
  const served = await serve({
    handler: embedded.handle,
    host: config.host,
    port: config.port,
    maxBodyBytes: () => bodyBytes,
    onError: (error, { method, path }) => logger.error({ err: error, method, path }, 'a request failed'),
  }).catch(async (error) => {
    await embedded.close()
    throw error
  })

  let stopping = false
  const stop = async (signal: string) => {
    if (stopping) process.exit(1) // asked twice: what is answered is durable anyway
    stopping = true
    logger.info({ signal }, 'stopping')
    await served.close(graceMs)
    await embedded.close()
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal))

  const url = process.env['FOOTFALL_URL'] ? config.url : `http://localhost:${served.port}`
  process.stdout.write(await welcome(embedded, url))
}

run().catch((error: unknown) => {
  if (error instanceof FootfallError) process.stderr.write(`footfall: ${error.message}\n  ${error.hint}\n`)
  else process.stderr.write(`footfall: ${(error as Error)?.stack ?? error}\n`)
  process.exit(1)
})

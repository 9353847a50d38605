import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#shared/clock.ts'
import { readConfig } from '#shared/config.ts'
import { FootfallError } from '#shared/errors.ts'
import type { Handler } from '#shared/handler.ts'
import { createLogger, sparing } from '#shared/runtime/log.ts'
import { endOnSignals, endUnstarted } from '#shared/runtime/process.ts'
import { serve } from '#shared/runtime/server.ts'
import { allPartsOf, createKnownGenerations, writerStaleMs } from '#shared/site/generations.ts'
import { type Caller, createCaller } from '#shared/trigger/call.ts'
import { metricsText } from '#shared/trigger/metrics.ts'
import { startTrigger } from '#shared/trigger/run.ts'
import { readStack, type Wish } from '#shared/trigger/stack.ts'
import { wireServices } from '#shared/wire.ts'
import { root } from './run.ts'
import { readableKeeper, readableLog } from './trigger-log.ts'

/** The trigger of the distributed mode: reads the topics, calls the functions that stack.yml says want them, and keeps the schedules. */

const help = `Usage: node scripts/trigger.ts [--stack FILE] [--function NAME=URL]…

Hands the records of the topics to the functions, in order: in batches from where a function's own state says, or one by one to
functions without footfall.delivery: fenced, as OpenFaaS' Kafka connector does. Calls schedules when they are due. As many as wished
may run: they share the partitions, and an overlap does no harm.

  --stack FILE          which functions want which topic or schedule (stack.yml of Footfall)
  --function NAME=URL   where a function is; without it: FOOTFALL_GATEWAY/function/NAME
  --help

Settings: FOOTFALL_MODE=distributed with FOOTFALL_KAFKA, FOOTFALL_REDIS, FOOTFALL_CASSANDRA, FOOTFALL_NATS,
and FOOTFALL_KAFKA_TLS, …_USER, …_PASSWORD_FILE, …_SASL and FOOTFALL_CA_FILE where brokers ask for them;
FOOTFALL_HOST and FOOTFALL_PORT for /health and /metrics; FOOTFALL_GATEWAY; FOOTFALL_LOG. See docs/settings.md.
`

/** Closing a day may take a function so long, and nothing that comes later must be tried before it has answered. */
const callMs = 120_000

class Usage extends Error {}

const readArgs = () => {
  try {
    const { values } = parseArgs({
      options: { stack: { type: 'string' }, function: { type: 'string', multiple: true }, help: { type: 'boolean' } },
    })
    return values
  } catch (error) {
    throw new Usage((error as Error).message)
  }
}

const readUrls = (given: readonly string[]): Map<string, string> =>
  new Map(
    given.map((text) => {
      const at = text.indexOf('=')
      const url = text.slice(at + 1)
      if (at < 1 || !/^http:$/.test(URL.canParse(url) ? new URL(url).protocol : ''))
        throw new Usage(`--function ${text}: expected NAME=http://host:port`)
      return [text.slice(0, at), url]
    }),
  )

/** Where each function is called. Throws `bad-setting` when nothing says it. */
const callersOf = (wishes: readonly Wish[], urls: ReadonlyMap<string, string>, gateway: string | undefined): Map<string, Caller> =>
  new Map(
    wishes.map(({ name }) => {
      const url = urls.get(name) ?? (gateway && `${gateway}/function/${name}`)
      if (url === undefined)
        throw new FootfallError('bad-setting', {
          detail: `Nothing says where ${name} is.`,
          hint: 'Set FOOTFALL_GATEWAY to the gateway, or give --function NAME=URL.',
        })
      return [name, createCaller({ url, timeoutMs: callMs, clock: systemClock, isGateway: !urls.has(name) })]
    }),
  )

const run = async (): Promise<void> => {
  const args = readArgs()
  if (args.help) {
    process.stdout.write(help)
    return
  }
  const config = readConfig(process.env)
  const logger = createLogger(config.log, 'trigger')
  const path = args.stack ?? join(root, 'stack.yml')
  const wishes = readStack(path, readFileSync(path, 'utf8'))
  const callers = callersOf(wishes, readUrls(args.function ?? []), config.gateway)
  const stores = await wireServices(config, ['kafka', 'redis', 'cassandra'], systemClock)
  const tell = (what: string) => sparing(systemClock, 10_000, (error: unknown) => logger.error({ err: error }, what))
  const generations = createKnownGenerations(stores.generations, systemClock, writerStaleMs)
  const trigger = startTrigger(
    wishes,
    {
      leases: stores.leases,
      positions: stores.positions,
      log: readableLog(stores.log, generations, systemClock),
      keeper: readableKeeper(stores.keeper, generations),
      partitions: async () => (await generations.list()).flatMap(allPartsOf),
      clock: systemClock,
      call: (name): Handler => callers.get(name)!.handle,
    },
    {
      onFailure: ({ subscription, failures }, cause) =>
        logger.error({ ...subscription, failures, err: cause }, 'a call failed and is repeated'),
      onSkipped: ({ subscription, ...what }) => logger.error({ ...subscription, ...what }, 'records were passed over'),
      onSchedule: (name, error) => logger.error({ function: name, err: error }, 'a schedule failed; it is called again soon'),
      onPartitions: tell('which partitions there are cannot be asked; those that are known are driven'),
      onLeases: tell('leases cannot be reached; this trigger goes on as it did'),
      onWatch: tell('how long the log keeps what was not taken cannot be asked'),
      onAlarm: ({ subscription, headroomMs }) =>
        logger.error(
          { ...subscription, headroomMs },
          'records will be forgotten before they were taken: make the function go on, or the retention longer',
        ),
    },
  )
  const text = { 'content-type': 'text/plain; version=0.0.4', 'cache-control': 'no-store' }
  const served = await serve({
    handler: async ({ path: asked }) => {
      if (asked === '/metrics')
        return { status: 200, headers: text, body: await metricsText(trigger.reports(), trigger.watched(), systemClock.now()) }
      if (asked === '/health') return { status: 200, headers: text, body: 'ok\n' }
      throw new FootfallError('not-found')
    },
    host: config.host,
    port: config.port,
    maxBodyBytes: () => 0,
    onError: (error) => logger.error({ err: error }, 'a request failed'),
  })
  logger.info({ port: served.port, functions: wishes.map(({ name }) => name) }, 'the trigger runs')

  const end = async () => {
    await trigger.close()
    await served.close(1_000)
    await stores.close()
    for (const { close } of callers.values()) close()
  }
  endOnSignals(logger, end, "the end was not clean; the functions' own fences say where another trigger goes on")
}

run().catch((error: unknown) => {
  if (!(error instanceof Usage)) return endUnstarted('trigger', error)
  process.stderr.write(`trigger: ${error.message}\n${help}`)
  process.exit(2)
})

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { readConfig } from '#shared/config.ts'
import { type Handler, json, type Request } from '#shared/handler.ts'
import { serve } from '#shared/runtime/server.ts'
import type { World } from '../../scripts/cli/command.ts'
import { main } from '../../scripts/cli/run.ts'
import { aClock, anInstallation, type Installation } from '../site/installation.ts'

/** The command line in a test: what is typed, what is printed, and a Footfall behind it. */

export type Printed = { code: number; out: string; err: string }

/** A folder that goes when the test ends. */
export const aFolder = (): string => {
  const path = mkdtempSync(join(tmpdir(), 'footfall-cli-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** The public face of an installation: manage-sites for real, the rest as far as commands need it. */
export const publicFace =
  (home: Installation, others: Readonly<Record<string, Handler>> = {}): Handler =>
  (request: Request) => {
    const other = Object.hasOwn(others, request.path) ? others[request.path] : undefined
    if (other) return other(request)
    return request.path === '/health' ? Promise.resolve(json(200, { status: 'ok' })) : home.handle(request)
  }

/** Listens on a free port of this machine; answers the port. */
export const listen = async (handler: Handler): Promise<number> => {
  const served = await serve({ handler, host: '127.0.0.1', port: 0, maxBodyBytes: () => 1_000_000, onError: () => undefined })
  onTestFinished(() => served.close(0))
  return served.port
}

/** Any other program that speaks HTTP. */
export const listenPlain = async (listener: RequestListener): Promise<number> => {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** A port where nothing listens. */
export const aClosedPort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

export type TerminalOptions = { env?: Record<string, string>; input?: string; world?: Partial<World> }

/** Runs one command line and answers what it printed. */
export const type = async (argv: readonly string[], { env = {}, input = '', world = {} }: TerminalOptions = {}): Promise<Printed> => {
  const printed = { out: [] as string[], err: [] as string[] }
  const code = await main(
    argv,
    {
      env,
      clock: aClock(),
      config: () => readConfig(env),
      out: (line) => void printed.out.push(line),
      err: (line) => void printed.err.push(line),
      outBytes: async (bytes) => void printed.out.push(Buffer.from(bytes).toString('latin1')),
      input: async () => input,
      inputBytes: () => Readable.from([Buffer.from(input)]),
      openFunctions: () => Promise.reject(new Error('the folder was not to be opened')),
      checkFolder: async () => undefined,
      migrate: () => Promise.reject(new Error('no tables were to be made')),
      openTopics: () => Promise.reject(new Error('no topics were to be made')),
      ...world,
    },
    '1.2.3',
  )
  return { code, out: printed.out.join('\n'), err: printed.err.join('\n') }
}

/** A terminal beside a folder that no server holds: commands open it themselves. */
export const aTerminal = async (others: Readonly<Record<string, Handler>> = {}) => {
  const home = await anInstallation({ url: 'https://stats.example.com' })
  const env = { FOOTFALL_PORT: String(await aClosedPort()), FOOTFALL_DATA: aFolder() }
  let closed = 0
  const world: Partial<World> = {
    openFunctions: async () => ({
      handle: publicFace(home, others),
      adminKey: home.adminKey,
      close: async () => {
        closed++
      },
    }),
  }
  const run = (argv: string, input?: string) => type(argv.split(' '), { env, world, ...(input === undefined ? {} : { input }) })
  return { home, env, world, run, closed: () => closed }
}

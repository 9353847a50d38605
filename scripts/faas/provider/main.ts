import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createLogger } from '#shared/runtime/log.ts'
import { endOnSignals } from '#shared/runtime/process.ts'
import { serve } from '#shared/runtime/server.ts'
import { root } from '../../run.ts'
import { createApi } from './api.ts'
import { createDataPath, type DataPathPlace } from './data-path.ts'
import { createFunctions } from './functions.ts'
import { createImages } from './images.ts'
import { createSecrets } from './secrets.ts'

/** The provider as a process: `node main.ts FILE`, with what it needs to know in that file. */
export type ProviderSettings = {
  folder: string
  host: string
  port: number
  user: string
  password: string
  dataPath: DataPathPlace
  /** Folder of each version of Footfall, by the tag of its images. */
  roots: Readonly<Record<string, string>>
}

const [, , path] = process.argv
const settings = JSON.parse(readFileSync(path!, 'utf8')) as ProviderSettings
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const logger = createLogger('info', 'provider')
const secretsFolder = join(settings.folder, 'secrets')
const secrets = createSecrets(secretsFolder)
const functions = createFunctions(
  {
    folder: join(settings.folder, 'functions'),
    secrets: secretsFolder,
    images: createImages(root, new Map(Object.entries(settings.roots))),
    dataPath: createDataPath(settings.dataPath),
    place: settings.dataPath,
  },
  (name, error) => logger.error({ function: name, err: error }, 'a function is not as it is wished yet; it is tried again'),
)
const { user, password } = settings
const api = createApi({ functions, secrets, user, password, version })
await functions.begin()
const served = await serve({
  handler: api,
  host: settings.host,
  port: settings.port,
  maxBodyBytes: () => 1_048_576,
  onError: (error, { method, path: asked }) => logger.error({ err: error, method, path: asked }, 'a request failed'),
})
logger.info({ port: served.port }, 'the provider runs')
endOnSignals(
  logger,
  async () => {
    await served.close(5_000)
    await functions.end()
  },
  'the end was not clean',
)

import { afterAll, beforeAll, describe } from 'vitest'
import { aFolder, freePort, type Server, startServer } from '../process/server.ts'
import { browserMissing } from './browser.ts'
import { journey } from './journey.ts'

/** The journey through one process. It goes through OpenFaaS in tests/faas/chain.test.ts. */
describe.skipIf(browserMissing)(`the journey${browserMissing ? `: ${browserMissing}` : ''}`, () => {
  const folder = aFolder()
  let server: Server

  beforeAll(async () => {
    server = await startServer({ data: folder.path, port: await freePort() })
  }, 60_000)

  afterAll(async () => {
    await server?.stop()
    folder.remove()
  })

  journey(() => server)
})

import { expect, it, onTestFinished } from 'vitest'
import { browserMissing, launchBrowser } from '../journey/browser.ts'
import { freePort, until } from '../process/server.ts'
import { startCollector, startSite } from './site.ts'
import { openTabs } from './tabs.ts'

const passes = (ms: number) => `new Promise((done) => setTimeout(done, ${ms}))`

it.skipIf(browserMissing !== undefined)('switching between tabs counts the time of the one in front, once, and no page twice', async () => {
  const port = await freePort()
  const browser = await launchBrowser({ debuggingPort: port })
  onTestFinished(() => browser.close())
  const collector = await startCollector()
  const site = await startSite(collector)
  onTestFinished(async () => {
    await Promise.all([collector.close(), site.close()])
  })
  site.serve({ '/a': {}, '/b': {} })
  const tabs = await openTabs(port)
  onTestFinished(tabs.close)

  const begin = performance.now()
  const a = await tabs.open(`${site.url}/a`)
  await collector.named('pageview', 1)
  await a.evaluate(passes(400))
  const b = await tabs.open(`${site.url}/b`)
  await collector.named('pageview', 2)
  for (let i = 0; i < 3; i++) {
    await b.evaluate(passes(200))
    await a.bringToFront()
    await until('a to be in front', async () => ((await a.evaluate<boolean>('!document.hidden && 1')) ? true : undefined))
    await a.evaluate(passes(100))
    await b.bringToFront()
    await until('b to be in front', async () => ((await b.evaluate<boolean>('!document.hidden && 1')) ? true : undefined))
  }
  await a.bringToFront()
  await until('b to be behind', async () => ((await b.evaluate<boolean>('document.hidden')) ? true : undefined))
  await b.evaluate('footfall("finish")')
  await collector.named('finish')
  const passedMs = performance.now() - begin
  await until('nothing to wait', async () => ((await a.evaluate<number>('localStorage.length')) === 0 ? true : undefined))

  const hits = collector.counted()
  expect(hits.filter(({ name }) => name === 'pageview')).toHaveLength(2)
  const engagedOf = (page: string) => {
    const said = hits.filter(({ name, url }) => name === 'engagement' && url.endsWith(`/${page}`))
    expect(said).toHaveLength(4)
    return said.reduce((sum, hit) => sum + hit.engaged!, 0)
  }
  const [engagedA, engagedB] = [engagedOf('a'), engagedOf('b')]
  // At least what each was surely in front for (a timer is never early, a round may be), and together no more than there was.
  expect(engagedA).toBeGreaterThanOrEqual(400 + 3 * 100 - 10)
  expect(engagedB).toBeGreaterThanOrEqual(3 * 200 - 10)
  expect(engagedA + engagedB).toBeLessThanOrEqual(passedMs + 10)
})

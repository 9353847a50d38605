import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { until } from '../process/server.ts'

/** The machine's Chromium, for every test that needs a real browser. */

const executablePath = '/usr/bin/chromium'

/** Why no browser can be had here; undefined where one can. */
export const browserMissing: string | undefined = existsSync(executablePath) ? undefined : `${executablePath} is not installed`

/**
 * A headless browser says so in its name, and is counted as the robot that it is. The name is given to the whole browser: what a page
 * sends while it goes away does not know of a name that was given to the page alone.
 */
export const personAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36'

const args = [
  `--user-agent=${personAgent}`,
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Names for tests that are about names; nothing leaves the machine.
  `--host-resolver-rules=${['example', 'example.com', 'example.co.uk', 'localhost'].map((name) => `MAP *.${name} 127.0.0.1`).join()},EXCLUDE localhost,EXCLUDE 127.0.0.1,MAP * ~NOTFOUND`,
]

/** `debuggingPort` opens the browser to a second driver (tests/tracker/tabs.ts). */
export const launchBrowser = ({ debuggingPort }: { debuggingPort?: number } = {}): Promise<Browser> =>
  chromium.launch({
    executablePath,
    args: debuggingPort === undefined ? args : [...args, `--remote-debugging-port=${debuggingPort}`],
    // Playwright switches the back/forward cache off; people have it.
    ignoreDefaultArgs: ['--disable-back-forward-cache'],
  })

/** A visitor's browser: a profile of its own. */
export const aVisitor = (browser: Browser, options: BrowserContextOptions = {}): Promise<BrowserContext> =>
  browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 }, ...options })

/**
 * Waits until an expression is true in a page. Playwright's own `waitForFunction` evaluates in the page, which a strict policy forbids;
 * this asks from outside.
 */
export const untilIn = async (page: Page, expression: string, withinMs?: number): Promise<void> => {
  await until(
    expression,
    () =>
      page.evaluate(`!!(${expression})`).then(
        (holds) => (holds ? true : undefined),
        (error: unknown) => {
          // Between two documents there is nothing to ask.
          if (/context was destroyed|Cannot find context|navigat/i.test(String(error))) return undefined
          throw error
        },
      ),
    withinMs,
  )
}

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { chromium, type Page } from 'playwright-core'
import { median, print } from './figure.ts'
import { drain, type Footfall, load, startFootfall } from './processes.ts'

/**
 * What a visitor and an owner load, in bytes, and how long the page takes to its first numbers: of a site without hits, and of one with a
 * million today. In the machine's Chromium, from the click on the sign-in link's target on; the sign-in itself is not in it.
 */
const hits = 1_000_000
const patience = { timeout: 300_000 } as const
const functions = join(import.meta.dirname, '../functions')
const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-sync']

const gzipped = (path: string): number => gzipSync(readFileSync(path), { level: 9 }).length
const brotlied = (path: string): number =>
  brotliCompressSync(readFileSync(path), { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).length

const printBytes = (): void => {
  const built = join(functions, 'serve-dashboard/built')
  const files = ['index.html', ...readdirSync(join(built, 'assets')).map((name) => join('assets', name))].map((name) => join(built, name))
  const sum = (size: (path: string) => number) => files.reduce((total, path) => total + size(path), 0)
  print({ name: 'page-bytes-gzip', value: sum(gzipped), unit: 'bytes', against: 'the bar of 120,000', ratio: sum(gzipped) / 120_000 })
  print({ name: 'page-bytes-brotli', value: sum(brotlied), unit: 'bytes' })
  const tracker = gzipped(join(functions, 'collect-hit/built/footfall.js'))
  print({ name: 'tracker-bytes-gzip', value: tracker, unit: 'bytes', against: 'the bar of 3,000', ratio: tracker / 3_000 })
}

/** Seconds from the navigation to the number of the first card, and to the last panel's rows. */
const openPage = async (page: Page, footfall: Footfall): Promise<{ first: number; all: number }> => {
  const begin = performance.now()
  await page.goto(`http://localhost:${footfall.port}/?compare=off`)
  await page.locator('.card.shown .card-value', { hasText: /\d/ }).first().waitFor(patience)
  const first = (performance.now() - begin) / 1000
  await page.locator('.panels table.rows').first().waitFor(patience)
  while ((await page.locator('.panels .skeleton').count()) > 0) await page.waitForTimeout(10)
  return { first, all: (performance.now() - begin) / 1000 }
}

const measure = async (name: string, rounds: number, page: Page, footfall: Footfall): Promise<void> => {
  const times: { first: number; all: number }[] = []
  for (let round = 0; round < rounds; round++) times.push(await openPage(page, footfall))
  print({ name: `page-first-numbers-${name}`, value: median(times.map(({ first }) => first)), unit: 's' })
  print({ name: `page-all-panels-${name}`, value: median(times.map(({ all }) => all)), unit: 's' })
}

export const benchPage = async (): Promise<void> => {
  printBytes()
  const footfall = await startFootfall()
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args })
  try {
    const page = await browser.newPage()
    const { url } = await footfall.ask('POST', '/api/links')
    await page.goto(url)
    await load({ port: footfall.port, path: '/api/hit', connections: 4, seconds: 60, requests: 100, seed: 1 })
    await drain(footfall)
    await measure('100-hits', 3, page, footfall)
    await load({ port: footfall.port, path: '/api/hit', connections: 256, seconds: 600, requests: hits, seed: 2 })
    await drain(footfall)
    await measure('1m-hits', 1, page, footfall)
  } finally {
    await browser.close()
    await footfall.stop()
  }
}

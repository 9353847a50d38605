import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort, until } from '../process/server.ts'
import { type Engine, engineProgram, makeBaseImage, startEngine } from './engine.ts'

/** The Dockerfile: really built, really run, without rights, on a file system that it cannot write to but for its volume. */
const root = join(import.meta.dirname, '../..')
const image = 'footfall'
const base = 'footfall-base'
let engine: Engine | undefined

beforeAll(async () => {
  engine = existsSync(engineProgram) ? await startEngine() : undefined
}, 60_000)

afterAll(async () => {
  await engine?.stop()
})

const needEngine = (skip: (note: string) => never): Engine => engine ?? skip('no container engine can run on this machine')

const settings = (port: number) => [
  '--network',
  'host',
  '--read-only',
  '--tmpfs',
  '/tmp',
  '-e',
  `FOOTFALL_PORT=${port}`,
  '-v',
  'footfall:/data',
]

describe('the container image', () => {
  test('is built', ({ skip }) => {
    const { docker } = needEngine(skip)
    makeBaseImage(engine!, base)
    docker('build', '--network', 'host', '--build-arg', `NODE_IMAGE=${base}`, '-t', image, root)
    const [of, from] = [image, base].map((name) => Number(docker('image', 'inspect', name, '--format', '{{.Size}}')))
    console.log(`the image adds ${((of! - from!) / 1e6).toFixed(1)} MB to its base`)
    const files = docker('run', '--rm', image, 'ls', '-a', '/app', '/app/node_modules', '/app/functions/serve-dashboard/built')
    expect(files).toContain('index.html')
    // Nothing of what it was built or tested with, and nothing of who built it.
    expect(files).not.toMatch(/^(vite|typescript|vitest|playwright-core|tests|\.git)$/m)
  }, 300_000)

  test('runs as nobody in particular, counts a hit, tells when it is healthy, and keeps its data', async ({ skip }) => {
    const { docker, try: attempt } = needEngine(skip)
    const port = await freePort()
    const url = `http://127.0.0.1:${port}`
    const answers = (path: string, init?: RequestInit) => fetch(url + path, init).catch(() => undefined)
    const start = () => docker('run', '-d', '--name', 'one', ...settings(port), image)
    const isUp = () =>
      until('the container', async () =>
        (await answers('/health'))?.ok ? true : attempt('inspect', 'one').out.includes('"exited"') && failed(),
      )
    const failed = (): never => {
      throw new Error(attempt('logs', 'one').out)
    }
    start()
    await isUp()
    expect(docker('exec', 'one', 'id')).toContain('uid=10001')
    expect(docker('exec', 'one', 'footfall', 'link')).toContain(`${port}/api/sign-in?token=`)
    expect(docker('exec', 'one', 'footfall', 'site', 'add', 'example.com')).toContain('data-site="example.com"')
    const hit = { method: 'POST', body: JSON.stringify({ site: 'example.com', url: 'https://example.com/', id: 'from-a-container-0001' }) }
    expect(
      (
        await answers('/api/hit', {
          ...hit,
          headers: { 'user-agent': 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' },
        })
      )?.status,
    ).toBe(202)
    expect((await answers('/'))?.headers.get('content-security-policy')).toContain("default-src 'none'")
    docker('stop', 'one')
    expect(docker('inspect', 'one', '--format', '{{.State.ExitCode}}')).toBe('0')
    docker('rm', 'one')

    start()
    await isUp()
    const ask = JSON.stringify({ site_id: 'example.com', metrics: ['pageviews'], date_range: 'all' })
    expect(JSON.parse(docker('exec', 'one', 'footfall', 'query', '--json', ask)).results).toEqual([{ dimensions: [], metrics: [1] }])
    docker('rm', '-f', 'one')
  })
})

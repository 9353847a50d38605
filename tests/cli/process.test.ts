import { execFile, spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { aClosedPort, aFolder } from './terminal.ts'

/** The program itself, as a process of its own over a real folder. */

const shim = fileURLToPath(new URL('../../scripts/footfall.mjs', import.meta.url))
const run = promisify(execFile)
const environment = async () => ({ PATH: process.env['PATH'], FOOTFALL_DATA: aFolder(), FOOTFALL_PORT: String(await aClosedPort()) })

describe('the program', () => {
  it('adds a site, makes a key and answers a query on a folder that no server holds', async () => {
    const env = await environment()
    const footfall = (...args: string[]) => run(process.execPath, [shim, ...args], { env })
    expect((await footfall('site', 'add', 'example.com')).stdout).toBe(
      `<script async src="http://localhost:${env.FOOTFALL_PORT}/footfall.js" data-site="example.com"></script>\n`,
    )
    const key = (await footfall('key', 'add', '--site', 'example.com')).stdout.trim()
    expect(key).toMatch(/^ff_read_/)
    const query = { site_id: 'example.com', metrics: ['visitors'], date_range: 'day' }
    const asked = await run(process.execPath, [shim, 'query', JSON.stringify(query)], { env: { ...env, FOOTFALL_KEY: key } })
    expect(asked.stdout).toBe('visitors\n       0\n')
    const doctor = await run(process.execPath, [shim, 'doctor'], { env }).catch((error: { code: number; stdout: string }) => error)
    expect(doctor).toMatchObject({ code: 1, stdout: expect.stringContaining('its files are of a known format') })
  }, 30_000)

  it('ends with the codes it promises', async () => {
    const env = await environment()
    const code = (...args: string[]) =>
      run(process.execPath, [shim, ...args], { env }).then(
        () => 0,
        (error: { code: number }) => error.code,
      )
    expect(await code('--help')).toBe(0)
    expect(await code('frobnicate')).toBe(2)
    expect(await code('site', 'set', 'gone.example')).toBe(1)
  }, 30_000)

  it('does not mind a reader that has seen enough', async () => {
    const piped = spawn('sh', ['-c', `"${process.execPath}" "${shim}" --help | head -1`], {
      env: await environment(),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const [out, err] = await Promise.all([text(piped.stdout), text(piped.stderr)])
    expect([out, err]).toEqual(['footfall: self-hosted web analytics whose numbers add up\n', ''])
  }, 30_000)
})

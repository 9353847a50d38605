import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { identify, isRunning, signal } from '../../scripts/services/processes.ts'
import { redis } from '../../scripts/services/redis.ts'
import type { Server } from '../../scripts/services/service.ts'
import { aPlace, type Place, reasonAgainst } from './place.ts'

/** Redis as the project runs it, asked by its own command. The life of a server in general is looked at here too: it starts fastest. */

const reason = await reasonAgainst(redis)

describe.skipIf(reason !== undefined)('redis', () => {
  let place: Place
  let server: Server
  beforeAll(async () => {
    place = await aPlace(redis)
    server = await place.start()
  })
  afterAll(() => place.end())

  const cli = (...args: string[]): string =>
    execFileSync('redis-cli', ['-h', '127.0.0.1', '-p', String(place.ports.client), ...args], { encoding: 'utf8' }).trim()

  it('keeps what it is told, and evicts nothing', () => {
    expect(cli('SET', 'page', '/docs')).toBe('OK')
    expect(cli('GET', 'page')).toBe('/docs')
    expect(cli('CONFIG', 'GET', 'maxmemory-policy')).toContain('noeviction')
    expect(cli('CONFIG', 'GET', 'hash-max-listpack-value')).toContain('512')
  })

  it('is found by whoever knows its folder', async () => {
    const found = redis.find(place.folder, place.ports)!
    expect(found.pid).toBe(server.pid)
    expect(await found.healthy()).toBe(true)
    expect(found.memory()).toBeGreaterThan(1_000_000)
    await expect(place.start()).rejects.toThrow('already runs')
  })

  it('is not healthy while it is stopped, and is afterwards', async () => {
    server.pause()
    expect(await server.healthy()).toBe(false)
    expect(server.running()).toBe(true)
    server.resume()
    expect(await server.healthy()).toBe(true)
  })

  it('has its data after kill -9, under the same address', async () => {
    const before = server
    await before.kill()
    expect(before.running()).toBe(false)
    expect(await before.healthy()).toBe(false)
    server = await place.start()
    expect(server.address).toBe(before.address)
    expect(cli('GET', 'page')).toBe('/docs')
  })

  it('says with its own words why it does not start', async () => {
    const other = await aPlace(redis)
    try {
      await expect(other.start({ settings: { 'maxmemory-policy': 'nonsense' } })).rejects.toThrow(/ended while it started.*nonsense/s)
    } finally {
      await other.end()
    }
  })

  it('runs under a command, such as one that limits how large its files may be', async () => {
    const other = await aPlace(redis)
    try {
      const limited = await other.start({ under: ['prlimit', '--fsize=20000'] })
      expect(readFileSync(`/proc/${limited.pid}/limits`, 'utf8')).toMatch(/^Max file size +20000 /m)
    } finally {
      await other.end()
    }
  })

  it('ends when it is told to, even while it is stopped', async () => {
    server.pause()
    expect(await server.stop()).toBe(true)
    expect(server.running()).toBe(false)
    // A moment later, when this process has reaped it, there is nobody of that pid.
    await expect.poll(() => identify(server.pid)).toBeUndefined()
  })
})

describe('a signal', () => {
  it('never reaches a process that has the pid of one that ended', () => {
    const self = identify(process.pid)!
    expect(isRunning(self)).toBe(true)
    const earlier = { ...self, startTicks: String(Number(self.startTicks) - 1) }
    expect(isRunning(earlier)).toBe(false)
    // Were it sent, this process would not come to the next line.
    expect(signal(earlier, 'SIGKILL')).toBe(false)
    expect(signal({ ...self, boot: 'another' }, 'SIGKILL')).toBe(false)
  })
})

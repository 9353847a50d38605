import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { aHome } from './home.ts'
import { aFolder, until } from './server.ts'

/**
 * A 202 is written only after log.db is on the disk: kill -9 cannot show that (the system keeps what was written), so the system calls
 * are watched. Between reading the request and writing its answer lies an fsync of log.db that has come back.
 */

const calls = 'read,readv,recvfrom,recvmsg,write,writev,sendto,sendmsg,pwrite64,pwritev,fsync,fdatasync'

/** Why it cannot be watched here; undefined when it can. */
const missing = (): string | undefined => {
  if (process.platform !== 'linux') return 'strace is for Linux'
  const tried = spawnSync('strace', ['-f', '-o', '/dev/null', 'true'], { encoding: 'utf8' })
  if (tried.error) return 'strace is not installed'
  return tried.status === 0 ? undefined : `strace may not trace here: ${tried.stderr.trim().split('\n')[0]}`
}
const reason = missing()

const attach = async (pid: number, file: string): Promise<ChildProcess> => {
  const child = spawn('strace', ['-f', '-y', '-s', '2000', '-e', `trace=${calls}`, '-o', file, '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  child.stderr!.on('data', (piece: Buffer) => {
    said += piece.toString()
  })
  await until('strace', () => (said.includes('attached') ? true : undefined))
  return child
}

const detach = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    child.once('close', () => resolve())
    child.kill('SIGINT')
  })

/** Lines that tell how a call ended: whole ones, and the second halves of those that others ran beside. */
const isDone = (line: string, call: string): boolean =>
  line.includes(`${call} resumed>`) || (line.includes(`${call}(`) && !line.includes('unfinished'))

/** Line numbers of the story of one hit. */
const story = (lines: readonly string[], id: string) => {
  const find = (from: number, is: (line: string) => boolean) => {
    const at = lines.findIndex((line, i) => i > from && is(line))
    return at === -1 ? undefined : at
  }
  const arrival = find(-1, (line) => /(read|recv)/.test(line) && line.includes('POST /api/hit') && line.includes(id))
  const answer = find(arrival ?? 0, (line) => /(write|send)/.test(line) && line.includes('HTTP/1.1 202'))
  const written = find(arrival ?? 0, (line) => /pwrite/.test(line) && /log\.db(-wal)?>/.test(line))
  // The thread that asked for the fsync of log.db is the one whose call must come back.
  const asked = find(written ?? 0, (line) => /f(data)?sync\(/.test(line) && /log\.db(-wal)?>/.test(line))
  const thread = asked === undefined ? '' : lines[asked]!.split(' ')[0]!
  const synced =
    asked === undefined
      ? undefined
      : find(asked - 1, (line) => line.startsWith(thread) && (isDone(line, 'fsync') || isDone(line, 'fdatasync')) && line.includes('= 0'))
  return { arrival, written, synced, answer }
}

it.skipIf(reason !== undefined)(
  `a hit is on the disk before it is answered${reason ? ` (skipped: ${reason})` : ''}`,
  async () => {
    const server = (await aHome()).server()
    const { path, remove } = aFolder()
    const file = join(path, 'calls')
    try {
      for (let i = 0; i < 5; i++) await server.hit({ site: 'localhost', url: 'http://localhost/warm' })
      await server.settled('localhost')
      const strace = await attach(server.pid, file)
      const ids = Array.from({ length: 5 }, (_, i) => `watched-${i}-${Date.now().toString(36)}`)
      for (const id of ids) expect((await server.hit({ id, site: 'localhost', url: 'http://localhost/watched' })).status).toBe(202)
      await detach(strace)
      const lines = readFileSync(file, 'utf8').split('\n')
      for (const id of ids) {
        const { arrival, written, synced, answer } = story(lines, id)
        expect({ arrival, written, synced, answer }).toEqual({
          arrival: expect.any(Number),
          written: expect.any(Number),
          synced: expect.any(Number),
          answer: expect.any(Number),
        })
        expect(written, 'log.db is written after the hit has come').toBeGreaterThan(arrival!)
        expect(synced, 'log.db is synced after it is written').toBeGreaterThan(written!)
        expect(answer, 'the answer is written after log.db is synced').toBeGreaterThan(synced!)
      }
    } finally {
      remove()
    }
  },
  60_000,
)

import {
  closeSync,
  createReadStream,
  createWriteStream,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { packTar, type TarSource, unpackTar } from 'modern-tar/fs'
import { type Client, withClient } from '../client.ts'
import { type Command, Failure } from '../command.ts'

/**
 * A backup is a tar file: `manifest.json` and the three files of the data folder. It is taken from the running server, or from the
 * folder itself where none runs.
 */
type BackupFile = { name: string; size: number; sha256: string }
type Manifest = { footfall: 1; taken: string; files: BackupFile[] }

const pieceBytes = 720_000

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`

/** Told on a terminal at most ten times a second's worth of pieces; nothing where nobody looks. */
const createProgress = (what: string, total: number, err: (line: string) => void) => {
  let done = 0
  let told = 0
  return (bytes: number) => {
    done += bytes
    if (!process.stderr.isTTY || (done - told < total / 20 && done < total)) return
    told = done
    err(`${what} ${megabytes(done)} of ${megabytes(total)}`)
  }
}

async function* pieces(client: Client, id: string, { name, size }: BackupFile, onPiece: (bytes: number) => void): AsyncGenerator<Buffer> {
  for (let offset = 0; offset < size; ) {
    const { data } = (await client.ask('GET', `/api/backups/${id}/${name}?offset=${offset}`)) as { data: string }
    const piece = Buffer.from(data, 'base64')
    if (piece.length === 0) throw new Failure(`${name}.db ended early.`, 'Take the backup again.')
    offset += piece.length
    onPiece(piece.length)
    yield piece
  }
}

const sum = (files: readonly BackupFile[]) => files.reduce((total, { size }) => total + size, 0)

const backup: Command = {
  name: 'backup',
  summary: 'copies all data into one tar file, from the running server or the folder',
  takes: ['FILE'],
  options: {},
  more: [
    'The server goes on meanwhile. The folder needs room for one more copy while it is taken.',
    'The installation key (admin.key) is not part of it.',
  ],
  run: ({ positionals: [given = ''] }, world) =>
    withClient(world, async (client) => {
      const target = resolve(given)
      if (existsSync(target)) throw new Failure(`${given} exists already.`, 'Name a new file; a backup never replaces one.')
      const { id, files } = (await client.ask('POST', '/api/backups')) as { id: string; files: BackupFile[] }
      const part = `${target}.part`
      try {
        const manifest: Manifest = { footfall: 1, taken: new Date(world.clock.now()).toISOString(), files }
        const onPiece = createProgress('copied', sum(files), world.err)
        const sources: TarSource[] = [
          { type: 'content', target: 'manifest.json', content: JSON.stringify(manifest, undefined, 2), mode: 0o600 },
          ...files.map((file): TarSource => {
            const content = Readable.from(pieces(client, id, file, onPiece))
            return { type: 'stream', target: `${file.name}.db`, content, size: file.size, mode: 0o600 }
          }),
        ]
        await pipeline(packTar(sources), createWriteStream(part, { mode: 0o600, flush: true }))
        renameSync(part, target)
      } finally {
        rmSync(part, { force: true })
        await client.ask('DELETE', `/api/backups/${id}`)
      }
      world.out(`${given}: ${megabytes(sum(files))} of data, from ${client.where}`)
      return 0
    }),
}

const readManifest = (folder: string, given: string): Manifest => {
  try {
    const manifest = JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')) as Manifest
    if (manifest.footfall === 1 && Array.isArray(manifest.files)) return manifest
    throw new Error('it has another form')
  } catch (cause) {
    throw new Failure(`${given} is no backup of Footfall.`, 'Name a file that `footfall backup` has written.', { cause })
  }
}

const sendFile = async (client: Client, id: string, path: string, name: string, onPiece: (bytes: number) => void): Promise<void> => {
  const buffer = Buffer.alloc(pieceBytes)
  const file = openSync(path, 'r')
  try {
    for (let offset = 0; ; ) {
      const n = readSync(file, buffer, 0, pieceBytes, offset)
      if (n === 0) return
      await client.ask('PUT', `/api/restores/${id}/${name}`, { offset, data: buffer.toString('base64', 0, n) })
      offset += n
      onPiece(n)
    }
  } finally {
    closeSync(file)
  }
}

const restore: Command = {
  name: 'restore',
  summary: 'puts a backup in the place of all data, of the running server or the folder',
  takes: ['FILE'],
  options: { yes: { type: 'boolean', help: 'really: what was counted since the backup is no longer shown' } },
  more: [
    'What it replaces stays in `replaced/` of the data folder until the next restore.',
    'Sign-in links, sessions and keys are those of the backup; the installation key stays.',
  ],
  run: ({ positionals: [given = ''], values }, world) =>
    withClient(world, async (client) => {
      if (!existsSync(given)) throw new Failure(`There is no file ${given}.`, 'Name a file that `footfall backup` has written.')
      if (values['yes'] !== true)
        throw new Failure(`This replaces all data of ${client.where}.`, 'Say it with --yes; take a backup before if you are not sure.')
      const folder = mkdtempSync(join(dirname(resolve(given)), '.footfall-restore-'))
      try {
        await pipeline(createReadStream(given), unpackTar(folder))
        const { taken, files } = readManifest(folder, given)
        const { id } = (await client.ask('POST', '/api/restores')) as { id: string }
        const onPiece = createProgress('sent', sum(files), world.err)
        for (const { name } of files) await sendFile(client, id, join(folder, `${name}.db`), name, onPiece)
        await client.ask('POST', `/api/restores/${id}/finish`, { files })
        world.out(`${client.where} has the data of ${taken} again`)
        return 0
      } finally {
        rmSync(folder, { recursive: true, force: true })
      }
    }),
}

export const commands: readonly Command[] = [backup, restore]

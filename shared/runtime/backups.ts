import { closeSync, mkdirSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { FootfallError } from '../errors.ts'
import { type Handler, json, type Request } from '../handler.ts'
import type { Secrets } from '../ports/sites.ts'
import { allow, allowChange, identify } from '../site/access.ts'
import { wireBackups } from '../wire.ts'

/**
 * Backup and restore of the data folder over HTTP, in pieces that fit a request: `POST /api/backups` copies the folder, its files are
 * read piece by piece, `DELETE` forgets the copy; `POST /api/restores` begins one, pieces are put, `…/finish` checks them and puts
 * them in the folder's place. Only for keys that hold for all sites with the role `own`.
 */
export type Ports = {
  folder: string
  secrets: Secrets
  clock: Clock
  /** Closes everything, puts the staged restore in place and opens everything again. */
  restart(): Promise<void>
}

/** Bytes of one piece; as base64 in JSON it stays below the largest body. */
export const pieceBytes = 720_000

const fileSchema = z.strictObject({ name: z.enum(['state', 'log', 'site']), size: z.int().min(0), sha256: z.string().length(64) })
const manifestSchema = z.strictObject({ files: z.array(fileSchema).length(3) })
const pieceSchema = z.strictObject({ offset: z.int().min(0), data: z.base64() })

/** Copies and half-sent restores of an earlier process are of no use. */
export const dropLeftovers = (folder: string): void => {
  for (const name of readdirSync(folder))
    if (/^(?:backup|restore)-[0-9a-f]{24}$/.test(name)) rmSync(join(folder, name), { recursive: true, force: true })
}

const parseBody = <T>(schema: z.ZodType<T>, { body }: Request): T => {
  try {
    return schema.parse(JSON.parse(body.toString('utf8')))
  } catch (cause) {
    throw new FootfallError('bad-request', {
      detail: cause instanceof z.ZodError ? z.prettifyError(cause) : 'The body is not JSON.',
      cause,
    })
  }
}

const readPiece = (path: string, offset: number): Buffer => {
  const buffer = Buffer.alloc(pieceBytes)
  const file = openSync(path, 'r')
  try {
    return buffer.subarray(0, readSync(file, buffer, 0, pieceBytes, offset))
  } finally {
    closeSync(file)
  }
}

/** Pieces may be sent again: each says where it belongs. */
const writePiece = (path: string, offset: number, data: Buffer): void => {
  const file = openSync(path, offset === 0 ? 'w' : 'r+', 0o600)
  try {
    writeSync(file, data, 0, data.length, offset)
  } finally {
    closeSync(file)
  }
}

export const createBackups = async ({ folder, secrets, clock, restart }: Ports): Promise<Handler> => {
  const { checkBackup, names, pathOf, snapshotFolder, stageRestore } = await wireBackups()
  const open = new Set<string>()

  const begin = (kind: 'backup' | 'restore'): { id: string; path: string } => {
    const id = `${kind}-${clock.random(12).toString('hex')}`
    open.add(id)
    return { id, path: join(folder, id) }
  }
  const placeOf = (id: string): string => {
    if (!open.has(id)) throw new FootfallError('not-found', { hint: 'Begin again: a copy is forgotten when the server stops.' })
    return join(folder, id)
  }
  const forget = (id: string): void => {
    rmSync(placeOf(id), { recursive: true, force: true })
    open.delete(id)
  }
  const fileOf = (id: string, name: string): string => {
    const known = names.find((one) => one === name)
    if (!known) throw new FootfallError('not-found')
    return pathOf(placeOf(id), known)
  }

  const beginBackup = async () => {
    const { id, path } = begin('backup')
    try {
      return json(201, { id, files: await snapshotFolder(folder, path) })
    } catch (error) {
      forget(id)
      throw error
    }
  }

  const beginRestore = () => {
    const { id, path } = begin('restore')
    mkdirSync(path, { mode: 0o700 })
    return json(201, { id })
  }

  const finish = async (id: string, request: Request) => {
    const { files } = parseBody(manifestSchema, request)
    const path = placeOf(id)
    checkBackup(path, files)
    stageRestore(folder, path)
    open.delete(id)
    await restart()
    return json(200, { restored: true })
  }

  const answer = async (request: Request) => {
    const [, , kind, id = '', name = ''] = request.path.split('/')
    const what = `${request.method} ${kind}${id && '/ID'}${name && (name === 'finish' ? '/finish' : '/FILE')}`
    switch (what) {
      case 'POST backups':
        return beginBackup()
      case 'GET backups/ID/FILE':
        return json(200, {
          data: readPiece(fileOf(id, name), Number(new URLSearchParams(request.query).get('offset') ?? 0)).toString('base64'),
        })
      case 'DELETE backups/ID':
        forget(id)
        return json(200, { forgotten: true })
      case 'POST restores':
        return beginRestore()
      case 'PUT restores/ID/FILE': {
        const { offset, data } = parseBody(pieceSchema, request)
        writePiece(fileOf(id, name), offset, Buffer.from(data, 'base64'))
        return json(200, { written: true })
      }
      case 'POST restores/ID/finish':
        return finish(id, request)
      default:
        throw new FootfallError('not-found')
    }
  }

  return async (request) => {
    allowChange(request, allow(await identify(request, secrets, clock.now()), '', 'all'))
    return answer(request)
  }
}

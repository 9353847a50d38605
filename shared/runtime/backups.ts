import { closeSync, mkdirSync, openSync, readdirSync, readSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { FootfallError, replyOf } from '../errors.ts'
import { type Handler, json, type Reply, type Request } from '../handler.ts'
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

/** A copy, or a restore that is being sent, which nobody has asked about for so long is dropped: its sender has gone. */
const unusedMs = 3_600_000

type Kind = 'backup' | 'restore'

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

const openPiece = (path: string, offset: number): number => {
  try {
    return openSync(path, offset === 0 ? 'w' : 'r+', 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new FootfallError('bad-request', { detail: 'The first piece is missing.', hint: 'Send the pieces in order, from offset 0 on.' })
  }
}

/** Pieces may be sent again: each says where it belongs. */
const writePiece = (path: string, offset: number, data: Buffer): void => {
  const file = openPiece(path, offset)
  try {
    writeSync(file, data, 0, data.length, offset)
  } finally {
    closeSync(file)
  }
}

const offsetOf = ({ query }: Request): number => {
  const text = new URLSearchParams(query).get('offset') ?? '0'
  const offset = Number(text)
  if (/^\d+$/.test(text) && Number.isSafeInteger(offset)) return offset
  throw new FootfallError('bad-request', { detail: 'offset is no whole number from 0 on.' })
}

/** What is wrong with a backup that was sent is told as it is, and is the sender's: the codes of our own files have no HTTP status. */
const refusal = (error: unknown): Reply => {
  if (error instanceof FootfallError && error.status < 400) return { ...replyOf(error), status: 400 }
  throw error
}

export const createBackups = async ({ folder, secrets, clock, restart }: Ports): Promise<Handler> => {
  const { checkBackup, keepKeys, names, pathOf, snapshotFolder, stageRestore } = await wireBackups()
  /** When each was last asked about; one that is at work is not to be dropped whatever it takes. */
  const open = new Map<string, number>()
  const atWork = Number.POSITIVE_INFINITY
  let isFinishing = false

  const begin = (kind: Kind): { id: string; path: string } => {
    for (const [id, usedAt] of open) if (usedAt < clock.now() - unusedMs) forget(id)
    const id = `${kind}-${clock.random(12).toString('hex')}`
    open.set(id, clock.now())
    return { id, path: join(folder, id) }
  }
  const forget = (id: string): void => {
    rmSync(join(folder, id), { recursive: true, force: true })
    open.delete(id)
  }
  /** A copy is only read and a restore only written: the id of one is nothing to the paths of the other. */
  const placeOf = (kind: Kind, id: string): string => {
    const usedAt = open.get(id)
    if (usedAt === undefined || !id.startsWith(`${kind}-`))
      throw new FootfallError('not-found', {
        hint: 'Begin again: a copy is forgotten after an hour without use, and when the server stops.',
      })
    if (usedAt === atWork) throw new FootfallError('conflict', { detail: 'It is being checked.' })
    open.set(id, clock.now())
    return join(folder, id)
  }
  const fileOf = (kind: Kind, id: string, name: string): string => {
    const known = names.find((one) => one === name)
    if (!known) throw new FootfallError('not-found')
    return pathOf(placeOf(kind, id), known)
  }

  const beginBackup = async () => {
    const { id, path } = begin('backup')
    open.set(id, atWork)
    try {
      const files = await snapshotFolder(folder, path)
      open.set(id, clock.now())
      return json(201, { id, files })
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

  const put = async (id: string, files: Parameters<typeof checkBackup>[1]): Promise<Reply> => {
    const path = placeOf('restore', id)
    open.set(id, atWork)
    try {
      await checkBackup(path, files)
    } catch (error) {
      open.set(id, clock.now())
      return refusal(error)
    }
    open.delete(id)
    keepKeys(folder, path)
    stageRestore(folder, path)
    await restart()
    return json(200, { restored: true })
  }

  /** One at a time: of two, the second would be staged while the first is being put in place, and be lost. */
  const finish = async (id: string, request: Request): Promise<Reply> => {
    const { files } = parseBody(manifestSchema, request)
    if (isFinishing) throw new FootfallError('conflict', { detail: 'Another restore is being put in place.' })
    isFinishing = true
    try {
      return await put(id, files)
    } finally {
      isFinishing = false
    }
  }

  const answer = async (request: Request) => {
    const [, , kind, id = '', name = ''] = request.path.split('/')
    const what = `${request.method} ${kind}${id && '/ID'}${name && (name === 'finish' ? '/finish' : '/FILE')}`
    switch (what) {
      case 'POST backups':
        return beginBackup()
      case 'GET backups/ID/FILE':
        return json(200, {
          data: readPiece(fileOf('backup', id, name), offsetOf(request)).toString('base64'),
        })
      case 'DELETE backups/ID':
        placeOf('backup', id)
        forget(id)
        return json(200, { forgotten: true })
      case 'POST restores':
        return beginRestore()
      case 'PUT restores/ID/FILE': {
        const { offset, data } = parseBody(pieceSchema, request)
        writePiece(fileOf('restore', id, name), offset, Buffer.from(data, 'base64'))
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

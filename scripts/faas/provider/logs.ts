import { type FileHandle, open } from 'node:fs/promises'

/** What replicas have written, line by line, as OpenFaaS' logs API has it. */

export type LogSource = { instance: string; path: string }
export type LogQuery = {
  name: string
  since: number | undefined
  tail: number | undefined
  follow: boolean
  signal: AbortSignal | undefined
}

const followEveryMs = 200
/** Of a longer log the end is read. */
const mostBytes = 1_048_576

const timeOf = (line: string, otherwise: number): number => {
  const time = Date.parse(/"time":"([^"]{20,30})"/.exec(line)?.[1] ?? '')
  return Number.isNaN(time) ? otherwise : time
}

type Line = { instance: string; time: number; text: string }

const record = (name: string, { instance, time, text }: Line): string =>
  `${JSON.stringify({ name, namespace: 'openfaas-fn', instance, timestamp: new Date(time).toISOString(), text })}\n`

const readFrom = async (file: FileHandle, from: number): Promise<{ text: string; to: number }> => {
  const { size } = await file.stat()
  const start = Math.max(from, size - mostBytes)
  const buffer = Buffer.alloc(Math.max(0, size - start))
  const { bytesRead } = await file.read(buffer, 0, buffer.length, start)
  return { text: buffer.toString('utf8', 0, bytesRead), to: start + bytesRead }
}

/** Lines of all replicas by time; goes on with what is written later when it is to follow. */
export async function* logLines(sources: readonly LogSource[], query: LogQuery): AsyncGenerator<string, void, void> {
  const { name, since = 0, tail, follow, signal } = query
  const opened = await Promise.all(sources.map(async ({ instance, path }) => ({ instance, file: await open(path, 'r'), at: 0, rest: '' })))
  const newLines = async (): Promise<Line[]> => {
    const all: Line[] = []
    for (const one of opened) {
      const { text, to } = await readFrom(one.file, one.at)
      one.at = to
      const lines = (one.rest + text).split('\n')
      one.rest = lines.pop()!
      const { mtimeMs } = await one.file.stat()
      for (const line of lines) all.push({ instance: one.instance, time: timeOf(line, mtimeMs), text: line })
    }
    return all.filter(({ time }) => time >= since).sort((a, b) => a.time - b.time)
  }
  try {
    const before = await newLines()
    for (const line of tail === undefined || tail < 0 ? before : before.slice(-tail)) yield record(name, line)
    while (follow && !signal?.aborted) {
      await new Promise((resolve) => setTimeout(resolve, followEveryMs))
      for (const line of await newLines()) yield record(name, line)
    }
  } finally {
    for (const { file } of opened) await file.close()
  }
}

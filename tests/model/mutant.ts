import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { basename, dirname, join, posix } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** A copy of a source file, and of those it needs changed, in which a rule is broken. */

/** Replaces `from`, which the file has exactly once, by `to`. Files are named from the root of the repository. */
export type Edit = { file: string; from: string; to: string }

const root = fileURLToPath(new URL('../../', import.meta.url))

const replaceOnce = (text: string, { file, from, to }: Edit): string => {
  const parts = text.split(from)
  if (parts.length !== 2) throw new Error(`mutation out of date: ${file} has ${parts.length - 1} times ${JSON.stringify(from)}`)
  return parts.join(to)
}

/** Imports as they are from the copy's folder: other copies beside it, everything else where it always is. */
const moveImports = (text: string, file: string, copied: readonly string[]): string =>
  text.replaceAll(/from '([#.][^']*)'/g, (_, name: string) => {
    const target = name.startsWith('#') ? name.slice(1) : posix.join(dirname(file), name)
    return `from '${copied.includes(target) ? `./${target.replaceAll('/', '-')}` : `#${target}`}'`
  })

/** Writes the copies and loads the one of `entry`; `through` are files it reaches edited ones by, which are copied as they are. */
export const loadMutant = async (
  name: string,
  entry: string,
  edits: readonly Edit[],
  through: readonly string[] = [],
): Promise<unknown> => {
  const folder = join(root, 'tests/model/.mutants', basename(name))
  const files = [...new Set([entry, ...through, ...edits.map(({ file }) => file)])]
  await mkdir(folder, { recursive: true })
  for (const file of files) {
    const source = await readFile(join(root, file), 'utf8')
    const broken = edits.filter((edit) => edit.file === file).reduce(replaceOnce, source)
    await writeFile(join(folder, file.replaceAll('/', '-')), moveImports(broken, file, files))
  }
  return import(/* @vite-ignore */ pathToFileURL(join(folder, entry.replaceAll('/', '-'))).href)
}

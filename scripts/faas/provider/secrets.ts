import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { namesIn } from '../../services/processes.ts'

/** Secrets: files of a folder that functions read. What is in them is never told. */

const nameSchema = z.string().regex(/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/, 'the name of a secret is of a-z, 0-9, - and .')

export const secretSchema = z.object({
  name: nameSchema,
  namespace: z.string().optional(),
  value: z.string().optional(),
  /** Base64; what is in it counts, byte for byte, where both are given. */
  rawValue: z.string().optional(),
})
export type Secret = z.output<typeof secretSchema>

export const createSecrets = (folder: string) => {
  const pathOf = (name: string) => join(folder, name)
  const names = async (): Promise<string[]> => (await namesIn(folder)).sort()
  return {
    names,
    has: async (name: string): Promise<boolean> => (await names()).includes(name),
    async put({ name, value = '', rawValue }: Secret): Promise<void> {
      await mkdir(folder, { recursive: true, mode: 0o700 })
      await writeFile(pathOf(name), rawValue === undefined ? value : Buffer.from(rawValue, 'base64'), { mode: 0o600 })
      await chmod(pathOf(name), 0o600)
    },
    remove: (name: string): Promise<void> => rm(pathOf(name)),
  }
}
export type Secrets = ReturnType<typeof createSecrets>

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { FootfallError } from '../../errors.ts'
import type { Connection } from './connection.ts'
import { stringAt, textsOf } from './replies.ts'

/** Scripts of the folder `lua`: each runs as one atomic step, on keys of one partition and stage. */
export type Script = { text: string; sha: string }

const read = (name: string): string => readFileSync(join(import.meta.dirname, 'lua', `${name}.lua`), 'utf8')

const scriptOf = (text: string): Script => ({ text, sha: createHash('sha1').update(text).digest('hex') })

export const script = (name: string): Script => scriptOf(read(name))
/** A script that knows what a record is. */
export const recordScript = (name: string): Script => scriptOf(read('record') + read(name))

/** The script itself is sent only when the server does not know it: it did not run then. */
export const run = async (
  connection: Connection,
  { text, sha }: Script,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> => {
  const rest = [keys.length, ...keys, ...args]
  try {
    return await connection.send('EVALSHA', [sha, ...rest])
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    return connection.send('EVAL', [text, ...rest])
  }
}

/** How often in a row a state may be given up while somebody wants to write into it. */
const triesLimit = 5

/**
 * The names of the states that stand, by partition, as far as they are known. A script that writes names its keys, so that a Cluster can
 * refuse it as a whole, and a key has the name of the state in it; where another state stands, the script says which, and changes nothing.
 */
export type States = {
  learn(partition: number, state: string): void
  /** Runs a script that answers `state NAME` where another one stands: once more with that. Answers what else it says. */
  within(partition: number, runIn: (state: string) => Promise<unknown>): Promise<string[]>
}

export const createStates = (): States => {
  const known = new Map<string | number, string>()
  return {
    learn: (partition, state) => void known.set(partition, state),
    async within(partition, runIn) {
      for (let tries = 0; tries < triesLimit; tries++) {
        const answer = textsOf(await runIn(known.get(partition) ?? ''))
        if (answer[0] !== 'state') return answer
        known.set(partition, stringAt(answer, 1))
      }
      throw new FootfallError('store-unavailable', { detail: `The state of partition ${partition} is begun anew again and again.` })
    },
  }
}

/** How our own commands (`npm run services`, `npm run faas`) end, and what they say then. */

/** Words or options that a command does not know. */
export class UsageError extends Error {}

export const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** A line of the answer, on standard output. */
export const out = (text: string): void => void process.stdout.write(`${text}\n`)

/** Runs a command to its exit code: 0, 1 when it did not come to what was asked, 2 when it was not understood. `name`: as in `npm run NAME`. */
export const runCommand = async (name: string, run: () => Promise<boolean>): Promise<void> => {
  try {
    process.exitCode = (await run()) ? 0 : 1
  } catch (error) {
    process.stderr.write(`${errorText(error)}\n`)
    if (error instanceof UsageError) process.stderr.write(`\`npm run ${name} -- --help\` says more.\n`)
    process.exitCode = error instanceof UsageError ? 2 : 1
  }
}

import type { WriteStream } from 'node:tty'
import type { Progress } from './downloads.ts'

const lineEveryMs = 5_000
const isCount = (text: string): boolean => /\d+ of \d+/.test(text)

/** Progress on a terminal, where counts replace each other; elsewhere a line for each, but of counts only every few seconds one. */
export const progressTo = (stream: WriteStream): Progress => {
  let lastCount = Number.NEGATIVE_INFINITY
  let open = false
  return (text) => {
    if (isCount(text) && stream.isTTY) {
      stream.write(`\r${text}\u001b[K`)
      open = true
      return
    }
    if (isCount(text)) {
      if (performance.now() - lastCount < lineEveryMs) return
      lastCount = performance.now()
    }
    stream.write(`${open ? '\n' : ''}${text}\n`)
    open = false
  }
}

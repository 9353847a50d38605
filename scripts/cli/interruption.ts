/** Commands that work for long end at Ctrl-C, and say how far they came. */

/** Aborted by the first Ctrl-C; the second ends the process as usual. */
export const interruption = (): { signal: AbortSignal; end(): void } => {
  const abort = new AbortController()
  const stop = () => abort.abort()
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  return {
    signal: abort.signal,
    end: () => {
      process.off('SIGINT', stop)
      process.off('SIGTERM', stop)
    },
  }
}

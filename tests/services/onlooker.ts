import type { Installed } from './installation.ts'

/**
 * Asks for a site's count again and again while everything falls. An answer may fail, or say that it is incomplete; one that claims to be whole
 * must never be smaller than one before it.
 */
export type Onlooker = {
  /** Stops asking; answers what was wrong, and how many answers were whole. */
  stop(): Promise<{ wrong: string[]; whole: number }>
}

const everyMs = 500

export const watchCount = (home: Installed, site: string): Onlooker => {
  const wrong: string[] = []
  let whole = 0
  let most = 0
  let isOver = false
  const body = { site_id: site, date_range: 'all', metrics: ['events'], include: { bots: true } }

  const look = async (): Promise<void> => {
    const reply = await home.ask('POST', '/api/v2/query', body)
    if (reply.status === 500) wrong.push(`a question about ${site} was answered 500: ${JSON.stringify(reply.body)}`)
    if (reply.status !== 200) return
    // biome-ignore lint/suspicious/noExplicitAny: what a server answers is looked at, not trusted
    const { results, meta } = reply.body as any
    if (meta.incomplete_since !== undefined) return
    whole++
    const count = results[0].metrics[0]
    if (count < most) wrong.push(`${site}: ${count} events after ${most}, and nothing says that some are missing: ${JSON.stringify(meta)}`)
    most = Math.max(most, count)
  }

  const run = async (): Promise<void> => {
    while (!isOver) {
      await look().catch(() => undefined) // nobody there: the front door cuts, or is silent
      await new Promise((resolve) => setTimeout(resolve, everyMs))
    }
  }
  const running = run()
  return {
    async stop() {
      isOver = true
      await running
      return { wrong, whole }
    },
  }
}

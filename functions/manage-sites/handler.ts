import { FootfallError, replyOf } from '#shared/errors.ts'
import type { Handler, Reply, Request } from '#shared/handler.ts'
import { identify } from '#shared/site/access.ts'
import type { Ports, Step } from './call.ts'
import { addKey, listKeys, revokeKey } from './keys.ts'
import { addReplay, listReplays, setReplay } from './replays.ts'
import { runSchedule } from './schedule.ts'
import { addLink, showMe, signIn, signOut } from './sign-in.ts'
import { addSite, dropSite, listSites, setSite, showSite } from './sites.ts'

/**
 * manage-sites: sites and their options, keys, signing in, and what is due by the clock. It is the only writer of all that; it never
 * sees a hit. Every step but signIn and runSchedule asks for the access it needs before it does anything.
 */

/** The paths. `*` stands for one part, given to the step decoded. `/schedule` is called by the runtime and is routed from nowhere else. */
const routes: readonly { path: string; steps: Readonly<Record<string, Step>> }[] = [
  { path: '/api/sites', steps: { GET: listSites, POST: addSite } },
  { path: '/api/sites/*', steps: { GET: showSite, PATCH: setSite, DELETE: dropSite } },
  { path: '/api/keys', steps: { GET: listKeys, POST: addKey } },
  { path: '/api/keys/*', steps: { DELETE: revokeKey } },
  { path: '/api/replays', steps: { GET: listReplays, POST: addReplay } },
  { path: '/api/replays/*', steps: { PATCH: setReplay } },
  { path: '/api/links', steps: { POST: addLink } },
  { path: '/api/sign-in', steps: { GET: signIn } },
  { path: '/api/sign-out', steps: { POST: signOut } },
  { path: '/api/me', steps: { GET: showMe } },
  { path: '/schedule', steps: { POST: runSchedule } },
  // What a cron trigger calls: the function itself.
  { path: '/', steps: { POST: runSchedule } },
]

const bodyLimit = 64 * 1024

const decoded = (text: string): string => {
  try {
    return decodeURIComponent(text)
  } catch {
    return '' // not UTF-8: names nothing
  }
}

const find = ({ method, path }: Request): { step: Step; name: string } => {
  const last = path.lastIndexOf('/')
  const folder = `${path.slice(0, last)}/*`
  const exact = routes.find((route) => route.path === path)
  const route = exact ?? (last < path.length - 1 ? routes.find((other) => other.path === folder) : undefined)
  if (!route) throw new FootfallError('not-found')
  const step = Object.hasOwn(route.steps, method) ? route.steps[method] : undefined
  if (!step) throw new FootfallError('wrong-method', { detail: `It takes ${Object.keys(route.steps).join(', ')}.` })
  return { step, name: exact ? '' : decoded(path.slice(last + 1)) }
}

const serve = async (request: Request, ports: Ports): Promise<Reply> => {
  const { step, name } = find(request)
  if (request.body.length > bodyLimit) throw new FootfallError('too-large', { hint: 'Send at most 64 kB.' })
  const now = ports.clock.now()
  const access = await identify(request, ports.secrets, now)
  return step({ request, access, name, now, ports })
}

/**
 * What it does, over the ports it is made of. A refusal is a reply; a failure (a store that is down, a bug) is thrown to the runtime,
 * which logs it and answers, or runs the schedule again.
 */
export const createHandler =
  (ports: Ports): Handler =>
  async (request) => {
    try {
      return await serve(request, ports)
    } catch (error) {
      if (error instanceof FootfallError && error.status < 500) return replyOf(error)
      throw error
    }
  }

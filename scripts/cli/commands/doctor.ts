import { checkDisk, checkFolder, checkLag, checkServer, checkSettings, type Finding, failed } from '../checks.ts'
import { type Command, UsageError, type World } from '../command.ts'
import { fetchPage, problemOf, scriptTags } from '../installed.ts'
import { safeJson, safeText } from '../print.ts'

const checkPage = async (address: URL, sites: readonly string[], publicUrl: string): Promise<Finding> => {
  try {
    const { url, answer } = await fetchPage(address)
    if (answer.status !== 200)
      return {
        check: 'page',
        state: 'fail',
        text: `${url.href} answers ${answer.status}.`,
        cure: 'Give the address of a page of your site.',
      }
    const tags = scriptTags(answer.text, url)
    const found = problemOf(tags, url, sites, new URL(publicUrl))
    if (found) return { check: 'page', state: 'fail', text: `${url.href}: ${found.problem}`, cure: found.cure }
    return { check: 'page', state: 'ok', text: `${url.href} carries the tracker of ${tags[0]!.site}` }
  } catch (error) {
    return failed('page', error, `See whether ${address.href} can be opened from this machine.`)
  }
}

const checkAll = async (world: World, page: URL | undefined): Promise<Finding[]> => {
  let config: ReturnType<World['config']>
  try {
    config = world.config()
  } catch (error) {
    return [failed('settings', error, 'See docs/settings.md.')] // nothing else can be looked at without them
  }
  const findings = [checkSettings(config), ...(await checkFolder(world)), ...(await checkDisk(config.data))]
  const { findings: seen, client } = await checkServer(world)
  findings.push(...seen)
  let sites: string[] = []
  if (client) {
    try {
      const lag = await checkLag(client, world.clock.now())
      findings.push(...lag.findings)
      sites = lag.sites
    } catch (error) {
      findings.push(failed('lag', error, 'Look into the log of the server.'))
    }
  }
  if (page && client) findings.push(await checkPage(page, sites, config.url))
  if (page && !client)
    findings.push({ check: 'page', state: 'warn', text: 'not looked at without the server.', cure: 'Cure the above first.' })
  return findings
}

const addressOf = (text: string): URL => {
  const full = /^[a-z]+:\/\//i.test(text) ? text : `https://${text}`
  if (!URL.canParse(full) || !/^https?:\/\//i.test(full))
    throw new UsageError(`${JSON.stringify(text)} is no address of a page.`, 'Give one such as https://example.com/.')
  return new URL(full)
}

const doctor: Command = {
  name: 'doctor',
  summary: 'looks at settings, folder, server and lag, and whether a page carries the tracker; says the cure',
  takes: ['[URL]'],
  options: { json: { type: 'boolean', help: 'print JSON' } },
  more: ['Never takes the lock of the data folder. Exit 1 when something fails.'],
  run: async ({ values, positionals: [text] }, world) => {
    const findings = await checkAll(world, text === undefined ? undefined : addressOf(text))
    if (values['json']) world.out(safeJson(findings))
    else
      for (const { check, state, text: line, cure } of findings) {
        world.out(safeText(`${state.padEnd(4)}  ${check.padEnd(8)}  ${line}`))
        if (cure) world.out(safeText(`${' '.repeat(16)}→ ${cure}`))
      }
    return findings.some(({ state }) => state === 'fail') ? 1 : 0
  },
}

export const commands: readonly Command[] = [doctor]

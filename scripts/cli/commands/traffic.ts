import { createPlan } from '../../traffic/plan.ts'
import { createTraffic, type Traffic, type TrafficOptions, TrafficStopped } from '../../traffic/send.ts'
import type { Summary } from '../../traffic/tally.ts'
import { baseOf, checkFootfall, clientAt, keyOf } from '../client.ts'
import { type Command, Failure, siteOption, textOf, UsageError, type Values, type World } from '../command.ts'
import { reasonOf } from '../http.ts'
import { interruption } from '../interruption.ts'

/** `footfall traffic`: sends made-up visitors' hits to a running server, for trying it out and for measuring it. */

const defaults = { rate: 100, seconds: 10, seed: 1 } as const
/** What is unknown at the end is sent again for this long. */
const settleMs = 30_000
const progressMs = 500
/** A run of any length shows whole visits: ten minutes of them, or the time itself when that is longer. */
const shownS = 600

const numberOf = (values: Values, name: string, fallback: number, least: number, most: number, isWhole = false): number => {
  const text = textOf(values, name)
  if (text === undefined) return fallback
  const value = text.trim() === '' ? Number.NaN : Number(text)
  if (value >= least && value <= most && (!isWhole || Number.isInteger(value))) return value
  throw new UsageError(`--${name} is ${JSON.stringify(text)}.`, `Give a ${isWhole ? 'whole ' : ''}number from ${least} to ${most}.`)
}

/** The running server; a folder that no server holds is not enough, for this is about HTTP. */
const serverOf = async (world: World): Promise<URL> => {
  const base = baseOf(world)
  if (!base)
    throw new UsageError('FOOTFALL_PORT is 0: the server may be on any port.', 'Set FOOTFALL_URL to the address that its start printed.')
  await checkFootfall(base)
  return base
}

/** The site as it is registered. Without a key nobody can be asked; the first hit will tell. */
const registered = async (base: URL, site: string, world: World): Promise<string> => {
  try {
    const found = (await clientAt(base, world.config()).ask('GET', `/api/sites/${encodeURIComponent(site)}`)) as { site: string }
    return found.site
  } catch (error) {
    if (error instanceof Failure && (error.code === 'no-key' || error.code === 'wrong-key')) return site
    if (error instanceof Failure && error.code === 'unknown-site')
      throw new Failure(`The site ${site} is not registered.`, `Add it with \`footfall site add ${site}\`.`, { code: error.code })
    throw error
  }
}

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')
const list = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${whole(count)} ${reason}`)
    .join(', ')
const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, count) => sum + count, 0)
const millis = (value: number): string => (value < 10 ? value.toFixed(1) : whole(value))

const summaryLines = ({ sent, ok, refused, unknown, open, rate, seconds, p50, p99 }: Summary): string[] => [
  `sent      ${whole(sent)} hits in ${seconds.toFixed(1)} s, ${whole(rate)} a second`,
  `ok        ${whole(ok)}`,
  `refused   ${whole(total(refused))}${total(refused) > 0 ? ` (${list(refused)})` : ''}`,
  `unknown   ${whole(open)}${total(unknown) > 0 ? ` (${list(unknown)}; ${whole(total(unknown) - open)} definite after being sent again)` : ''}`,
  `latency   p50 ${millis(p50)} ms, p99 ${millis(p99)} ms from when a hit was due`,
]

/** What the numbers ask for, in a sentence each. */
const advice = ({ refused, open, unsent, ok, sent }: Summary): string[] => [
  ...(refused['rate']
    ? [
        `${whole(refused['rate'])} hits were refused \`rate\`: the server limits hits per network (FOOTFALL_RATE). It believes the`,
        'addresses of these visitors only from a proxy it trusts (FOOTFALL_TRUSTED_PROXIES); --batch sends them with the key, unlimited.',
      ]
    : []),
  ...(unsent > 0 ? [`${whole(unsent)} hits were due and could not be sent: the server did not keep up with --rate.`] : []),
  ...(open > 0 ? [`${whole(open)} hits are still unknown: the server may have them or not. Look at its log.`] : []),
  ...(ok === 0 && sent > 0 ? ['Not one hit was accepted.'] : []),
]

/** Shows how far it is on a terminal, and nothing anywhere else. Answers how to end it. */
const showProgress = (traffic: Traffic, seconds: number): (() => void) => {
  if (!process.stderr.isTTY) return () => undefined
  const begin = performance.now()
  const clear = '\r\u001b[K'
  const timer = setInterval(() => {
    const { sent, ok, open } = traffic.summary()
    const passed = (performance.now() - begin) / 1000
    const text = `${passed.toFixed(0)} of ${seconds} s: ${whole(sent)} sent, ${whole(ok)} ok, ${whole(sent / passed)} a second`
    process.stderr.write(`${clear}${text}${open > 0 ? `, ${whole(open)} unknown` : ''}`)
  }, progressMs)
  return () => {
    clearInterval(timer)
    process.stderr.write(clear)
  }
}

const open = (options: TrafficOptions): Traffic => {
  try {
    return createTraffic(options)
  } catch (cause) {
    throw new Failure(`The ledger ${options.ledger} cannot be written (${reasonOf(cause)}).`, 'Name a file in a folder you may write to.')
  }
}

const traffic: Command = {
  name: 'traffic',
  summary: "sends made-up visitors' hits to the running server, and says what became of them",
  takes: [],
  options: {
    site: { type: 'string', value: 'DOMAIN', help: 'the registered site they visit' },
    rate: { type: 'string', value: 'N', help: `hits a second (${defaults.rate})` },
    seconds: { type: 'string', value: 'N', help: `for how long (${defaults.seconds})` },
    seed: { type: 'string', value: 'N', help: `the same seed sends the same visitors to the same pages (${defaults.seed})` },
    batch: { type: 'string', value: 'N', help: 'N hits in a request with the key, as a server sends them (one, as browsers do)' },
    ledger: { type: 'string', value: 'FILE', help: 'append the outcome of every hit to FILE, a JSON line each' },
  },
  more: [
    'Hits are due at fixed times whatever the server does. 5 % are robots, 2 % come late, 1 % twice, and 0.5 % must be refused.',
    'What has no answer, or a 503, is unknown and sent again at the end with the same id: it is counted once. See docs/traffic.md.',
    'They stay in the numbers of the site: use one of its own, such as localhost.',
  ],
  run: async ({ values }, world) => {
    const name = siteOption(values)
    const rate = numberOf(values, 'rate', defaults.rate, 0.1, 100_000)
    const seconds = numberOf(values, 'seconds', defaults.seconds, 1, 604_800)
    const seed = numberOf(values, 'seed', defaults.seed, 0, 2 ** 32 - 1, true)
    const batch = textOf(values, 'batch') === undefined ? undefined : numberOf(values, 'batch', 1, 1, 1_000, true)

    const url = await serverOf(world)
    const site = await registered(url, name, world)
    const keyed = batch === undefined ? undefined : { key: keyOf(world.config()), batch }
    const plan = createPlan({ site, seed, rate, speed: Math.max(1, shownS / seconds), now: world.clock.now() })
    const sender = open({ url, site, plan, ledger: textOf(values, 'ledger'), keyed })
    const { signal, end } = interruption()
    const hide = showProgress(sender, seconds)
    try {
      await sender.send({ rate, seconds, signal })
      if (!signal.aborted) await sender.settle(settleMs, signal)
    } catch (error) {
      if (error instanceof TrafficStopped) throw new Failure(error.message, error.hint)
      throw error
    } finally {
      hide()
      end()
      sender.close()
    }
    const summary = sender.summary()
    for (const line of summaryLines(summary)) world.out(line)
    for (const line of advice(summary)) world.err(line)
    return summary.open > 0 || summary.ok === 0 ? 1 : 0
  },
}

export const commands: readonly Command[] = [traffic]

import type { Request } from '#shared/handler.ts'
import { clientAddress, createCidrs, networkOf, parseAddress } from '#shared/hit/address.ts'
import type { ResolvedHit } from '#shared/hit/batch.ts'
import { agentHash, agentRoute, clientHash, clientRoute, firstDayOf, userHash } from '#shared/hit/identity.ts'
import type { ParsedHit } from '#shared/hit/parse.ts'
import type { Device, Place, RefusalReason } from '#shared/hit/record.ts'
import { createRecent, recall } from '#shared/recent.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { KnownSalts } from '#shared/site/salt-cache.ts'
import { isSharded, shardOf } from '#shared/site/shards.ts'
import { addDays, calendarOf } from '#shared/site/zone.ts'

/**
 * What must not be stored is resolved here, at the edge: address and agent become a visitor hash, a place, a device and verdicts.
 */
export type EdgeKnowledge = {
  agents: (agent: string) => { device: Device; bot?: string }
  places: (address: string) => Place
  isTrustedProxy: (address: string) => boolean
}

/** Whose request it is: the visitor's address, the network its rate is limited by, and its agent. */
export type Sender = { address: string; network: string; agent: string }

/**
 * Who sends a request: the peer, or the visitor that trusted proxies name. Reading addresses costs microseconds, and visitors come
 * again: the last answers are remembered, in memory only.
 */
export const createSenders = (isTrusted: (address: string) => boolean): ((request: Request) => Sender) => {
  const read = (peer: string, forwarded: string | undefined) => {
    const address = clientAddress(peer, forwarded, isTrusted)
    return { address, network: networkOf(address) }
  }
  const recent = createRecent<Omit<Sender, 'agent'>>(40_000)
  return ({ address: peer, headers }) => {
    const forwarded = headers['x-forwarded-for']
    const { address, network } = recall(recent, `${peer} ${forwarded ?? ''}`, 200, () => read(peer, forwarded))
    return { address, network, agent: headers['user-agent'] ?? '' }
  }
}

/** Whose hit it is: what the visitor's hash may be made of. */
type Person = Pick<Sender, 'address' | 'agent'>
type Identity = { vis: string; vprev?: string; fs?: number }

/** Whether a hit names its visitor: then he is known by that. */
const isKnown = (config: SiteConfig, hit: ParsedHit): hit is ParsedHit & { visitor: string } =>
  config.identity === 'cookie' && hit.visitor !== undefined

/** Whether a site leaves out what comes from an address. */
export const createExclusions = (): ((config: SiteConfig, address: string) => boolean) => {
  const rules = new WeakMap<SiteConfig, (address: string) => boolean>()
  return (config, address) => {
    if (config.exclude.addresses.length === 0 || address === '') return false
    const rule = rules.get(config) ?? createCidrs(config.exclude.addresses)
    rules.set(config, rule)
    return rule(address)
  }
}

export const createResolver = ({ agents, places, salts }: EdgeKnowledge & { salts: KnownSalts }) => {
  const isExcluded = createExclusions()

  const hashes = (config: SiteConfig, { address, agent }: Person, salt: Buffer | 'gone', before: Buffer | 'gone'): Identity | 'too-old' => {
    if (salt === 'gone') return 'too-old'
    const vis = agentHash(salt, config.site, address, agent)
    // Where yesterday's salt is gone nobody can be followed over that midnight any more.
    return before === 'gone' ? { vis } : { vis, vprev: agentHash(before, config.site, address, agent) }
  }

  const anonymous = (config: SiteConfig, t: number, person: Person): Identity | 'too-old' | Promise<Identity | 'too-old'> => {
    const { day } = calendarOf(config.zones).dayAt(t)
    const salt = salts.of(day)
    const before = salts.of(addDays(day, -1))
    if (!(salt instanceof Promise) && !(before instanceof Promise)) return hashes(config, person, salt, before)
    return Promise.all([salt, before]).then(([today, yesterday]) => hashes(config, person, today, yesterday))
  }

  const identify = (config: SiteConfig, hit: ParsedHit, sender: Person): Identity | 'too-old' | Promise<Identity | 'too-old'> =>
    isKnown(config, hit)
      ? { vis: clientHash(config.key, config.site, hit.visitor), fs: firstDayOf(hit.visitor) }
      : anonymous(config, hit.t, sender)

  const shardFor = (config: SiteConfig, hit: ParsedHit, { address, agent }: Person, vis: string): number => {
    if (!isSharded(config, hit.t)) return 0
    return shardOf(config, hit.t, isKnown(config, hit) ? clientRoute(vis) : agentRoute(config.key, config.site, address, agent))
  }

  /** Trusted senders speak for others: the connection is the server's, so a hit must say whose it is. */
  const personFor = (hit: ParsedHit, config: SiteConfig): Person | RefusalReason => {
    if (hit.address === undefined) return isKnown(config, hit) ? { address: '', agent: hit.agent ?? '' } : 'needs-visitor'
    const address = parseAddress(hit.address)
    return address === undefined ? 'malformed' : { address, agent: hit.agent ?? '' }
  }

  const complete = (
    hit: ParsedHit,
    config: SiteConfig,
    person: Person,
    identity: Identity,
    trusted: boolean,
    newId: () => string,
  ): ResolvedHit => {
    // A trusted sender that names a visitor but no agent speaks of a person it knows, not of an agent that hides its name.
    const known = trusted && person.agent === '' ? undefined : agents(person.agent)
    return {
      hit,
      id: hit.id ?? newId(),
      config,
      sh: shardFor(config, hit, person, identity.vis),
      vis: identity.vis,
      vprev: identity.vprev,
      fs: identity.fs,
      user: hit.user === undefined ? undefined : userHash(config.key, config.site, hit.user),
      geo: person.address === '' ? nowhere : places(person.address),
      rule: isExcluded(config, person.address) ? 'address' : undefined,
      dev: known?.device ?? unknownDevice,
      bot: known?.bot,
    }
  }

  /** Resolves one parsed hit, at once where the salt is at hand; `newId` makes an id where the caller sent none. */
  return (hit: ParsedHit, config: SiteConfig, direct: Sender, trusted: boolean, newId: () => string): Resolved | Promise<Resolved> => {
    const person = trusted ? personFor(hit, config) : direct
    if (typeof person === 'string') return person
    const settle = (identity: Identity | 'too-old') =>
      identity === 'too-old' ? identity : complete(hit, config, person, identity, trusted, newId)
    const identity = identify(config, hit, person)
    return identity instanceof Promise ? identity.then(settle) : settle(identity)
  }
}

type Resolved = ResolvedHit | RefusalReason

export const nowhere: Place = Object.freeze({})
export const unknownDevice: Device = Object.freeze({ br: '', brv: '', os: '', osv: '', type: 'Other' })

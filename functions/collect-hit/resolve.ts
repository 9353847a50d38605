import type { Request } from '#shared/handler.ts'
import { clientAddress, createCidrs, networkOf, parseAddress } from '#shared/hit/address.ts'
import type { ResolvedHit } from '#shared/hit/batch.ts'
import { agentHash, clientHash, firstDayOf, userHash } from '#shared/hit/identity.ts'
import type { ParsedHit } from '#shared/hit/parse.ts'
import { createRecent } from '#shared/hit/recent.ts'
import type { Device, Place, RefusalReason } from '#shared/hit/record.ts'
import type { SiteConfig } from '#shared/site/config.ts'
import type { KnownSalts } from '#shared/site/salt-cache.ts'
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
  const recent = createRecent<Omit<Sender, 'agent'>>(40_000)
  return ({ address: peer, headers }) => {
    const forwarded = headers['x-forwarded-for']
    const name = `${peer} ${forwarded ?? ''}`
    let known = recent.get(name)
    if (!known) {
      const address = clientAddress(peer, forwarded, isTrusted)
      known = { address, network: networkOf(address) }
      if (name.length <= 200) recent.set(name, known)
    }
    return { ...known, agent: headers['user-agent'] ?? '' }
  }
}

/** Whose hit it is: what the visitor's hash may be made of. */
type Person = Pick<Sender, 'address' | 'agent'>
type Identity = { vis: string; vprev?: string; fs?: number }

export const createResolver = ({ agents, places, salts }: EdgeKnowledge & { salts: KnownSalts }) => {
  const rules = new WeakMap<SiteConfig, (address: string) => boolean>()
  const isExcluded = (config: SiteConfig, address: string): boolean => {
    if (config.exclude.addresses.length === 0) return false
    const rule = rules.get(config) ?? createCidrs(config.exclude.addresses)
    rules.set(config, rule)
    return rule(address)
  }

  const anonymous = async (config: SiteConfig, t: number, { address, agent }: Person): Promise<Identity | 'too-old'> => {
    const { day } = calendarOf(config.zones).dayAt(t)
    const salt = await salts.of(day)
    if (salt === 'gone') return 'too-old'
    const yesterday = await salts.of(addDays(day, -1))
    return {
      vis: agentHash(salt, config.site, address, agent),
      // Where yesterday's salt is gone nobody can be followed over that midnight any more.
      vprev: yesterday === 'gone' ? undefined : agentHash(yesterday, config.site, address, agent),
    }
  }

  const identify = (config: SiteConfig, hit: ParsedHit, sender: Person): Identity | Promise<Identity | 'too-old'> =>
    config.identity === 'cookie' && hit.visitor !== undefined
      ? { vis: clientHash(config.key, config.site, hit.visitor), fs: firstDayOf(hit.visitor) }
      : anonymous(config, hit.t, sender)

  /** Trusted senders speak for others: the connection is the server's, so a hit must say whose it is. */
  const personFor = (hit: ParsedHit, config: SiteConfig): Person | RefusalReason => {
    if (hit.address === undefined)
      return config.identity === 'cookie' && hit.visitor !== undefined ? { address: '', agent: hit.agent ?? '' } : 'needs-visitor'
    const address = parseAddress(hit.address)
    return address === undefined ? 'malformed' : { address, agent: hit.agent ?? '' }
  }

  /** Resolves one parsed hit; `newId` makes an id where the caller sent none. */
  return async (
    hit: ParsedHit,
    config: SiteConfig,
    direct: Sender,
    trusted: boolean,
    newId: () => string,
  ): Promise<ResolvedHit | RefusalReason> => {
    const sender = trusted ? personFor(hit, config) : direct
    if (typeof sender === 'string') return sender
    const found = identify(config, hit, sender)
    const identity = found instanceof Promise ? await found : found
    if (identity === 'too-old') return identity
    // A trusted sender that names a visitor but no agent speaks of a person it knows, not of an agent that hides its name.
    const known = trusted && sender.agent === '' ? undefined : agents(sender.agent)
    return {
      hit,
      id: hit.id ?? newId(),
      config,
      vis: identity.vis,
      vprev: identity.vprev,
      fs: identity.fs,
      user: hit.user === undefined ? undefined : userHash(config.key, config.site, hit.user),
      geo: sender.address === '' ? {} : places(sender.address),
      rule: sender.address !== '' && isExcluded(config, sender.address) ? 'address' : undefined,
      dev: known?.device ?? { br: '', brv: '', os: '', osv: '', type: 'Other' },
      bot: known?.bot,
    }
  }
}

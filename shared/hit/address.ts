/** IP addresses as text: canonical form, networks, ranges, and whose address a request has. Nothing here throws except `createCidrs`. */

/** The longest that is read: an IPv6 address with embedded IPv4, brackets, zone and port. */
export const addressLimits = { chars: 80, hops: 20 } as const

/** Four octets (IPv4) or eight groups of 16 bits (IPv6). */
type Parts = readonly number[]

/**
 * Canonical text of an address, or undefined. Reads IPv4, IPv6 (RFC 4291), `[v6]`, `[v6]:port`, `1.2.3.4:port` and drops zone and port;
 * IPv4 inside IPv6 (`::ffff:1.2.3.4`) is the IPv4 address. IPv6 comes out as RFC 5952 says. Octal octets (`010.0.0.1`) are no address.
 */
export const parseAddress = (text: string): string | undefined => {
  const parts = partsOf(text)
  return parts && textOf(parts)
}

/** The network a limit is kept for: `1.2.3.0/24`, `2001:db8:1::/48`; '' for what is no address, so that all of that shares one limit. */
export const networkOf = (address: string): string => {
  const parts = partsOf(address)
  if (parts === undefined) return ''
  return parts.length === 4 ? `${textOf([...parts.slice(0, 3), 0])}/24` : `${textOf([...parts.slice(0, 3), 0, 0, 0, 0, 0])}/48`
}

/**
 * A test of membership in any of the ranges (`10.0.0.0/8`, `fd00::/8`; a bare address is itself alone). Bits behind the prefix
 * do not matter. What is no address is in no range. Throws an Error that names the range it cannot read.
 */
export const createCidrs = (list: readonly string[]): ((address: string) => boolean) => {
  const ranges = list.map(rangeOf)
  return (address) => {
    const parts = partsOf(address)
    return parts !== undefined && ranges.some((range) => isWithin(range, parts))
  }
}

/**
 * Whose address a request has: `peer` (the other end of the connection), or, when that is a proxy we trust, what the proxies say in
 * X-Forwarded-For. Each proxy appends whom it heard from, so the header is read from the right and only as far as trust goes: what a
 * client wrote itself stands to the left of that and is never reached. A broken element or `addressLimits.hops` ends the walk at the
 * last good address. Canonical text; '' when the peer is no address (a Unix socket).
 */
export const clientAddress = (peer: string, forwardedFor: string | undefined, isTrusted: (address: string) => boolean): string => {
  let client = parseAddress(peer) ?? ''
  let end = forwardedFor?.length ?? 0
  for (let hop = 0; hop < addressLimits.hops && end > 0 && client !== '' && isTrusted(client); hop += 1) {
    const comma = forwardedFor!.lastIndexOf(',', end - 1)
    const next = parseAddress(forwardedFor!.slice(comma + 1, end))
    if (next === undefined) break
    client = next
    end = comma
  }
  return client
}

const partsOf = (text: string): Parts | undefined => {
  if (text.length > addressLimits.chars) return undefined
  const bare = withoutPort(text.trim())
  return bare.includes(':') ? sixOf(bare) : fourOf(bare)
}

const withoutPort = (text: string): string => {
  if (text.startsWith('[')) return /^\[([^[\]]*)\](?::\d{1,5})?$/.exec(text)?.[1] ?? ''
  const colon = text.indexOf(':')
  return colon !== -1 && colon === text.lastIndexOf(':') && /^\d{1,5}$/.test(text.slice(colon + 1)) ? text.slice(0, colon) : text
}

/** By hand: it runs for every visitor that is new to the memories in front of it, and splitting costs eight times as much. */
const fourOf = (text: string): Parts | undefined => {
  if (text.length < 7 || text.length > 15) return undefined
  const parts: number[] = []
  let octet = -1
  for (let at = 0; at <= text.length; at += 1) {
    const code = at === text.length ? dot : text.charCodeAt(at)
    if (code === dot) {
      if (octet < 0 || octet > 255 || parts.push(octet) > 4) return undefined
      octet = -1
    } else if (code < zero || code > zero + 9 || octet === 0) return undefined
    else octet = octet < 0 ? code - zero : octet * 10 + code - zero
  }
  return parts.length === 4 ? parts : undefined
}
const dot = 46
const zero = 48

const sixOf = (text: string): Parts | undefined => {
  const zone = text.indexOf('%')
  const halves = (zone === -1 ? text : text.slice(0, zone)).split('::')
  const head = groupsOf(halves[0]!)
  if (halves.length > 2 || head === undefined) return undefined
  if (halves.length === 1) return head.length === 8 ? unmapped(head) : undefined
  const tail = groupsOf(halves[1]!)
  // `::` stands for at least one group.
  if (tail === undefined || head.length + tail.length > 7 || halves[0]!.includes('.')) return undefined
  return unmapped([...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail])
}

/** Groups of one side of `::`; the last may be an IPv4 address, which is two groups. */
const groupsOf = (text: string): number[] | undefined => {
  if (text === '') return []
  const words = text.split(':')
  const last = words.at(-1)!
  const four = last.includes('.') ? fourOf(last) : undefined
  const hex = four ? words.slice(0, -1) : words
  if (!hex.every((word) => /^[\da-f]{1,4}$/i.test(word))) return undefined
  const groups = hex.map((word) => Number.parseInt(word, 16))
  return four ? [...groups, (four[0]! << 8) | four[1]!, (four[2]! << 8) | four[3]!] : groups
}

const unmapped = (groups: readonly number[]): Parts =>
  groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0)
    ? [groups[6]! >> 8, groups[6]! & 255, groups[7]! >> 8, groups[7]! & 255]
    : groups

const textOf = (parts: Parts): string => (parts.length === 4 ? parts.join('.') : sixText(parts))

/** RFC 5952: the first longest run of two or more zero groups becomes `::`. */
const sixText = (groups: Parts): string => {
  let [from, length] = [0, 0]
  for (let at = 0; at < 8; at += 1) {
    let end = at
    while (end < 8 && groups[end] === 0) end += 1
    if (end - at > length) [from, length] = [at, end - at]
  }
  const hex = groups.map((group) => group.toString(16))
  return length < 2 ? hex.join(':') : `${hex.slice(0, from).join(':')}::${hex.slice(from + length).join(':')}`
}

/** Parts of the network's own address, and which of their bits count. */
type Range = { parts: Parts; masks: Parts }

const rangeOf = (text: string): Range => {
  const [address = '', prefix, ...more] = text.trim().split('/')
  const parts = address.includes('[') ? undefined : partsOf(address)
  const isMapped = parts?.length === 4 && address.includes(':')
  const most = parts?.length === 4 ? 32 : 128
  const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) - (isMapped ? 96 : 0) : -1
  if (parts === undefined || more.length > 0 || bits < 0 || bits > most)
    throw new Error(`not an address or a range like 10.0.0.0/8: ${text}`)
  const masks = parts.map((_, at) => maskOf(parts.length === 4 ? 8 : 16, bits, at))
  return { parts: parts.map((part, at) => part & masks[at]!), masks }
}

/** The mask of the part `at`, of `width` bits, under a prefix of `bits`. */
const maskOf = (width: number, bits: number, at: number): number => {
  const free = width - Math.min(width, Math.max(0, bits - at * width))
  return (2 ** width - 1) & ~(2 ** free - 1)
}

const isWithin = ({ parts, masks }: Range, address: Parts): boolean =>
  address.length === parts.length && address.every((part, at) => (part & masks[at]!) === parts[at])

/** Addresses that nobody on the public Internet has (IANA special-purpose registries): private, loopback, link-local, documentation, multicast. */
export const isPrivate = createCidrs([
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24'],
  ...['192.168.0.0/16', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
  ...['::/128', '::1/128', '64:ff9b:1::/48', '100::/64', '2001:db8::/32', '3fff::/20', 'fc00::/7', 'fe80::/10', 'ff00::/8'],
])

import { BlockList, isIP, isIPv4 } from 'node:net'

/**
 * Ranges that are not the public internet, from the special-purpose registries
 * (RFC 6890 and its updates). Cloud metadata services live in 169.254.0.0/16,
 * fd00::/8, and for one cloud in 100.64.0.0/10; 168.63.129.16 is another's.
 */
const REFUSED_RANGES: readonly (readonly [cidr: string, name: string])[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'carrier-grade NAT'],
  ['127.0.0.0/8', 'loopback'],
  ['168.63.129.16/32', 'metadata'],
  ['169.254.0.0/16', 'link-local or metadata'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', 'reserved'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmarking'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  // IPv4-compatible: deprecated, and some stacks still route them to the IPv4 host.
  ['::/96', 'IPv4-compatible'],
  // IPv4-translated (RFC 2765): the host is behind a stateless translator.
  ['::ffff:0:0:0/96', 'IPv4-translated'],
  ['64:ff9b:1::/48', 'local-use NAT64'],
  ['100::/64', 'discard-only'],
  ['100:0:0:1::/64', 'reserved'],
  // Teredo and its like, with an IPv4 host inside.
  ['2001::/23', 'reserved'],
  ['2001:db8::/32', 'documentation'],
  ['2002::/16', '6to4'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'reserved'],
  ['fc00::/7', 'unique-local'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'site-local'],
  ['ff00::/8', 'multicast'],
]

/** 64:ff9b::/96 (RFC 6052): what counts is the IPv4 host behind the translator. */
const NAT64_PREFIX = [0x64, 0xff9b, 0, 0, 0, 0]
/** ::ffff:0:0/96: the kernel connects to the IPv4 host. */
const MAPPED_PREFIX = [0, 0, 0, 0, 0, 0xffff]

/** Decides which addresses push may connect to. */
export interface AddressGuard {
  /** Why an IP address is refused; undefined: it is not. */
  refuse(address: string): string | undefined
  /** Whether the operator named its range, which also allows plain http. */
  isAllowListed(address: string): boolean
}

/**
 * A guard that refuses everything but the public internet and `allow`.
 * @param allow CIDR ranges, or single addresses, as in `MILLRACE_PUSH_ALLOW`
 * @throws Error naming the range that cannot be read
 */
export function createAddressGuard(allow: readonly string[] = []): AddressGuard {
  const allowed = new BlockList()
  for (const cidr of allow) addRange(allowed, cidr)
  const refused = REFUSED_RANGES.map(([cidr, name]) => {
    const range = new BlockList()
    addRange(range, cidr)
    return { range, name }
  })

  const isAllowListed = (address: string): boolean => {
    const host = unwrapAddress(address)
    return host !== undefined && (contains(allowed, host) || contains(allowed, address))
  }
  return {
    isAllowListed,
    refuse(address) {
      const host = unwrapAddress(address)
      if (host === undefined) return `"${address}" is not an IP address`
      if (isAllowListed(address)) return undefined
      const hit = refused.find(({ range }) => contains(range, host))
      return hit && `the address ${address} is ${hit.name} and not in MILLRACE_PUSH_ALLOW`
    },
  }
}

/** The address inside a URL's host if it is a literal, in whatever form it was written. */
export function literalAddress(url: URL): string | undefined {
  // The URL parser has already turned 2130706433, 0x7f.1, 0177.0.0.1 and ①②⑦.⓪.⓪.① into 127.0.0.1.
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) ? host : undefined
}

/** Without zone, and down to the IPv4 host inside a mapped or translated address. */
function unwrapAddress(address: string): string | undefined {
  const host = address.replace(/%.*$/, '')
  if (isIPv4(host)) return host
  if (!isIP(host)) return undefined
  const groups = expandAddress(host)
  const embeds = [NAT64_PREFIX, MAPPED_PREFIX].some((prefix) =>
    prefix.every((group, index) => groups[index] === group),
  )
  if (!embeds) return host
  return groups
    .slice(6)
    .flatMap((group) => [group >> 8, group & 0xff])
    .join('.')
}

/** The eight groups of an IPv6 address. */
function expandAddress(address: string): number[] {
  // The URL parser's normal form has no dotted part any more.
  const normal = new URL(`http://[${address}]/`).hostname.slice(1, -1)
  const [head = '', tail] = normal.split('::')
  const parse = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const left = parse(head)
  const right = parse(tail ?? '')
  return [...left, ...Array<number>(8 - left.length - right.length).fill(0), ...right]
}

function contains(range: BlockList, address: string): boolean {
  return isIP(address) !== 0 && range.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

function addRange(range: BlockList, cidr: string): void {
  const [address = '', prefix] = cidr.trim().split('/')
  const bitsMax = isIPv4(address) ? 32 : 128
  const bits = prefix === undefined ? bitsMax : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Infinity
  if (!isIP(address) || bits > bitsMax) {
    throw new Error(`"${cidr}" is not a CIDR range such as 10.0.0.0/8 or fd00::/8`)
  }
  range.addSubnet(address, bits, bitsMax === 32 ? 'ipv4' : 'ipv6')
}

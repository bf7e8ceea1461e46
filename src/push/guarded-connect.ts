import { lookup as systemLookup, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'

import { buildConnector } from 'undici'

import { literalAddress, type AddressGuard } from './address-guard.ts'
import { PushFailure } from './push-failure.ts'

/** Resolves a host name to all of its addresses, as `dns.lookup` with `all` does. */
export type Resolve = (
  hostname: string,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void

export interface GuardOptions {
  guard: AddressGuard
  /** The operating system's resolver when left out, with its hosts file. */
  resolve?: Resolve
}

interface GuardedConnectOptions extends GuardOptions {
  url: URL
  /** Plain http although the address is not in the operator's list. */
  allowHttp: boolean
  connectTimeoutMs: number
}

/**
 * Connects to the URL's host, and only to addresses that the guard has passed.
 * The check sits in the look-up whose answer the socket uses: a name that answers
 * otherwise the second time is checked the second time. A literal address never
 * reaches a look-up, so it is checked by itself.
 */
export function createGuardedConnect(options: GuardedConnectOptions): buildConnector.connector {
  const connect = buildConnector({
    timeout: options.connectTimeoutMs,
    allowH2: false,
    lookup: createGuardedLookup(options),
  })
  return (target, callback) => {
    const literal = literalAddress(options.url)
    const refused = literal && refuseTarget(literal, options)
    if (refused) callback(new PushFailure('blocked', refused), null)
    else connect(target, callback)
  }
}

/** Why a URL can never be pushed to, as far as it shows without a look-up. */
export function refuseUrl(
  url: URL,
  options: Pick<GuardedConnectOptions, 'guard' | 'allowHttp'>,
): string | undefined {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    return `the URL begins with ${url.protocol} and must begin with https: or http:`
  }
  if (url.username !== '' || url.password !== '') {
    return 'the URL holds a user name or password; send them in a header instead'
  }
  const literal = literalAddress(url)
  return literal && refuseTarget(literal, { ...options, url })
}

function refuseTarget(
  address: string,
  { guard, url, allowHttp }: Pick<GuardedConnectOptions, 'guard' | 'url' | 'allowHttp'>,
): string | undefined {
  const refused = guard.refuse(address)
  if (refused !== undefined) return refused
  if (url.protocol === 'https:' || allowHttp || guard.isAllowListed(address)) return undefined
  return `plain http to ${address}, which is not in MILLRACE_PUSH_ALLOW; use https`
}

function createGuardedLookup(options: GuardedConnectOptions): LookupFunction {
  const resolve = shareLookups(options.resolve ?? resolveBySystem)
  return (hostname, { all }, callback) => {
    resolve(hostname, (error, addresses) => {
      if (error) return callback(error, '')
      // A name with one public and one private address is reached at the public one.
      const reasons = addresses.map(({ address }) => refuseTarget(address, options))
      const passed = addresses.filter((_, index) => reasons[index] === undefined)
      const [first] = passed
      if (first === undefined) {
        const reason = reasons[0] ?? 'it has no address'
        return callback(new PushFailure('blocked', `${hostname}: ${reason}`), '')
      }
      if (all) callback(null, passed)
      else callback(null, first.address, first.family)
    })
  }
}

const resolveBySystem: Resolve = (hostname, callback) => {
  systemLookup(hostname, { all: true }, callback)
}

/**
 * One look-up at a time per name: the system's resolver has four threads for the
 * whole process, and the ten connections of one broken name must not fill them.
 */
function shareLookups(resolve: Resolve): Resolve {
  const waiting = new Map<string, Parameters<Resolve>[1][]>()
  return (hostname, callback) => {
    const others = waiting.get(hostname)
    if (others) {
      others.push(callback)
      return
    }
    waiting.set(hostname, [callback])
    resolve(hostname, (error, addresses) => {
      const callbacks = waiting.get(hostname) ?? []
      waiting.delete(hostname)
      for (const done of callbacks) done(error, addresses)
    })
  }
}

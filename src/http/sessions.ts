import { randomBytes } from 'node:crypto'

import { MillraceError } from '../errors.ts'
import { seal, unseal } from '../storage/seal.ts'

/** Set by the console on every request that changes something; no other site's page can. */
export const CONSOLE_HEADER = 'x-millrace-console'

const COOKIE = 'millrace_session'
const CONTEXT = 'console session'
const LIFETIME_S = 7 * 24 * 3600
const SAFE_METHODS = new Set(['GET', 'HEAD'])

/** The parts of a request that tell who sends it. */
export interface Credentials {
  method: string
  header(name: string): string | undefined
}

/**
 * Sessions of the console. The cookie holds the token itself, sealed: there is nothing
 * to store, every process with the same secret key can open it, and a revoked token
 * ends its sessions. Without a secret key the key is this process's own, and sessions
 * end with it.
 */
export class Sessions {
  readonly #key: Buffer

  constructor(secretKey: Buffer | undefined) {
    this.#key = secretKey ?? randomBytes(32)
  }

  /** The `set-cookie` that begins a session. */
  begin(token: string, isSecure: boolean): string {
    const until = Date.now() + LIFETIME_S * 1000
    const sealed = seal(this.#key, `${until} ${token}`, CONTEXT).toString('base64url')
    return writeCookie(sealed, LIFETIME_S, isSecure)
  }

  /** The `set-cookie` that ends it. */
  end(isSecure: boolean): string {
    return writeCookie('', 0, isSecure)
  }

  /**
   * The `authorization` of a request: its own header, or what its session stands for.
   * @throws MillraceError `unauthenticated` for a change by cookie that another site may have caused
   */
  readAuthorization(request: Credentials): string | undefined {
    const authorization = request.header('authorization')
    if (authorization !== undefined) return authorization
    const token = this.#readToken(request.header('cookie'))
    if (token === undefined) return undefined
    if (!SAFE_METHODS.has(request.method) && request.header(CONSOLE_HEADER) === undefined) {
      throw new MillraceError(
        'unauthenticated',
        'A session may change something only with the header "X-Millrace-Console: 1".',
      )
    }
    return `Bearer ${token}`
  }

  #readToken(cookies: string | undefined): string | undefined {
    const sealed = new RegExp(`(?:^|; *)${COOKIE}=([\\w-]+)`).exec(cookies ?? '')?.[1]
    if (sealed === undefined) return undefined
    let text: string
    try {
      text = unseal(this.#key, Buffer.from(sealed, 'base64url'), CONTEXT)
    } catch {
      // Sealed with a key that is gone, or by nobody of ours: the same as none.
      return undefined
    }
    const [until = '', token] = text.split(' ')
    return Number(until) > Date.now() ? token : undefined
  }
}

function writeCookie(value: string, maxAgeS: number, isSecure: boolean): string {
  const attributes = `Path=/; Max-Age=${maxAgeS}; HttpOnly; SameSite=Strict`
  return `${COOKIE}=${value}; ${attributes}${isSecure ? '; Secure' : ''}`
}

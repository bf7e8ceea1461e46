import { hash, timingSafeEqual } from 'node:crypto'

import { createNotFound, MillraceError } from '../errors.ts'
import { isId } from '../queue/consumer-settings.ts'
import type { Db } from '../storage/database.ts'
import { SCOPES, type Scope } from '../tokens/token.ts'
import { findTokenByText } from '../tokens/token-store.ts'

/** Who calls, and what they may do. */
export interface Principal {
  readonly scopes: ReadonlySet<Scope>
  /** Names of consumers; null: all. */
  readonly consumers: ReadonlySet<string> | null
}

/**
 * What a route asks for. `over` is what the scope must extend to: the consumer
 * in the path; the consumers that the route itself picks out by the token's list;
 * or everything there is, which a token with a list of consumers never has.
 */
export type Access = 'public' | { scope: Scope; over: 'consumer' | 'consumers' | 'everything' }

export interface AuthOptions {
  db: Db
  /** A token with all scopes that always works. */
  adminToken: string | undefined
  /** The name of a consumer by its id. */
  findConsumerName: (id: string) => Promise<string | undefined>
}

/** A revoked token lives on in every process for so long at most. */
const REMEMBERED_MS = 2000
/** Bounds what a flood of made-up tokens can take up. */
const REMEMBERED_MAX = 1000

interface Remembered {
  principal: Promise<Principal | undefined>
  until: number
}

/** Checks tokens and scopes: the one place that does. */
export class Authority {
  readonly #options: AuthOptions
  readonly #adminSha256: Buffer | undefined
  /** By the hash of the header; the oldest entry first. */
  readonly #remembered = new Map<string, Remembered>()

  constructor(options: AuthOptions) {
    this.#options = options
    this.#adminSha256 =
      options.adminToken === undefined ? undefined : hash('sha256', options.adminToken, 'buffer')
  }

  /**
   * @param consumer id or name of the consumer in the path
   * @throws MillraceError `unauthenticated`, `insufficient_scope`, `not_found`
   */
  async authorize(
    access: Exclude<Access, 'public'>,
    authorization: string | undefined,
    consumer: string | undefined,
  ): Promise<Principal> {
    const principal = await this.authenticate(authorization)
    if (!principal.scopes.has(access.scope)) {
      throw new MillraceError(
        'insufficient_scope',
        `This call needs a token with the scope "${access.scope}"; this one has ${[...principal.scopes].map((scope) => `"${scope}"`).join(', ')}.`,
      )
    }
    if (principal.consumers === null || access.over === 'consumers') return principal
    if (access.over === 'everything') {
      throw new MillraceError(
        'insufficient_scope',
        'This call needs a token for all consumers; this one is bound to some.',
      )
    }
    const name =
      consumer !== undefined && isId(consumer)
        ? await this.#options.findConsumerName(consumer)
        : consumer
    // As if there were none: a token does not learn of others' consumers.
    if (name === undefined || !principal.consumers.has(name)) {
      throw createNotFound('consumer', consumer ?? '')
    }
    return principal
  }

  /** @throws MillraceError `unauthenticated` */
  async authenticate(authorization: string | undefined): Promise<Principal> {
    if (authorization === undefined) {
      throw new MillraceError(
        'unauthenticated',
        'A token is missing: send it with the header "Authorization: Bearer mr_…".',
      )
    }
    const key = hash('sha256', authorization, 'base64')
    let remembered = this.#remembered.get(key)
    if (remembered === undefined || remembered.until < performance.now()) {
      remembered = this.#remember(key, this.#findPrincipal(authorization))
    }
    const principal = await remembered.principal
    if (!principal) {
      throw new MillraceError(
        'unauthenticated',
        'The token is unknown, revoked or expired. Check that it was copied whole.',
      )
    }
    return principal
  }

  #remember(key: string, principal: Promise<Principal | undefined>): Remembered {
    const remembered = { principal, until: performance.now() + REMEMBERED_MS }
    // Set anew, it is the youngest again.
    this.#remembered.delete(key)
    this.#remembered.set(key, remembered)
    if (this.#remembered.size > REMEMBERED_MAX) {
      this.#remembered.delete(this.#remembered.keys().next().value!)
    }
    // A storage that was away must not be remembered as an answer.
    principal.catch(() => this.#remembered.delete(key))
    return remembered
  }

  async #findPrincipal(authorization: string): Promise<Principal | undefined> {
    const text = /^Bearer +(\S+) *$/i.exec(authorization)?.[1]
    if (text === undefined) return undefined
    if (this.#isAdmin(text)) return { scopes: new Set(SCOPES), consumers: null }
    const token = await findTokenByText(this.#options.db, text)
    return (
      token && {
        scopes: new Set(token.scopes),
        consumers: token.consumers && new Set(token.consumers),
      }
    )
  }

  /** Hashes have one length, and comparing them tells nothing about the token. */
  #isAdmin(text: string): boolean {
    return (
      this.#adminSha256 !== undefined &&
      timingSafeEqual(hash('sha256', text, 'buffer'), this.#adminSha256)
    )
  }
}

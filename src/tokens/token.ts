import { hash, randomBytes, timingSafeEqual } from 'node:crypto'

export const SCOPES = ['consume', 'read', 'manage', 'admin'] as const
/** What a token may do; API.md, Conventions. Scopes do not include each other. */
export type Scope = (typeof SCOPES)[number]

export interface Token {
  readonly id: string
  readonly name: string
  readonly scopes: readonly Scope[]
  /** Names of consumers; null: all. */
  readonly consumers: readonly string[] | null
  readonly createdAt: Date
  readonly expiresAt: Date | null
  readonly revokedAt: Date | null
  readonly lastUsedAt: Date | null
}

const FORM = /^mr_([0-9a-f]{12})_([0-9a-f]{64})$/

/** 256 random bits need no slow hash: a SHA-256 of them tells nothing about them. */
export function generateToken(): { id: string; secret: string; text: string } {
  const id = randomBytes(6).toString('hex')
  const secret = randomBytes(32).toString('hex')
  return { id, secret, text: `mr_${id}_${secret}` }
}

/** Undefined: not one of our tokens, whatever it is. */
export function parseToken(text: string): { id: string; secret: string } | undefined {
  const parts = FORM.exec(text)
  return parts ? { id: parts[1]!, secret: parts[2]! } : undefined
}

export function hashSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer')
}

/** In a time that tells nothing about where they differ. */
export function isSecret(secret: string, sha256: Buffer): boolean {
  return timingSafeEqual(hashSecret(secret), sha256)
}

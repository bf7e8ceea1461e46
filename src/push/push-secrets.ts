import { randomBytes } from 'node:crypto'

/** A signing secret as Standard Webhooks writes it: `whsec_` and the key in base64. */
export interface PushSecret {
  secret: string
  /** RFC 3339; null: the current one. */
  expiresAt: string | null
}

/** What `consumer.push_sealed` holds, before it is sealed. Never leaves the process but as headers. */
export interface PushSecrets {
  headers: Record<string, string>
  /** The current secret first, then those that still overlap. */
  secrets: PushSecret[]
}

/** How long the old secret signs along after a rotation, unless the caller says otherwise. */
export const SECRET_OVERLAP_MS = 24 * 3_600_000

/** A receiver checks every signature it is sent: more than one predecessor would only cost. */
const SECRETS_MAX = 2
const SECRET_BYTES = 32

/** A new consumer's secrets; show `secrets[0].secret` to its owner once. */
export function createPushSecrets(headers: Record<string, string> = {}): PushSecrets {
  return { headers, secrets: [{ secret: generateSecret(), expiresAt: null }] }
}

/** Makes a new secret the current one; the one before it stays valid for the overlap. */
export function rotatePushSecret(
  before: PushSecrets,
  options: { now?: Date; overlapMs?: number } = {},
): PushSecrets {
  const now = options.now ?? new Date()
  const expiresAt = new Date(now.getTime() + (options.overlapMs ?? SECRET_OVERLAP_MS))
  const predecessors = before.secrets
    .filter((secret) => isActive(secret, now.getTime()))
    .map(({ secret, expiresAt: until }) => ({
      secret,
      expiresAt: until ?? expiresAt.toISOString(),
    }))
  return {
    headers: before.headers,
    secrets: [{ secret: generateSecret(), expiresAt: null }, ...predecessors].slice(0, SECRETS_MAX),
  }
}

/** The secrets to sign with at a time, the current one first. */
export function listActiveSecrets({ secrets }: PushSecrets, nowMs: number): readonly PushSecret[] {
  // Most have one, which is the current one.
  if (secrets.length === 1 && secrets[0]!.expiresAt === null) return secrets
  return secrets.filter((secret) => isActive(secret, nowMs))
}

/** For `consumer.push_sealed`; `seal` is the storage's, with its key. */
export function sealPushSecrets(secrets: PushSecrets, seal: (plaintext: string) => Buffer): Buffer {
  return seal(JSON.stringify({ headers: secrets.headers, secrets: secrets.secrets }))
}

/** The inverse. Throws what `open` throws when the key is not the one it was sealed with. */
export function openPushSecrets(sealed: Buffer, open: (sealed: Buffer) => string): PushSecrets {
  return JSON.parse(open(sealed)) as PushSecrets
}

function isActive({ expiresAt }: PushSecret, nowMs: number): boolean {
  return expiresAt === null || Date.parse(expiresAt) > nowMs
}

function generateSecret(): string {
  return `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`
}

import { createHash, createHmac, createSecretKey, type KeyObject } from 'node:crypto'

import { listActiveSecrets, type PushSecret, type PushSecrets } from './push-secrets.ts'

interface SignOptions {
  secrets: PushSecrets
  /** `webhook-id`: the same for every attempt. */
  id: string
  attempt: number
  /** Since 1970. */
  nowMs: number
  userAgent: string
}

const SECRET_PREFIX = 'whsec_'

/**
 * The headers of one attempt, signed as Standard Webhooks 1.0 says: HMAC-SHA256
 * over `id.timestamp.body`, once per valid secret. The consumer's own headers
 * come first, so they cannot replace ours.
 *
 * Signed with node:crypto and not with the `standardwebhooks` package, which is
 * written in JavaScript: for a body of 100 KB 85 µs against 770.
 */
export function signRequest(body: Buffer, options: SignOptions): Record<string, string> {
  const { secrets, id, attempt, nowMs, userAgent } = options
  const timestamp = String(Math.floor(nowMs / 1000))
  const headers: Record<string, string> = {
    ...secrets.headers,
    'user-agent': userAgent,
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': timestamp,
    'millrace-attempt': String(attempt),
  }
  let signatures = ''
  for (const secret of listActiveSecrets(secrets, nowMs)) {
    const signed = createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`).update(body)
    signatures += `${signatures === '' ? '' : ' '}v1,${signed.digest('base64')}`
  }
  if (signatures !== '') headers['webhook-signature'] = signatures
  return headers
}

const keys = new WeakMap<PushSecret, KeyObject>()

/** Made once: with a key as bytes each signature takes 18 µs instead of 3. */
function keyOf(secret: PushSecret): KeyObject {
  let key = keys.get(secret)
  if (!key) {
    key = createSecretKey(Buffer.from(secret.secret.slice(SECRET_PREFIX.length), 'base64'))
    keys.set(secret, key)
  }
  return key
}

/** One id for a batch of messages: the same messages in the same order have the same. */
export function batchId(ids: readonly string[]): string {
  return `batch_${createHash('sha256').update(ids.join('\n')).digest('base64url').slice(0, 32)}`
}

import { hash } from 'node:crypto'

import type { PushRequest } from './endpoint-client.ts'
import { listActiveSecrets, type PushSecret, type PushSecrets } from './push-secrets.ts'

interface SignOptions {
  secrets: PushSecrets
  /** `webhook-id`, in ASCII: the same for every attempt. */
  id: string
  attempt: number
  /** Since 1970. */
  nowMs: number
  userAgent: string
}

const SECRET_PREFIX = 'whsec_'

/**
 * The request of one attempt, signed as Standard Webhooks 1.0 says: HMAC-SHA256
 * over `id.timestamp.body`, once per valid secret. The consumer's own headers
 * come first, so they cannot replace ours.
 *
 * Signed with node:crypto and not with the `standardwebhooks` package, which is
 * written in JavaScript: for a body of 100 KB 85 µs against 770.
 */
export function signRequest(text: string, options: SignOptions): PushRequest {
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
  // One piece of memory for what is hashed and what is sent: key, id and time, body.
  const head = `${id}.${timestamp}.`
  const start = BLOCK_BYTES + head.length
  const bytes = Buffer.allocUnsafe(start + Buffer.byteLength(text))
  bytes.write(head, BLOCK_BYTES, 'latin1')
  bytes.write(text, start)
  let signatures = ''
  for (const secret of listActiveSecrets(secrets, nowMs)) {
    signatures += `${signatures === '' ? '' : ' '}v1,${sign(bytes, keyOf(secret))}`
  }
  if (signatures !== '') headers['webhook-signature'] = signatures
  return { headers, body: bytes.subarray(start) }
}

/** SHA-256 works on blocks of so many bytes, and answers so many. */
const BLOCK_BYTES = 64
const HASH_BYTES = 32

/** A key as HMAC takes it (RFC 2104), once for the inner hash and once for the outer one. */
interface PaddedKey {
  readonly inner: Buffer
  /** Behind the key there is room for the inner hash. */
  readonly outer: Buffer
}

const keys = new WeakMap<PushSecret, PaddedKey>()

function keyOf(secret: PushSecret): PaddedKey {
  let key = keys.get(secret)
  if (!key) {
    key = padKey(Buffer.from(secret.secret.slice(SECRET_PREFIX.length), 'base64'))
    keys.set(secret, key)
  }
  return key
}

function padKey(secret: Buffer): PaddedKey {
  const short = secret.length > BLOCK_BYTES ? hash('sha256', secret, 'buffer') : secret
  const inner = Buffer.alloc(BLOCK_BYTES, 0x36)
  const outer = Buffer.alloc(BLOCK_BYTES + HASH_BYTES, 0x5c)
  for (const [index, byte] of short.entries()) {
    inner[index]! ^= byte
    outer[index]! ^= byte
  }
  return { inner, outer }
}

/**
 * HMAC-SHA256 in base64 of what follows the first block of `bytes`, by two hashes in one go
 * each: the objects of `createHmac` cost more than the hashing, and again when they are collected.
 */
function sign(bytes: Buffer, { inner, outer }: PaddedKey): string {
  inner.copy(bytes)
  // As text, whose letters are bytes: a Buffer for it would cost as much as the hashing.
  outer.write(hash('sha256', bytes, 'binary'), BLOCK_BYTES, 'binary')
  return hash('sha256', outer, 'base64')
}

/** One id for a batch of messages: the same messages in the same order have the same. */
export function batchId(ids: readonly string[]): string {
  return `batch_${hash('sha256', ids.join('\n'), 'base64url').slice(0, 32)}`
}

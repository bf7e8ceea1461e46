import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'

import { MillraceError } from '../errors.ts'

const VERSION = 1
const KEY_ID_BYTES = 4
const NONCE_BYTES = 12
const TAG_BYTES = 16
const HEADER_BYTES = 1 + KEY_ID_BYTES + NONCE_BYTES + TAG_BYTES

/**
 * Encrypts a secret with AES-256-GCM. `context` names where it belongs, such as
 * `source:7:password`: copied to another place it does not open. The sealed bytes begin
 * with an id of the key, so that a wrong key is told from damage.
 * @throws MillraceError `secret_key_missing`
 */
export function seal(key: Buffer | undefined, secret: string, context: string): Buffer {
  const secretKey = expectKey(key)
  const nonce = randomBytes(NONCE_BYTES)
  const header = Buffer.concat([Buffer.of(VERSION), keyId(secretKey)])
  const cipher = createCipheriv('aes-256-gcm', secretKey, nonce)
  cipher.setAAD(Buffer.concat([header, Buffer.from(context)]))
  const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
  return Buffer.concat([header, nonce, cipher.getAuthTag(), sealed])
}

/** @throws MillraceError `secret_key_missing` without the key that it was sealed with */
export function unseal(key: Buffer | undefined, sealed: Buffer, context: string): string {
  const secretKey = expectKey(key)
  if (sealed.length < HEADER_BYTES || sealed[0] !== VERSION) {
    throw new Error('a sealed secret is damaged')
  }
  const header = sealed.subarray(0, 1 + KEY_ID_BYTES)
  if (!header.subarray(1).equals(keyId(secretKey))) {
    throw new MillraceError(
      'secret_key_missing',
      'A stored secret was encrypted with another MILLRACE_SECRET_KEY. Start with that key, or set the secret again.',
    )
  }
  const nonce = sealed.subarray(header.length, header.length + NONCE_BYTES)
  const tag = sealed.subarray(header.length + NONCE_BYTES, HEADER_BYTES)
  const decipher = createDecipheriv('aes-256-gcm', secretKey, nonce)
  decipher.setAAD(Buffer.concat([header, Buffer.from(context)]))
  decipher.setAuthTag(tag)
  try {
    return (
      decipher.update(sealed.subarray(HEADER_BYTES), undefined, 'utf8') + decipher.final('utf8')
    )
  } catch (error) {
    throw new Error('a sealed secret is damaged', { cause: error })
  }
}

function expectKey(key: Buffer | undefined): Buffer {
  if (key?.length === 32) return key
  throw new MillraceError(
    'secret_key_missing',
    'MILLRACE_SECRET_KEY is needed to keep a secret: 32 bytes in base64, made by "openssl rand -base64 32".',
  )
}

/** Tells keys apart without telling anything about them. */
function keyId(key: Buffer): Buffer {
  return createHash('sha256')
    .update('millrace key id')
    .update(key)
    .digest()
    .subarray(0, KEY_ID_BYTES)
}

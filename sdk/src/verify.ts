import { MillraceError } from './errors.ts'
import type { PushedMessage, UnknownRow } from './message.ts'
import { parseJson, type NumberMode } from './parse-json.ts'

export type VerificationCode =
  | 'missing_header'
  | 'malformed_timestamp'
  | 'timestamp_out_of_tolerance'
  | 'no_matching_signature'
  | 'malformed_body'

/** The request was not sent by who holds the secret, or not now. Answer 401 (`malformed_body`: 400). */
export class WebhookVerificationError extends MillraceError {
  override readonly name = 'WebhookVerificationError'
  readonly code: VerificationCode

  constructor(code: VerificationCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface VerifyOptions {
  /** How far the sender's clock and ours may be apart; 5 minutes. */
  toleranceMs?: number
  numbers?: NumberMode
}

export interface VerifiedPush<Row> {
  /** Stable over retries. */
  id: string
  /** When this attempt was made. */
  sentAt: Date
  attempt: number
  /** One, or more where the consumer's push has a `batch_size`. */
  messages: PushedMessage<Row>[]
}

/** `CryptoKey`, by whatever name the platform's types know it. */
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>

type HeadersLike = Headers | Record<string, string | readonly string[] | undefined>

const TOLERANCE_MS = 5 * 60_000
/** More than a rotation needs, and few enough to check. */
const SIGNATURES_MAX = 10

/**
 * Checks a pushed request (Standard Webhooks) and reads its messages.
 * @param rawBody as it came over the wire: parsed and printed again it has another signature
 * @param secrets `whsec_…`; several while one replaces the other
 * @throws WebhookVerificationError; TypeError if a secret is none
 */
export async function verify<Row = UnknownRow>(
  rawBody: string | Uint8Array,
  headers: HeadersLike,
  secrets: string | readonly string[],
  { toleranceMs = TOLERANCE_MS, numbers = 'safe' }: VerifyOptions = {},
): Promise<VerifiedPush<Row>> {
  const keys = await Promise.all([secrets].flat().map(importSecret))
  if (keys.length === 0) throw new TypeError('verify needs at least one secret')
  const id = requireHeader(headers, 'webhook-id')
  const timestamp = requireHeader(headers, 'webhook-timestamp')
  const signatures = requireHeader(headers, 'webhook-signature')
  const sentAt = checkTimestamp(timestamp, toleranceMs)

  const body = typeof rawBody === 'string' ? new TextEncoder().encode(rawBody) : rawBody
  const signed = concatBytes(new TextEncoder().encode(`${id}.${timestamp}.`), body)
  if (!(await matchesAny(keys, readSignatures(signatures), signed))) {
    throw new WebhookVerificationError(
      'no_matching_signature',
      'no signature of the request was made with one of the secrets',
    )
  }
  const attempt = Number(findHeader(headers, 'millrace-attempt') ?? 1)
  return { id, sentAt, attempt, messages: readMessages<Row>(body, numbers) }
}

function importSecret(secret: string): Promise<Key> {
  const bytes = decodeBase64(secret.replace(/^whsec_/, ''))
  if (!bytes?.length) throw new TypeError('a webhook secret is whsec_ followed by base64')
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  return crypto.subtle.importKey('raw', bytes, algorithm, false, ['verify'])
}

function requireHeader(headers: HeadersLike, name: string): string {
  const value = findHeader(headers, name)
  if (!value) throw new WebhookVerificationError('missing_header', `the request has no ${name}`)
  return value
}

function findHeader(headers: HeadersLike, name: string): string | undefined {
  if (headers instanceof Headers) return headers.get(name) ?? undefined
  const key = Object.keys(headers).find((sent) => sent.toLowerCase() === name)
  const value = key === undefined ? undefined : headers[key]
  return typeof value === 'object' ? value[0] : value
}

function checkTimestamp(timestamp: string, toleranceMs: number): Date {
  if (!/^\d{1,12}$/.test(timestamp)) {
    throw new WebhookVerificationError('malformed_timestamp', 'webhook-timestamp is no number')
  }
  const sentAt = new Date(Number(timestamp) * 1000)
  const apartMs = Math.abs(Date.now() - sentAt.getTime())
  if (apartMs > toleranceMs) {
    throw new WebhookVerificationError(
      'timestamp_out_of_tolerance',
      `the request is ${Math.round(apartMs / 1000)} s away from this machine's clock`,
    )
  }
  return sentAt
}

function readSignatures(header: string): Uint8Array<ArrayBuffer>[] {
  return header
    .split(' ')
    .slice(0, SIGNATURES_MAX)
    .map((part) => (part.startsWith('v1,') ? decodeBase64(part.slice(3)) : null))
    .filter((signature) => signature !== null)
}

/** `subtle.verify` compares in constant time. */
async function matchesAny(
  keys: readonly Key[],
  signatures: readonly Uint8Array<ArrayBuffer>[],
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  for (const key of keys) {
    for (const signature of signatures) {
      if (await crypto.subtle.verify('HMAC', key, signature, signed)) return true
    }
  }
  return false
}

function readMessages<Row>(body: Uint8Array, numbers: NumberMode): PushedMessage<Row>[] {
  try {
    const parsed = parseJson(new TextDecoder().decode(body), numbers) as
      | PushedMessage<Row>
      | { data: PushedMessage<Row>[] }
    return 'data' in parsed ? parsed.data : [parsed]
  } catch (error) {
    const message = 'the body is signed, but it is no message'
    throw new WebhookVerificationError('malformed_body', message, { cause: error })
  }
}

function concatBytes(head: Uint8Array, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(head.length + tail.length)
  joined.set(head)
  joined.set(tail, head.length)
  return joined
}

/** Null: not base64. */
function decodeBase64(text: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  } catch {
    return null
  }
}

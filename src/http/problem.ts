import { MillraceError, type ErrorCode } from '../errors.ts'
import { isStorageFailure, isStorageFull } from './storage-failure.ts'

/** Does not compile until a new code is in it. */
export const STATUS_OF = {
  malformed_json: 400,
  invalid_parameter: 400,
  malformed_ack_id: 400,
  unauthenticated: 401,
  insufficient_scope: 403,
  not_found: 404,
  method_not_allowed: 405,
  consumer_is_push: 409,
  name_taken: 409,
  slot_in_use: 409,
  source_in_use: 409,
  conflict: 409,
  secret_key_missing: 409,
  body_too_large: 413,
  unsupported_media_type: 415,
  validation_failed: 422,
  source_unreachable: 422,
  source_check_failed: 422,
  too_many_waiters: 429,
  internal: 500,
  draining: 503,
  storage_unavailable: 503,
} as const satisfies Record<ErrorCode, number>

/** For 429 and 503 when the error does not say. */
const RETRY_AFTER_MS = 1000
const ERRORS_MAX = 20

/** An answer that has not been written: the body is JSON text unless `contentType` says otherwise. */
export interface Reply {
  status: number
  body: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>> | null
  contentType?: string
  headers?: Record<string, string>
}

/**
 * Puts any error into words for the client. What is not a MillraceError, nor a
 * storage that cannot be reached, is a bug: its message may hold anything, so
 * the client learns the request's id only.
 */
export function createProblem(error: unknown, requestId: string): Reply {
  const known = refineError(error)
  const status = STATUS_OF[known.code]
  const errors = known.errors.slice(0, ERRORS_MAX)
  const body = JSON.stringify({
    type: `urn:millrace:problem:${known.code}`,
    title: titleOf(known.code),
    status,
    code: known.code,
    detail: known.message,
    // Clients made for Sequin show this one.
    summary: known.message,
    ...(errors.length > 0 ? { errors } : {}),
    request_id: requestId,
  })
  return {
    status,
    body,
    contentType: 'application/problem+json',
    headers: headersOf(known, status),
  }
}

export function refineError(error: unknown): MillraceError {
  if (error instanceof MillraceError) return error
  if (isStorageFull(error)) {
    return new MillraceError(
      'storage_unavailable',
      'The disk of the storage database is full. Nothing is lost; all goes on when there is room.',
      { cause: error },
    )
  }
  if (isStorageFailure(error)) {
    return new MillraceError(
      'storage_unavailable',
      'The storage database cannot be reached at the moment. Nothing is lost; try again shortly.',
      { cause: error },
    )
  }
  return new MillraceError('internal', 'Something went wrong in the server. It was logged.', {
    cause: error,
  })
}

function headersOf(error: MillraceError, status: number): Record<string, string> {
  if (status === 401) return { 'www-authenticate': 'Bearer realm="millrace"' }
  if (status !== 429 && status !== 503) return {}
  const seconds = Math.ceil((error.retryAfterMs ?? RETRY_AFTER_MS) / 1000)
  return { 'retry-after': String(Math.max(1, seconds)) }
}

/** `validation_failed`: "Validation failed". */
function titleOf(code: ErrorCode): string {
  const words = code.replaceAll('_', ' ')
  return words[0]!.toUpperCase() + words.slice(1)
}

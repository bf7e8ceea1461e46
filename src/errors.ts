/** Everything the service refuses on purpose. Codes are part of the API: add, never rename. */
export type ErrorCode =
  | 'malformed_json'
  | 'invalid_parameter'
  | 'malformed_ack_id'
  | 'unauthenticated'
  | 'insufficient_scope'
  | 'not_found'
  | 'method_not_allowed'
  | 'consumer_is_push'
  | 'name_taken'
  | 'slot_in_use'
  | 'source_in_use'
  | 'conflict'
  | 'body_too_large'
  | 'unsupported_media_type'
  | 'validation_failed'
  | 'source_unreachable'
  | 'source_check_failed'
  | 'secret_key_missing'
  | 'too_many_waiters'
  | 'draining'
  | 'storage_unavailable'
  | 'internal'

/** One thing that is wrong with the request: a JSON pointer into the body, and how to mend it. */
export interface ErrorDetail {
  pointer: string
  detail: string
}

interface MillraceErrorOptions extends ErrorOptions {
  errors?: readonly ErrorDetail[]
  retryAfterMs?: number
}

/**
 * An error whose message is safe to show a client. Capture, log and queue know
 * the code and nothing of HTTP; `http/problem.ts` alone maps codes to statuses.
 * Anything else that is thrown is a bug and becomes a bare 500.
 */
export class MillraceError extends Error {
  override readonly name = 'MillraceError'
  readonly code: ErrorCode
  readonly errors: readonly ErrorDetail[]
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, options: MillraceErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.errors = options.errors ?? []
    this.retryAfterMs = options.retryAfterMs
  }
}

/** `kind` is the word for it that its path has: `source`, `consumer`. */
export function createNotFound(kind: string, reference: string): MillraceError {
  return new MillraceError('not_found', `There is no ${kind} "${reference.slice(0, 100)}".`)
}

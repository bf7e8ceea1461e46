/** One thing that is wrong with a request: a JSON pointer into its body, and how to mend it. */
export interface ProblemDetail {
  pointer: string
  detail: string
}

/** The body of a refusal (`application/problem+json`, RFC 9457). */
export interface Problem {
  type: string
  title: string
  status: number
  /** Stable; what programs look at. */
  code: string
  detail: string
  errors: ProblemDetail[]
  request_id?: string
}

/** Everything this package throws on purpose, except the reason of an aborted signal. */
export abstract class MillraceError extends Error {}

/** The server refused. */
export class ApiError extends MillraceError {
  override readonly name: string = 'ApiError'
  readonly status: number
  readonly code: string
  readonly requestId: string | undefined
  /** How long the server asks to wait before the next try. */
  readonly retryAfterMs: number | undefined
  readonly problem: Problem

  constructor(problem: Problem, retryAfterMs?: number) {
    super(describeProblem(problem))
    this.problem = problem
    this.status = problem.status
    this.code = problem.code
    this.requestId = problem.request_id
    this.retryAfterMs = retryAfterMs
  }
}

/** 401 and 403: the token is missing, unknown, expired, or lacks the scope. */
export class AuthError extends ApiError {
  override readonly name = 'AuthError'
}

/** 404: it does not exist, or the token may not see it. */
export class NotFoundError extends ApiError {
  override readonly name = 'NotFoundError'
}

/** 409. */
export class ConflictError extends ApiError {
  override readonly name = 'ConflictError'
}

/** 400, 413, 415 and 422: the request is wrong, and nothing was changed. See `problem.errors`. */
export class ValidationError extends ApiError {
  override readonly name = 'ValidationError'
}

/** 429. */
export class RateLimitError extends ApiError {
  override readonly name = 'RateLimitError'
}

/** No answer, or half of one. The server may have done what it was asked. */
export class NetworkError extends MillraceError {
  override readonly name = 'NetworkError'
}

/** No answer in time. The server may have done what it was asked. */
export class TimeoutError extends MillraceError {
  override readonly name = 'TimeoutError'
  readonly timeoutMs: number

  constructor(request: string, timeoutMs: number) {
    super(`${request} was not answered within ${timeoutMs} ms`)
    this.timeoutMs = timeoutMs
  }
}

/** The messages are no longer ours: their lease expired, or someone moved the consumer. */
export class LeaseLostError extends MillraceError {
  override readonly name = 'LeaseLostError'
  readonly ackIds: readonly string[]

  constructor(ackIds: readonly string[]) {
    super(
      ackIds.length === 1
        ? 'the lease of this message is lost; it will be delivered again'
        : `the leases of ${ackIds.length} messages are lost; they will be delivered again`,
    )
    this.ackIds = ackIds
  }
}

export function toApiError(problem: Problem, retryAfterMs?: number): ApiError {
  switch (problem.status) {
    case 401:
    case 403:
      return new AuthError(problem)
    case 404:
      return new NotFoundError(problem)
    case 409:
      return new ConflictError(problem)
    case 400:
    case 413:
    case 415:
    case 422:
      return new ValidationError(problem)
    case 429:
      return new RateLimitError(problem, retryAfterMs)
    default:
      return new ApiError(problem, retryAfterMs)
  }
}

/** What the sentence does not say already; mostly it is the first of the errors in words. */
function describeProblem({ detail, title, errors }: Problem): string {
  const sentence = detail || title
  const more = errors.filter(
    (error) => !sentence.includes(error.detail) || !sentence.includes(error.pointer.slice(1)),
  )
  if (more.length === 0) return sentence
  const details = more.map((error) => `${error.pointer} ${error.detail}`.trim())
  return [sentence.replace(/\.$/, ''), ...details].join('; ')
}

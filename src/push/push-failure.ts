/** Where a request failed that got no complete answer. */
export type PushFailureKind =
  /** The URL, or the address it leads to, is not allowed. */
  | 'blocked'
  | 'dns'
  | 'connect'
  | 'tls'
  | 'timeout'
  /** The connection ended before the answer did. */
  | 'closed'
  /** What came back is not HTTP. */
  | 'protocol'
  /** We gave up ourselves, to stop. */
  | 'aborted'

/** A request without a complete answer; the message is meant for operators. */
export class PushFailure extends Error {
  override readonly name = 'PushFailure'
  readonly kind: PushFailureKind

  constructor(kind: PushFailureKind, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.kind = kind
  }
}

const KIND_BY_CODE: Record<string, PushFailureKind> = {
  ENOTFOUND: 'dns',
  EAI_AGAIN: 'dns',
  EAI_NODATA: 'dns',
  EAI_NONAME: 'dns',
  EAI_FAIL: 'dns',
  ENODATA: 'dns',
  ESERVFAIL: 'dns',
  ECONNREFUSED: 'connect',
  EHOSTUNREACH: 'connect',
  ENETUNREACH: 'connect',
  EADDRNOTAVAIL: 'connect',
  ETIMEDOUT: 'connect',
  UND_ERR_CONNECT_TIMEOUT: 'connect',
  UND_ERR_HEADERS_TIMEOUT: 'timeout',
  UND_ERR_BODY_TIMEOUT: 'timeout',
  ECONNRESET: 'closed',
  EPIPE: 'closed',
  UND_ERR_SOCKET: 'closed',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'protocol',
  UND_ERR_HEADERS_OVERFLOW: 'protocol',
}

/** Names what undici, the socket, the resolver or TLS threw. */
export function describeFailure(error: unknown): PushFailure {
  const found = findCause(error, (cause) => cause instanceof PushFailure)
  if (found instanceof PushFailure) return found

  const message = error instanceof Error ? error.message : String(error)
  // The parser's errors do not always have a code.
  const isUnreadable = (cause: unknown): boolean =>
    cause instanceof Error && cause.name === 'HTTPParserError'
  if (findCause(error, isUnreadable)) return new PushFailure('protocol', message, { cause: error })

  const code = codeOf(findCause(error, (cause) => codeOf(cause) !== undefined)) ?? ''
  const detail = message.includes(code) ? message : `${message} (${code})`
  const kind = KIND_BY_CODE[code] ?? (isTlsCode(code) ? 'tls' : 'closed')
  return new PushFailure(kind, detail, { cause: error })
}

/** OpenSSL's verification errors have names of their own, without a common prefix. */
function isTlsCode(code: string): boolean {
  return (
    /^(ERR_SSL_|ERR_TLS_|CERT_|UNABLE_TO_|CRL_|ERROR_IN_)/.test(code) ||
    /^(DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|HOSTNAME_MISMATCH|INVALID_(CA|PURPOSE))$/.test(
      code,
    )
  )
}

/** Several addresses that all failed come as one AggregateError: its first reason speaks for them. */
function findCause(error: unknown, matches: (cause: unknown) => boolean): unknown {
  const CAUSES_MAX = 8
  let cause = error
  for (let depth = 0; depth < CAUSES_MAX && cause !== undefined && cause !== null; depth++) {
    if (cause instanceof AggregateError && cause.errors.length > 0 && !matches(cause)) {
      cause = cause.errors[0]
      continue
    }
    if (matches(cause)) return cause
    cause = (cause as { cause?: unknown }).cause
  }
  return undefined
}

function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

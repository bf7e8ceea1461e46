import { backoffMs, sleep, type RetryPolicy } from './backoff.ts'
import {
  ApiError,
  MillraceError,
  NetworkError,
  TimeoutError,
  toApiError,
  type Problem,
} from './errors.ts'
import { parseJson, type NumberMode } from './parse-json.ts'

/** As the platform's `fetch`, and as `app.request` of most servers in tests. */
export type Fetch = (url: string, init: RequestInit) => Response | Promise<Response>

export interface TransportOptions {
  fetch: Fetch
  retry: RetryPolicy
  numbers: NumberMode
  /** Called before each attempt, so that a token may be renewed. */
  authorize: () => Promise<Record<string, string>> | Record<string, string>
}

export interface SendOptions {
  timeoutMs: number
  /** False: sent again only where the server is known to have done nothing. */
  repeatable: boolean
  /** Overrides the policy's number of attempts. */
  attempts?: number
}

/** A server that asks to wait longer than this is not waited for: the caller gets the error. */
const RETRY_AFTER_MS_MAX = 60_000

/**
 * Stands in for `Request` inside openapi-fetch: a platform `Request` gives its body
 * away once, and a retry needs it again.
 */
export class RecordedRequest {
  readonly url: string
  readonly init: RequestInit
  readonly method: string

  constructor(url: string, init: RequestInit) {
    this.url = url
    this.init = init
    this.method = init.method ?? 'GET'
  }
}

/** An answer whose body has been read: what fails while reading is retried like the rest. */
function createReadResponse(value: unknown, { status, headers }: Response): Response {
  // The length tells openapi-fetch to call `json` and not to parse by itself.
  const init = { status, headers: { ...Object.fromEntries(headers), 'content-length': '1' } }
  return Object.defineProperty(new Response(null, init), 'json', {
    value: () => Promise.resolve(value),
  })
}

/**
 * Sends a request, again where that helps, and answers only with success.
 * @throws ApiError, NetworkError, TimeoutError, or the reason of the request's signal
 */
export async function sendRequest(
  request: RecordedRequest,
  transport: TransportOptions,
  options: SendOptions,
): Promise<Response> {
  const signal = request.init.signal ?? undefined
  for (let attempt = 1; ; attempt++) {
    try {
      return await sendOnce(request, transport, options.timeoutMs, signal)
    } catch (error) {
      const { attempts = transport.retry.attempts } = options
      if (attempt >= attempts || !isWorthRetrying(error, options.repeatable)) throw error
      const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0
      if (asked > RETRY_AFTER_MS_MAX) throw error
      await sleep(asked + backoffMs(attempt, transport.retry), signal)
    }
  }
}

async function sendOnce(
  request: RecordedRequest,
  { fetch, numbers, authorize }: TransportOptions,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const name = `${request.method} ${request.url}`
  signal?.throwIfAborted()
  // Not AbortSignal.any: joined to a signal that lives as long as the program it leaks on some engines.
  const controller = new AbortController()
  const onAbort = () => controller.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => controller.abort(new TimeoutError(name, timeoutMs)), timeoutMs)
  try {
    const headers = new Headers(request.init.headers)
    for (const [key, value] of Object.entries(await authorize())) headers.set(key, value)
    const init = { ...request.init, headers, signal: controller.signal }
    const response = await fetch(request.url, init)
    return readResponse(response, await response.text(), name, numbers)
  } catch (error) {
    if (error instanceof MillraceError) throw error
    if (controller.signal.aborted) throw controller.signal.reason
    throw new NetworkError(`${name} failed: ${describeCause(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

function readResponse(response: Response, text: string, name: string, numbers: NumberMode) {
  const isJson = response.headers.get('content-type')?.includes('json') ?? false
  if (!response.ok) throw readError(response, isJson ? text : '')
  if (text === '') return new Response(null, { status: 204, headers: response.headers })
  if (!isJson) {
    const title = `${name} was answered with something that is not JSON; is the address right?`
    throw new ApiError(completeProblem({ title, code: 'not_json' }, response))
  }
  return createReadResponse(parseJson(text, numbers), response)
}

function readError(response: Response, text: string): ApiError {
  let body: Partial<Problem> = {}
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null) body = parsed
  } catch {
    // A proxy's page, or nothing: the status has to do.
  }
  return toApiError(completeProblem(body, response), readRetryAfter(response.headers))
}

function completeProblem(body: Partial<Problem>, { status, headers }: Response): Problem {
  const requestId = body.request_id ?? headers.get('x-request-id')
  return {
    type: body.type ?? 'about:blank',
    title: body.title ?? `The server answered ${status}`,
    status,
    code: body.code ?? `http_${status}`,
    detail: body.detail ?? '',
    errors: body.errors ?? [],
    ...(requestId === null ? {} : { request_id: requestId }),
  }
}

/** Seconds or a date. */
function readRetryAfter(headers: Headers): number | undefined {
  const value = headers.get('retry-after')
  if (value === null) return undefined
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now()
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined
}

/** 408 is a proxy's: Millrace does not say it. */
const STATUSES_TRANSIENT = new Set([408, 429, 502, 503, 504])

function isWorthRetrying(error: unknown, repeatable: boolean): boolean {
  if (error instanceof ApiError) {
    return repeatable
      ? STATUSES_TRANSIENT.has(error.status)
      : error.status === 429 || error.code === 'draining'
  }
  return repeatable && (error instanceof NetworkError || error instanceof TimeoutError)
}

/** `fetch failed` alone helps nobody: what failed is in the cause. */
function describeCause(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { cause } = error
  if (!(cause instanceof Error)) return error.message
  const code = (cause as { code?: unknown }).code
  return cause.message || (typeof code === 'string' ? code : error.message)
}

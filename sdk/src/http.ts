import createOpenApiClient, { type Client as OpenApiClient } from 'openapi-fetch'

import type { RetryPolicy } from './backoff.ts'
import { readVariable } from './environment.ts'
import type { paths } from './generated/schema.ts'
import type { NumberMode } from './parse-json.ts'
import { RecordedRequest, sendRequest, type Fetch, type TransportOptions } from './transport.ts'

export interface ClientOptions {
  /** May have a path. Left out: MILLRACE_URL of the environment, else `http://127.0.0.1:4400`. */
  baseUrl?: string
  /** `mr_…`; a function is asked before every request. Left out: MILLRACE_TOKEN of the environment. */
  token?: string | (() => string | Promise<string>)
  /** Sent with every request. */
  headers?: Record<string, string>
  fetch?: Fetch
  /** 4 attempts, waits of up to 200 ms doubling to 10 s. False: one attempt. */
  retry?: Partial<RetryPolicy> | false
  /** What becomes of numbers that JavaScript cannot hold; `safe`. */
  numbers?: NumberMode
}

export interface CallOptions {
  /** Ends the call, also while it waits for its next attempt. */
  signal?: AbortSignal
  /** For each attempt; 30 s, and `waitFor` on top of 10 s for `receive`. */
  timeoutMs?: number
  /** How often it is sent at most; as the client has it. */
  attempts?: number
}

/** What openapi-fetch takes besides parameters and body. */
interface RequestInitPart {
  fetch: (request: Request) => Promise<Response>
  signal: AbortSignal | null
}

export interface Http {
  readonly api: OpenApiClient<paths>
  /** For calls that may be sent twice without harm. */
  readonly repeatable: (options?: CallOptions) => RequestInitPart
  /** For calls that would do it twice. */
  readonly once: (options?: CallOptions) => RequestInitPart
}

const BASE_URL = 'http://127.0.0.1:4400'
const RETRY: RetryPolicy = { attempts: 4, baseMs: 200, maxMs: 10_000 }
const TIMEOUT_MS = 30_000

/** @throws TypeError for an address that is none */
export function createHttp(options: ClientOptions): Http {
  const { headers = {}, numbers = 'safe' } = options
  const baseUrl = options.baseUrl ?? readVariable('MILLRACE_URL') ?? BASE_URL
  const token = options.token ?? readVariable('MILLRACE_TOKEN')
  if (!baseUrl.startsWith('/') && !URL.canParse(baseUrl)) {
    throw new TypeError(`"${baseUrl}" is no address: write it as http://127.0.0.1:4400`)
  }
  const transport: TransportOptions = {
    // A bare reference to fetch loses its receiver, which browsers do not forgive.
    fetch: options.fetch ?? ((url, init) => globalThis.fetch(url, init)),
    retry: options.retry === false ? { ...RETRY, attempts: 1 } : { ...RETRY, ...options.retry },
    numbers,
    async authorize() {
      const text = typeof token === 'function' ? await token() : token
      return { ...headers, ...(text === undefined ? {} : { authorization: `Bearer ${text}` }) }
    },
  }

  const prepare =
    (repeatable: boolean) =>
    ({ signal, timeoutMs = TIMEOUT_MS, attempts }: CallOptions = {}): RequestInitPart => ({
      signal: signal ?? null,
      fetch: (request) =>
        sendRequest(request as unknown as RecordedRequest, transport, {
          timeoutMs,
          repeatable,
          ...(attempts === undefined ? {} : { attempts }),
        }),
    })

  return {
    api: createOpenApiClient<paths>({
      baseUrl,
      Request: RecordedRequest as unknown as typeof Request,
      ...prepare(false)(),
    }),
    repeatable: prepare(true),
    once: prepare(false),
  }
}

/** The transport throws whatever is no success, so there is a body where the API has one. */
export async function bodyOf<Body>(call: Promise<{ data?: Body }>): Promise<NonNullable<Body>> {
  return (await call).data as NonNullable<Body>
}

type Content<T> = T extends { content: { 'application/json': infer Body } } ? Body : never

/** The JSON that a call of the API takes. */
export type RequestBody<
  Path extends keyof paths,
  Method extends keyof paths[Path],
> = paths[Path][Method] extends { requestBody?: infer Body } ? Content<NonNullable<Body>> : never

/** The JSON that a call of the API answers with `Status`. */
export type Answer<
  Path extends keyof paths,
  Method extends keyof paths[Path],
  Status extends number = 200,
> = paths[Path][Method] extends { responses: Record<Status, infer Response> }
  ? Content<Response>
  : never

/** The parameters behind the question mark. */
export type Query<
  Path extends keyof paths,
  Method extends keyof paths[Path],
> = paths[Path][Method] extends { parameters: { query?: infer Parameters } }
  ? NonNullable<Parameters>
  : never

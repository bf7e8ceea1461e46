import { Client, type Dispatcher } from 'undici'

import { createGuardedConnect, refuseUrl, type GuardOptions } from './guarded-connect.ts'
import { describeFailure, PushFailure } from './push-failure.ts'

export interface PushRequest {
  headers: Record<string, string>
  body: Buffer
}

/** An answer that came whole, or as far as we read. */
export interface PushAnswer {
  status: number
  /** `Retry-After`, as it was sent. */
  retryAfter: string | undefined
  location: string | undefined
  /** The beginning of the body. */
  body: string
  /** There was more of it than we read. */
  isCut: boolean
}

/**
 * Sends one request and calls back once, with a PushFailure when no complete answer came.
 * A callback and no promise, as push sends many thousands a second; it may come before the
 * call returns, or in the middle of undici's work: what it leads to is better done later.
 */
export type Post = (request: PushRequest, onOutcome: OnOutcome) => void

export type OnOutcome = (outcome: PushAnswer | PushFailure) => void

interface EndpointOptions extends GuardOptions {
  url: string
  /** From the first byte of connecting to the last of the answer. */
  timeoutMs: number
  connectionsMax: number
  allowHttp?: boolean
  /** Of an answer; past it the connection is closed. */
  bodyBytesMax?: number
}

export const ANSWER_BYTES_MAX = 64 * 1024
const CONNECT_TIMEOUT_MS_MAX = 5000
const HEADER_BYTES_MAX = 16 * 1024
/** Below the five seconds after which common servers close an idle connection. */
const KEEP_ALIVE_MS = 4000

/**
 * The kept-alive connections to one endpoint. It follows no redirect and reads no
 * proxy from the environment: both would lead to an address that nobody checked.
 *
 * Connections are handed out by a stack and not by undici's Pool, which looks through
 * all of them for a free one and emits events for each request. The one used last goes
 * first, so that those that are not needed any more fall idle and close.
 */
export class EndpointClient {
  readonly #options: EndpointOptions
  readonly #origin: string
  readonly #path: string
  readonly #clientOptions: Client.Options
  /** Why nothing may be sent there at all. */
  readonly #refused: string | undefined
  readonly #clients: Client[] = []
  readonly #free: Client[] = []
  /** Oldest first, and so the one whose time is over first. */
  readonly #open = new Set<Exchange>()
  #deadlineTimer: NodeJS.Timeout | undefined
  readonly #listener: ExchangeListener = {
    onOver: (exchange) => this.#open.delete(exchange),
    onFree: ({ client }) => this.#free.push(client),
  }

  constructor(options: EndpointOptions) {
    const { guard, resolve, allowHttp = false } = options
    const url = new URL(options.url)
    this.#refused = refuseUrl(url, { guard, allowHttp })
    this.#options = options
    this.#origin = url.origin
    this.#path = url.pathname + url.search
    this.#clientOptions = {
      // One request a connection: `max_in_flight` means both, and what hangs holds up no other.
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      keepAliveMaxTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      // One deadline for the whole of a request; undici's restart with every byte.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: createGuardedConnect({
        guard,
        ...(resolve ? { resolve } : {}),
        url,
        allowHttp,
        connectTimeoutMs: Math.min(options.timeoutMs, CONNECT_TIMEOUT_MS_MAX),
      }),
    }
  }

  readonly post: Post = (request, onOutcome) => {
    if (this.#refused !== undefined) {
      onOutcome(new PushFailure('blocked', this.#refused))
      return
    }
    const { timeoutMs, bodyBytesMax = ANSWER_BYTES_MAX } = this.#options
    const client = this.#takeClient()
    const exchange = new Exchange(client, timeoutMs, bodyBytesMax, this.#listener, onOutcome)
    this.#open.add(exchange)
    this.#watchDeadlines()
    const { headers, body } = request
    try {
      client.dispatch({ path: this.#path, method: 'POST', headers, body }, exchange)
    } catch (error) {
      exchange.onResponseError(undefined, error)
    }
  }

  /** The same as a promise. Rejects with a PushFailure, and nothing else. */
  request(request: PushRequest): Promise<PushAnswer> {
    return new Promise((resolve, reject) => {
      this.post(request, (outcome) => {
        if (outcome instanceof PushFailure) reject(outcome)
        else resolve(outcome)
      })
    })
  }

  /** Ends what is under way, each with a failure of kind `aborted`. */
  async close(): Promise<void> {
    const reason = new PushFailure('aborted', 'stopped before the answer came')
    for (const exchange of this.#open) exchange.fail(reason)
    clearTimeout(this.#deadlineTimer)
    await Promise.all(this.#clients.map((client) => client.destroy(reason)))
  }

  #takeClient(): Client {
    const free = this.#free.pop()
    if (free) return free
    // All are taken by requests that we have given up but that undici has not: those end soon.
    if (this.#clients.length >= this.#options.connectionsMax) return this.#clients[0]!
    const client = new Client(this.#origin, this.#clientOptions)
    this.#clients.push(client)
    return client
  }

  /** One timer for all requests: they have the same time, so the oldest comes first. */
  #watchDeadlines(): void {
    if (this.#deadlineTimer) return
    const [oldest] = this.#open
    if (!oldest) return
    this.#deadlineTimer = setTimeout(
      () => {
        this.#deadlineTimer = undefined
        const now = performance.now()
        for (const exchange of this.#open) {
          if (exchange.deadline > now) break
          exchange.expire()
        }
        this.#watchDeadlines()
      },
      Math.max(oldest.deadline - performance.now(), 1),
    )
  }
}

interface ExchangeListener {
  /** The outcome is there; called once. */
  onOver: (exchange: Exchange) => void
  /** Its connection may be used again, or be made anew; called once, now and then after the outcome. */
  onFree: (exchange: Exchange) => void
}

/** One request and its answer, as undici tells of them. */
class Exchange implements Dispatcher.DispatchHandler {
  readonly client: Client
  /** By `performance.now()`. */
  readonly deadline: number
  readonly #timeoutMs: number
  readonly #bytesMax: number
  readonly #listener: ExchangeListener
  readonly #onOutcome: OnOutcome
  #controller: Dispatcher.DispatchController | undefined
  #failure: PushFailure | undefined
  #status = 0
  #headers: Record<string, string | string[] | undefined> = {}
  #chunks: Buffer[] | undefined
  #bytes = 0
  #ended = false
  #isFree = false

  constructor(
    client: Client,
    timeoutMs: number,
    bytesMax: number,
    listener: ExchangeListener,
    onOutcome: OnOutcome,
  ) {
    this.client = client
    this.deadline = performance.now() + timeoutMs
    this.#timeoutMs = timeoutMs
    this.#bytesMax = bytesMax
    this.#listener = listener
    this.#onOutcome = onOutcome
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    if (this.#failure) controller.abort(this.#failure)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status
    this.#headers = headers
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#ended) return
    const room = this.#bytesMax - this.#bytes
    // A copy: a slice would keep the socket's whole buffer.
    if (room > 0) (this.#chunks ??= []).push(Buffer.from(chunk.subarray(0, room)))
    this.#bytes += chunk.length
    if (this.#bytes <= this.#bytesMax) return
    // Over before the outcome is told, which may lead to the next request at once.
    this.#ended = true
    controller.abort(new PushFailure('aborted', 'the answer was longer than we read'))
    this.#end(this.#readAnswer(true))
  }

  onResponseEnd(): void {
    this.#free()
    if (!this.#ended) this.#end(this.#readAnswer(false))
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, error: unknown): void {
    this.#free()
    this.fail(error)
  }

  /** Ends the request with a failure, unless its answer is already here. */
  fail(error: unknown): void {
    if (this.#ended) return
    const failure = describeFailure(error)
    this.#failure = failure
    this.#end(failure)
    this.#controller?.abort(failure)
  }

  #end(outcome: PushAnswer | PushFailure): void {
    this.#ended = true
    this.#listener.onOver(this)
    this.#onOutcome(outcome)
  }

  #free(): void {
    if (this.#isFree) return
    this.#isFree = true
    this.#listener.onFree(this)
  }

  #readAnswer(isCut: boolean): PushAnswer {
    return {
      status: this.#status,
      retryAfter: firstValue(this.#headers['retry-after']),
      location: firstValue(this.#headers['location']),
      body: this.#chunks ? Buffer.concat(this.#chunks).toString('utf8') : '',
      isCut,
    }
  }

  /** Its time is over. */
  expire(): void {
    const stage =
      this.#status > 0
        ? `after its status ${this.#status} the answer did not end`
        : this.#controller
          ? 'no answer came'
          : 'no connection came about'
    const kind = this.#controller ? 'timeout' : 'connect'
    this.fail(new PushFailure(kind, `${stage} within ${this.#timeoutMs} ms`))
  }
}

function firstValue(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value
}

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

import { getRequestListener } from '@hono/node-server'
import type { Hono } from 'hono'

import type { DirectRoutes } from './direct-routes.ts'
import { SETTLE_BYTES_MAX } from './route.ts'

export interface HttpServerOptions {
  app: Hono
  /** Asked first. */
  direct?: DirectRoutes
  host: string
  /** 0: a free one. */
  port: number
  /** Connections at the same time; one more is closed at once. */
  connectionsMax?: number
}

export interface StopOptions {
  /** Requests that are still unanswered after this are cut off, in ms. */
  graceMs?: number
}

const CONNECTIONS_MAX = 10_000
const HEADER_BYTES_MAX = 16 * 1024
/** How long the head of a request may take to come. */
const HEADERS_TIMEOUT_MS = 15_000
/** How long a request may take to come whole; its answer may take longer. */
const REQUEST_TIMEOUT_MS = 60_000
/** Longer than the 60 s of common load balancers: the one in front should close first. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000
const GRACE_MS = 10_000
const CLOSE_IDLE_STEP_MS = 25

/** The API on a socket. `stop` may come twice, or before `start`. */
export class HttpServer {
  readonly #options: HttpServerOptions
  readonly #server: Server
  /** Requests without a complete answer. */
  readonly #open = new Set<ServerResponse>()
  #isStopping = false
  #stopped: Promise<void> | undefined

  constructor(options: HttpServerOptions) {
    this.#options = options
    const { direct } = options
    const listen = getRequestListener(options.app.fetch)
    const accept = (request: IncomingMessage, response: ServerResponse): void => {
      this.#open.add(response)
      response.once('close', () => this.#open.delete(response))
      if (this.#isStopping) response.shouldKeepAlive = false
      if (!direct?.take(request, response)) void listen(request, response)
    }
    this.#server = createServer(
      {
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        maxHeaderSize: HEADER_BYTES_MAX,
        noDelay: true,
      },
      accept,
    )
    this.#server.maxConnections = options.connectionsMax ?? CONNECTIONS_MAX
    // Who asks before sending a large body is spared the sending.
    this.#server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
      if (!(Number(request.headers['content-length']) > SETTLE_BYTES_MAX)) response.writeContinue()
      accept(request, response)
    })
  }

  /** Answers where it listens. */
  async start(): Promise<{ host: string; port: number; url: string }> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(this.#options.port, this.#options.host, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
    const { address, port, family } = this.#server.address() as AddressInfo
    const host = family === 'IPv6' ? `[${address}]` : address
    return { host: address, port, url: `http://${host}:${port}` }
  }

  /**
   * Takes no new connection, lets requests end and closes what is idle; what has not
   * ended in time is cut off. Whoever waits in a receive ends when the queues drain,
   * so begin that first.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopped ??= this.#stop(options.graceMs ?? GRACE_MS)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    if (!this.#server.listening) return
    this.#isStopping = true
    // These answers say `Connection: close`, so that their clients do not send on it again.
    for (const response of this.#open) response.shouldKeepAlive = false
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    const cutOff = setTimeout(() => this.#server.closeAllConnections(), graceMs)
    const sweep = setInterval(() => this.#server.closeIdleConnections(), CLOSE_IDLE_STEP_MS)
    await closed
    clearTimeout(cutOff)
    clearInterval(sweep)
  }
}

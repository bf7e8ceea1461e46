import type { IncomingMessage, ServerResponse } from 'node:http'

import { MillraceError } from '../errors.ts'
import type { Exchange } from './exchange.ts'
import {
  answerCall,
  createRequestId,
  headersOf,
  type MountedRoute,
  type MountOptions,
} from './mount.ts'
import type { Reply } from './problem.ts'
import { bodyLimitOf } from './route.ts'

const PREFIX = '/v1/consumers/'
const NAME = /^[\w-]{1,100}$/
const NO_QUERY = {}
const ENCODED_CHARS_MIN = 16 * 1024

/**
 * The calls that services make for every message, straight from Node's server.
 *
 * Spares the making of Request and Response objects, which a call for one message
 * notices. It takes only what it can do whole; every other request goes by way of
 * Hono to the same handlers.
 */
export class DirectRoutes {
  readonly #routes = new Map<string, MountedRoute>()
  readonly #options: MountOptions

  /** @param routes with paths such as `/v1/consumers/{consumer}/receive`, all of them POST */
  constructor(routes: readonly MountedRoute[], options: MountOptions) {
    this.#options = options
    for (const route of routes) {
      const { method, path } = route.definition
      const verb = /^\/v1\/consumers\/\{consumer\}\/(\w+)$/.exec(path)?.[1]
      if (method !== 'post' || verb === undefined) throw new Error(`not a direct route: ${path}`)
      this.#routes.set(verb, route)
    }
  }

  /** Whether the request is taken; if not, nothing was done with it. */
  take(request: IncomingMessage, response: ServerResponse): boolean {
    const { url = '', headers } = request
    if (request.method !== 'POST' || !url.startsWith(PREFIX)) return false
    const slash = url.indexOf('/', PREFIX.length)
    const route = this.#routes.get(url.slice(slash + 1))
    if (!route) return false
    const consumer = url.slice(PREFIX.length, slash)
    if (!NAME.test(consumer)) return false
    // A body without a length, too long, or not yet sent.
    const length = headers['content-length']
    if (headers['transfer-encoding'] !== undefined || headers.expect !== undefined) return false
    if (length !== undefined && Number(length) > bodyLimitOf(route.definition)) return false
    void this.#serve(route, new NodeExchange(request, response, consumer), response)
    return true
  }

  async #serve(
    route: MountedRoute,
    exchange: NodeExchange,
    response: ServerResponse,
  ): Promise<void> {
    const requestId = createRequestId()
    try {
      const answer = await answerCall(route, exchange, requestId, this.#options)
      writeReply(response, answer, requestId)
    } catch (error) {
      this.#options.logger.error('an answer could not be written', { request_id: requestId, error })
      response.destroy()
    }
  }
}

function writeReply(response: ServerResponse, answer: Reply, requestId: string): void {
  if (response.destroyed) return
  const { body } = answer
  if (body !== null && typeof body !== 'string') throw new Error('a direct route answers text')
  const headers = headersOf(answer, requestId)
  for (const name in headers) response.setHeader(name, headers[name]!)
  response.statusCode = answer.status
  // Node makes room for three times the length of a text that it encodes itself.
  if (body !== null && body.length > ENCODED_CHARS_MIN) response.end(Buffer.from(body))
  else response.end(body ?? undefined)
}

class NodeExchange implements Exchange {
  readonly params: { readonly consumer: string }
  readonly query = NO_QUERY
  readonly #request: IncomingMessage
  readonly #response: ServerResponse
  #aborting: AbortController | undefined

  constructor(request: IncomingMessage, response: ServerResponse, consumer: string) {
    this.#request = request
    this.#response = response
    this.params = { consumer }
  }

  get method(): string {
    return this.#request.method!
  }

  get url(): string {
    return this.#request.url!
  }

  get signal(): AbortSignal {
    if (!this.#aborting) {
      const aborting = new AbortController()
      const response = this.#response
      const onClose = (): void => {
        if (!response.writableFinished) aborting.abort()
      }
      this.#aborting = aborting
      if (response.destroyed) onClose()
      else response.once('close', onClose)
    }
    return this.#aborting.signal
  }

  header(name: string): string | undefined {
    return this.#request.headers[name] as string | undefined
  }

  /** `take` has seen to its length, which Node's parser holds the client to. */
  readText(): Promise<string> {
    const request = this.#request
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        resolve((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString('utf8'))
      })
      // Nobody is left to read this; it is not a fault of ours, either.
      request.on('error', () => {
        reject(new MillraceError('malformed_json', 'The body ended before it was whole.'))
      })
    })
  }
}

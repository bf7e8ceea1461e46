import type { Context } from 'hono'

import { tooLarge } from './too-large.ts'

/** What a call needs to know of the request it came with, whichever way that took. */
export interface Exchange {
  readonly method: string
  /** As the client wrote it, or whole. */
  readonly url: string
  /** Of the path, by their names. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** Aborted when the connection closes with the answer unfinished, and only then. */
  readonly signal: AbortSignal
  /** By its name in small letters. */
  header(name: string): string | undefined
  /**
   * The body, never more of it than `bytesMax`; empty: there is none.
   * @throws MillraceError `body_too_large`, `malformed_json`
   */
  readText(bytesMax: number): Promise<string>
}

/** A request that came by way of Hono. */
export class HonoExchange implements Exchange {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  get method(): string {
    return this.#context.req.method
  }

  get url(): string {
    return this.#context.req.url
  }

  get params(): Record<string, string> {
    return this.#context.req.param()
  }

  get query(): Record<string, string> {
    return this.#context.req.query()
  }

  get signal(): AbortSignal {
    return this.#context.req.raw.signal
  }

  header(name: string): string | undefined {
    return this.#context.req.header(name)
  }

  readText(bytesMax: number): Promise<string> {
    const isCounted = this.header('content-length') !== undefined
    const { raw } = this.#context.req
    return isCounted ? raw.text() : readCounting(raw, bytesMax)
  }
}

/** A body of unknown length is counted while it comes. */
async function readCounting(request: Request, bytesMax: number): Promise<string> {
  if (request.body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.byteLength
    if (size > bytesMax) {
      await reader.cancel()
      throw tooLarge(bytesMax)
    }
    chunks.push(value)
  }
  return Buffer.concat(chunks, size).toString('utf8')
}

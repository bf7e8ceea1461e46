import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

import { describe, expect } from 'vitest'

import { HttpServer, type HttpServerOptions } from '../../src/http/server.ts'
import type { Received, ReceiveOptions } from '../../src/queue/queue-service.ts'
import type { Database } from '../../src/storage/database.ts'
import { test as base } from '../support/database.ts'
import { ADMIN_TOKEN, makeApi } from './api.ts'
import { makeFakeQueues, makeReceived } from './fake-queues.ts'

/** What a raw client said and heard. */
class RawClient {
  readonly socket: Socket
  received = ''
  readonly closed: Promise<unknown>

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1')
    this.socket.setEncoding('latin1')
    this.socket.on('data', (chunk: string) => (this.received += chunk))
    this.socket.on('error', () => {})
    this.closed = once(this.socket, 'close')
  }

  send(body: string, headers: readonly string[] = []): void {
    this.socket.write(
      [
        'POST /v1/consumers/inventory/receive HTTP/1.1',
        'Host: localhost',
        `Authorization: Bearer ${ADMIN_TOKEN}`,
        'Content-Type: application/json',
        ...(headers.length > 0 ? headers : [`Content-Length: ${body.length}`]),
        '',
        body,
      ].join('\r\n'),
    )
  }

  async hears(text: string): Promise<void> {
    while (!this.received.includes(text)) {
      await Promise.race([once(this.socket, 'data'), this.closed])
      if (this.socket.closed && !this.received.includes(text)) {
        throw new Error(`closed before "${text}": ${this.received}`)
      }
    }
  }
}

interface Waiting {
  options: ReceiveOptions
  answer: (received: Received) => void
}

/** A server whose receives the test answers, one after the other. */
class Harness {
  readonly server: HttpServer
  port = 0
  readonly #clients: RawClient[] = []
  readonly #waiting: Waiting[] = []
  #onWaiting: (() => void) | undefined

  constructor(storage: Database, options: Partial<HttpServerOptions> = {}) {
    const queues = makeFakeQueues(
      (receive) =>
        new Promise((answer) => {
          this.#waiting.push({ options: receive, answer })
          this.#onWaiting?.()
        }),
    )
    const { app, direct } = makeApi(storage, queues)
    this.server = new HttpServer({ app, direct, host: '127.0.0.1', port: 0, ...options })
  }

  client(): RawClient {
    const client = new RawClient(this.port)
    this.#clients.push(client)
    return client
  }

  async nextReceive(): Promise<Waiting> {
    while (this.#waiting.length === 0) {
      await new Promise<void>((resolve) => (this.#onWaiting = resolve))
    }
    return this.#waiting.shift()!
  }

  async end(): Promise<void> {
    for (const { socket } of this.#clients) socket.destroy()
    await this.server.stop({ graceMs: 0 })
  }
}

const test = base.extend<{ harness: Harness }>({
  harness: async ({ storage }, use) => {
    const harness = new Harness(storage)
    harness.port = (await harness.server.start()).port
    await use(harness)
    await harness.end()
  },
})

const aborted = (signal: AbortSignal): Promise<unknown> =>
  signal.aborted ? Promise.resolve() : once(signal, 'abort')

describe('a client that hangs up', () => {
  test.for(['destroy', 'end', 'resetAndDestroy'] as const)(
    'while waiting, by %s, ends its wait',
    async (way, { harness }) => {
      const client = harness.client()
      client.send('{}')
      const { options } = await harness.nextReceive()
      expect(options.signal?.aborted).toBe(false)

      client.socket[way]()

      await aborted(options.signal!)
    },
  )

  test('before the answer is written gives its messages back', async ({ harness }) => {
    const client = harness.client()
    client.send('{}')
    const { options, answer } = await harness.nextReceive()
    client.socket.destroy()
    await aborted(options.signal!)

    await new Promise<void>((resolve) => answer(makeReceived(3, 10, resolve)))
  })

  test('while the answer is being written gives its messages back', async ({ harness }) => {
    const client = harness.client()
    // It reads the head and no more: most of the answer stays with the server.
    client.socket.once('data', () => client.socket.pause())
    client.send('{}')
    const { answer } = await harness.nextReceive()

    const givenBack = new Promise<void>((resolve) => answer(makeReceived(100, 400_000, resolve)))
    await client.hears('HTTP/1.1 200')
    client.socket.destroy()

    await givenBack
  })

  test('after the whole answer keeps its messages', async ({ harness }) => {
    let givenBack = 0
    const client = harness.client()
    client.send('{}')
    const { options, answer } = await harness.nextReceive()
    answer(makeReceived(1, 10, () => (givenBack += 1)))
    await client.hears('"limited_by":null}}')
    client.socket.destroy()
    // Another request on another connection comes after the server has seen the first one close.
    for (let round = 0; round < 3; round++) {
      const other = harness.client()
      other.send('{}')
      const next = await harness.nextReceive()
      next.answer(makeReceived(0, 0, () => {}))
      await other.hears('"limited_by":null}}')
    }

    expect([givenBack, options.signal?.aborted]).toEqual([0, false])
  })
})

describe('a large body', () => {
  test('is refused by its announced length, unread', async ({ harness }) => {
    const client = harness.client()

    client.send('{"ack_ids":[', ['Content-Length: 100000000'])
    await client.hears('"code":"body_too_large"')

    expect(client.received).toMatch(/^HTTP\/1\.1 413 /)
  })

  test('is not even asked for when the client asks first', async ({ harness }) => {
    const client = harness.client()

    client.send('', ['Content-Length: 100000000', 'Expect: 100-continue'])
    await client.hears('"code":"body_too_large"')

    expect(client.received).toMatch(/^HTTP\/1\.1 413 /)
  })

  test('of unknown length is refused when it has grown too large', async ({ harness }) => {
    const client = harness.client()
    const chunk = `10000\r\n${' '.repeat(0x10000)}\r\n`

    client.send(chunk.repeat(17), ['Transfer-Encoding: chunked'])
    await client.hears('"code":"body_too_large"')

    expect(client.received).toMatch(/^HTTP\/1\.1 413 /)
  })

  test('that is allowed comes after 100 Continue', async ({ harness }) => {
    const client = harness.client()
    client.send('', ['Content-Length: 2', 'Expect: 100-continue'])
    await client.hears('HTTP/1.1 100 Continue')
    client.socket.write('{}')

    const { answer } = await harness.nextReceive()
    answer(makeReceived(0, 0, () => {}))

    await client.hears('HTTP/1.1 200 OK')
  })
})

describe('stop', () => {
  test('lets what is under way end, and closes the connection then', async ({ harness }) => {
    const idle = harness.client()
    idle.send('{}')
    ;(await harness.nextReceive()).answer(makeReceived(0, 0, () => {}))
    await idle.hears('HTTP/1.1 200')
    const busy = harness.client()
    busy.send('{}')
    const { answer } = await harness.nextReceive()

    const stopped = harness.server.stop()
    await idle.closed
    expect(busy.received).toBe('')
    answer(makeReceived(0, 0, () => {}))
    await stopped

    await busy.closed
    expect(busy.received).toContain('HTTP/1.1 200 OK')
    expect(busy.received.toLowerCase()).toContain('connection: close')
    await expect(fetch(`http://127.0.0.1:${harness.port}/livez`)).rejects.toThrow('fetch failed')
  })

  test('cuts off what does not end in time', async ({ harness }) => {
    const client = harness.client()
    client.send('{}')
    const { options } = await harness.nextReceive()

    await harness.server.stop({ graceMs: 50 })

    await client.closed
    await aborted(options.signal!)
  })

  test('may come twice, or before start', async ({ storage, harness }) => {
    await Promise.all([harness.server.stop(), harness.server.stop()])

    await new Harness(storage).server.stop()
  })
})

describe('start', () => {
  test('fails on a port that is taken', async ({ storage, harness }) => {
    const second = new Harness(storage, { port: harness.port })

    await expect(second.server.start()).rejects.toThrow('EADDRINUSE')
  })

  test('bounds the connections', async ({ storage }) => {
    const harness = new Harness(storage, { connectionsMax: 1 })
    harness.port = (await harness.server.start()).port
    const first = harness.client()
    first.send('{}')
    await harness.nextReceive()

    const second = harness.client()
    await second.closed

    expect(second.received).toBe('')
    await harness.end()
  })
})

import { once } from 'node:events'
import { createServer as createTlsServer } from 'node:https'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'

import { describe, expect, onTestFinished, test } from 'vitest'

import { createAddressGuard } from '../../src/push/address-guard.ts'
import { ANSWER_BYTES_MAX, EndpointClient } from '../../src/push/endpoint-client.ts'
import type { Resolve } from '../../src/push/guarded-connect.ts'
import { PushFailure } from '../../src/push/push-failure.ts'
import { makeSelfSignedCertificate } from './support/certificate.ts'
import { startReceiver, type Receiver } from './support/receiver.ts'
import { until } from './support/until.ts'

const LOOPBACK = createAddressGuard(['127.0.0.0/8'])
const REQUEST = { headers: { 'content-type': 'application/json' }, body: Buffer.from('{}') }
/** Only those that are never answered are let wait so shortly. */
const SHORT = { timeoutMs: 300 }
const TIMEOUT_MS = 20_000

function openClient(
  url: string,
  options: Partial<ConstructorParameters<typeof EndpointClient>[0]> = {},
): EndpointClient {
  const client = new EndpointClient({
    guard: LOOPBACK,
    url,
    timeoutMs: TIMEOUT_MS,
    connectionsMax: 4,
    ...options,
  })
  onTestFinished(() => client.close())
  return client
}

async function givenReceiver(answer: Parameters<typeof startReceiver>[0]): Promise<Receiver> {
  const receiver = await startReceiver(answer)
  onTestFinished(() => receiver.close())
  return receiver
}

/** Speaks to the socket itself, for answers that no HTTP server would give. */
async function givenSocketServer(
  onRequest: (socket: Socket) => void,
): Promise<{ url: string; busy: Set<Socket> }> {
  /** Connections with a request on them. */
  const busy = new Set<Socket>()
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.once('close', () => busy.delete(socket))
    socket.once('data', () => {
      busy.add(socket)
      onRequest(socket)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of busy) socket.destroy()
    server.close()
  })
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, busy }
}

async function failureOf(client: EndpointClient): Promise<PushFailure> {
  const failure = await client.request(REQUEST).then(
    (answer) => expect.unreachable(`answered ${answer.status}`),
    (error: unknown) => error,
  )
  expect(failure).toBeInstanceOf(PushFailure)
  return failure as PushFailure
}

describe('an endpoint', () => {
  test('gets the request, and its answer comes back', async () => {
    const receiver = await givenReceiver((response) => {
      response.writeHead(429, { 'retry-after': '7' }).end('slow down')
    })
    const client = openClient(`${receiver.url}?key=a%20b`)
    const answer = await client.request({
      headers: { 'content-type': 'application/json', 'x-mine': 'yes' },
      body: Buffer.from('{"name":"Zoë"}'),
    })
    expect(answer).toEqual({
      status: 429,
      retryAfter: '7',
      location: undefined,
      body: 'slow down',
      isCut: false,
    })
    expect(receiver.requests[0]).toMatchObject({
      body: '{"name":"Zoë"}',
      headers: { 'x-mine': 'yes', 'content-length': '15' },
    })
  })

  test('is reached over connections that are kept, and no more than allowed', async () => {
    const receiver = await givenReceiver((response) => response.end('ok'))
    const client = openClient(receiver.url, { connectionsMax: 2 })
    await Promise.all(Array.from({ length: 50 }, () => client.request(REQUEST)))
    expect(receiver.connectionCount()).toBeLessThanOrEqual(2)
  })

  test('that never answers times out, and its connection is closed', async () => {
    const receiver = await givenReceiver(() => {})
    const failure = await failureOf(openClient(receiver.url, SHORT))
    expect(failure).toMatchObject({ kind: 'timeout', message: 'no answer came within 300 ms' })
    await until('the request is closed', () => receiver.openCount() === 0)
  })

  test('that sends its headers a byte at a time times out', async () => {
    const server = await givenSocketServer((socket) =>
      drip(socket, 'HTTP/1.1 200 OK\r\nx: yyyyyyyyyyyyyyyy'),
    )
    expect(await failureOf(openClient(server.url, SHORT))).toMatchObject({ kind: 'timeout' })
    await until('the connection is closed', () => server.busy.size === 0)
  })

  test('that sends its body a byte at a time times out', async () => {
    const server = await givenSocketServer((socket) => {
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n')
      drip(socket, 'x'.repeat(1000))
    })
    // Its head must come in time on a slow machine, too.
    expect(await failureOf(openClient(server.url, { timeoutMs: 2000 }))).toMatchObject({
      kind: 'timeout',
      message: 'after its status 200 the answer did not end within 2000 ms',
    })
    await until('the connection is closed', () => server.busy.size === 0)
  })

  test('that sends a gigabyte is read to the limit and cut off', async () => {
    let sent = 0
    const chunk = Buffer.alloc(64 * 1024, 'x')
    const server = await givenSocketServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${2 ** 30}\r\n\r\n`)
      const flood = (): void => {
        while (!socket.destroyed && sent < 2 ** 30) {
          sent += chunk.length
          if (!socket.write(chunk)) return
        }
      }
      socket.on('drain', flood)
      flood()
    })
    const before = process.memoryUsage().arrayBuffers
    const answer = await openClient(server.url, { timeoutMs: 20_000 }).request(REQUEST)
    expect(answer).toMatchObject({ status: 200, isCut: true })
    expect(answer.body).toHaveLength(ANSWER_BYTES_MAX)
    await until('the connection is closed', () => server.busy.size === 0)
    // What the kernel buffers on both sides is all that was sent in vain.
    expect(sent).toBeLessThan(64 * 2 ** 20)
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(32 * 2 ** 20)
  })

  test('that sends endless headers is refused', async () => {
    const server = await givenSocketServer((socket) => {
      socket.write(`HTTP/1.1 200 OK\r\n${'x-more: yyyyyyyyyyyyyyyyyyyyyyyy\r\n'.repeat(10_000)}`)
    })
    expect(await failureOf(openClient(server.url))).toMatchObject({ kind: 'protocol' })
  })

  test('that closes in the middle of its answer has not answered', async () => {
    const server = await givenSocketServer((socket) => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\nhalf')
    })
    expect(await failureOf(openClient(server.url))).toMatchObject({ kind: 'closed' })
  })

  test('that closes without an answer has not answered', async () => {
    const server = await givenSocketServer((socket) => socket.destroy())
    expect(await failureOf(openClient(server.url))).toMatchObject({ kind: 'closed' })
  })

  test('that does not speak HTTP fails as such', async () => {
    const server = await givenSocketServer((socket) => socket.end('220 mail.example.com ESMTP\r\n'))
    expect(await failureOf(openClient(server.url))).toMatchObject({ kind: 'protocol' })
  })

  test('where nobody listens fails to connect', async () => {
    const receiver = await startReceiver(() => {})
    await receiver.close()
    const failure = await failureOf(openClient(receiver.url))
    expect(failure).toMatchObject({ kind: 'connect', message: expect.stringContaining('REFUSED') })
  })

  test('with a certificate that nobody vouches for is not spoken to', async () => {
    let requests = 0
    const server = createTlsServer(makeSelfSignedCertificate(), (_request, response) => {
      requests++
      response.end()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    onTestFinished(() => void server.close())
    const url = `https://localhost:${(server.address() as AddressInfo).port}/`
    expect(await failureOf(openClient(url, { timeoutMs: 5000 }))).toMatchObject({
      kind: 'tls',
      message: expect.stringContaining('self-signed certificate'),
    })
    expect(requests).toBe(0)
  })

  test('that redirects to a private address is not followed', async () => {
    const inner = await givenReceiver((response) => response.end('secret'))
    const receiver = await givenReceiver((response) => {
      response.writeHead(307, { location: inner.url }).end()
    })
    expect(await openClient(receiver.url).request(REQUEST)).toMatchObject({
      status: 307,
      location: inner.url,
    })
    expect(inner.requests).toHaveLength(0)
  })

  test('is reached without the proxy of the environment', async () => {
    const proxy = await givenReceiver((response) => response.end('proxied'))
    const receiver = await givenReceiver((response) => response.end('direct'))
    for (const name of ['HTTP_PROXY', 'http_proxy', 'NODE_USE_ENV_PROXY']) {
      const before = process.env[name]
      process.env[name] = name === 'NODE_USE_ENV_PROXY' ? '1' : proxy.url
      onTestFinished(() => {
        if (before === undefined) delete process.env[name]
        else process.env[name] = before
      })
    }
    expect(await openClient(receiver.url).request(REQUEST)).toMatchObject({ body: 'direct' })
    expect(proxy.requests).toHaveLength(0)
  })

  test('is left alone once the client is closed, and what was under way fails', async () => {
    const receiver = await givenReceiver(() => {})
    const client = openClient(receiver.url, { timeoutMs: 60_000 })
    const failure = failureOf(client)
    await until('the request has come', () => receiver.requests.length === 1)
    await client.close()
    expect(await failure).toMatchObject({ kind: 'aborted' })
    await until('the connection is closed', () => receiver.connectionCount() === 0)
  })
})

describe('a name', () => {
  const refused = createAddressGuard()

  test('that resolves to loopback is refused', async () => {
    const receiver = await givenReceiver((response) => response.end())
    const url = receiver.url.replace('127.0.0.1', 'localhost')
    const failure = await failureOf(openClient(url, { guard: refused }))
    expect(failure).toMatchObject({
      kind: 'blocked',
      message: expect.stringMatching(/^localhost: the address (127\.0\.0\.1|::1) is loopback/),
    })
    expect(receiver.connectionCount()).toBe(0)
  })

  test('that answers otherwise on the second look-up is checked on the second look-up', async () => {
    const inner = await givenReceiver((response) => response.end('secret'))
    const { port } = new URL(inner.url)
    // Reachable and allowed at first; afterwards loopback, which is not.
    const addresses = ['127.0.0.2', '127.0.0.1']
    let lookups = 0
    const resolve: Resolve = (_hostname, done) => {
      const address = addresses[Math.min(lookups++, 1)]!
      done(null, [{ address, family: 4 }])
    }
    const outer = await givenSocketServerAt('127.0.0.2', Number(port))
    const guard = createAddressGuard(['127.0.0.2'])
    const client = openClient(`http://rebind.example:${port}/`, { guard, resolve })

    expect(await client.request(REQUEST)).toMatchObject({ body: 'outer' })
    await until('the first connection is gone', () => outer.size === 0)
    expect(await failureOf(client)).toMatchObject({
      kind: 'blocked',
      message: expect.stringContaining('127.0.0.1 is loopback'),
    })
    expect(lookups).toBe(2)
    expect(inner.connectionCount()).toBe(0)
  })

  test('with a public and a private address is reached at the public one', async () => {
    const receiver = await givenReceiver((response) => response.end('ok'))
    const { port } = new URL(receiver.url)
    const client = openClient(`http://both.example:${port}/`, {
      resolve: (_hostname, done) => {
        done(null, [
          { address: '10.0.0.1', family: 4 },
          { address: '127.0.0.1', family: 4 },
        ])
      },
    })
    expect(await client.request(REQUEST)).toMatchObject({ status: 200 })
  })

  test('that does not exist fails as DNS', async () => {
    const failure = await failureOf(
      openClient('https://nowhere.example/', {
        resolve: (hostname, done) => {
          const error = new Error(`getaddrinfo ENOTFOUND ${hostname}`)
          done(Object.assign(error, { code: 'ENOTFOUND' }), [])
        },
      }),
    )
    expect(failure).toMatchObject({ kind: 'dns' })
  })

  test('whose look-up hangs times out, with one look-up for all requests', async () => {
    let lookups = 0
    const client = openClient('https://hangs.example/', {
      ...SHORT,
      resolve: () => {
        lookups++
      },
    })
    const failures = await Promise.all([failureOf(client), failureOf(client), failureOf(client)])
    expect(failures.map(({ kind }) => kind)).toEqual(['connect', 'connect', 'connect'])
    expect(lookups).toBe(1)
  })

  test('is not needed for a literal address, which is refused all the same', async () => {
    const failure = await failureOf(openClient('http://2130706433:9/', { guard: refused }))
    expect(failure).toMatchObject({
      kind: 'blocked',
      message: expect.stringContaining('the address 127.0.0.1 is loopback'),
    })
  })

  test('is not even looked up for a URL that may not be pushed to', async () => {
    let lookups = 0
    const resolve: Resolve = () => {
      lookups++
    }
    const failure = await failureOf(openClient('https://me:pass@public.example/', { resolve }))
    expect(failure).toMatchObject({ kind: 'blocked' })
    expect(failure.message).toContain('user name or password')
    expect(lookups).toBe(0)
  })

  test('gets plain http outside of the allowed ranges only where that was asked for', async () => {
    const receiver = await givenReceiver((response) => response.end('plain'))
    const { port } = new URL(receiver.url)
    // Stands for a public address, which no test may connect to.
    const guard = { refuse: () => undefined, isAllowListed: () => false }
    const toLoopback: Resolve = (_hostname, done) =>
      done(null, [{ address: '127.0.0.1', family: 4 }])
    const options = { guard, resolve: toLoopback }
    const url = `http://public.example:${port}/`

    expect(await failureOf(openClient(url, options))).toMatchObject({
      kind: 'blocked',
      message: expect.stringMatching(/^public\.example: plain http to 127\.0\.0\.1.*use https$/),
    })
    expect(receiver.connectionCount()).toBe(0)
    const allowed = openClient(url, { ...options, allowHttp: true })
    expect(await allowed.request(REQUEST)).toMatchObject({ body: 'plain' })
  })
})

/** Sends a text a byte at a time, for as long as the other side listens. */
function drip(socket: Socket, text: string): void {
  let sent = 0
  const timer = setInterval(() => {
    if (socket.destroyed || sent >= text.length) clearInterval(timer)
    else socket.write(text[sent++]!)
  }, 50)
}

/** Answers one request and closes. */
async function givenSocketServerAt(host: string, port: number): Promise<Set<Socket>> {
  const sockets = new Set<Socket>()
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.once('data', () => {
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nouter')
    })
  })
  server.listen(port, host)
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return sockets
}

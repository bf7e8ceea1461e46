import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface ReceivedRequest {
  headers: IncomingHttpHeaders
  body: string
  /** By this process's clock. */
  atMs: number
}

export interface Receiver {
  url: string
  requests: ReceivedRequest[]
  /** Requests that were answered by nobody yet. */
  openCount(): number
  connectionCount(): number
  close(): Promise<void>
}

/** A webhook on a free port of loopback that does what `answer` does. */
export async function startReceiver(
  answer: (response: ServerResponse, request: ReceivedRequest, index: number) => void,
): Promise<Receiver> {
  const requests: ReceivedRequest[] = []
  const sockets = new Set<Socket>()
  let open = 0
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    open++
    response.once('close', () => open--)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const received = {
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
        atMs: performance.now(),
      }
      requests.push(received)
      answer(response, received, requests.length - 1)
    })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook`,
    requests,
    openCount: () => open,
    connectionCount: () => sockets.size,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

/** The messages of a request, as parsed JSON. */
export function messagesOf(request: ReceivedRequest): PushedMessage[] {
  const body = JSON.parse(request.body) as PushedMessage | { data: PushedMessage[] }
  return 'data' in body ? body.data : [body]
}

export interface PushedMessage {
  record: { id: number; version?: number }
  metadata: { idempotency_key: string }
  delivery: { attempt: number }
}

// A webhook with nothing but Node. See examples/README.md for how to point a consumer at it.
//
//   WEBHOOK_SECRETS=whsec_… PORT=3000 node examples/webhook-node/server.ts invoices.sqlite
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import process from 'node:process'

import { verify, WebhookVerificationError } from '@millrace/client'

import { openInvoices } from '../webhook-invoices.ts'

const BODY_BYTES_MAX = 10 * 2 ** 20

/** The new one and the old one, while one replaces the other. */
const secrets = (process.env['WEBHOOK_SECRETS'] ?? '').split(' ')
const invoices = openInvoices(process.argv[2] ?? 'invoices.sqlite')

const server = createServer((request, response) => {
  if (request.method !== 'POST' || request.url !== '/hooks/orders') {
    response.writeHead(404).end()
    return
  }
  handle(request).then(
    () => response.writeHead(204).end(),
    // Anything but a 2xx brings the message again.
    (error: Error) => {
      console.error(error.message)
      if (!(error instanceof WebhookVerificationError)) return response.writeHead(500).end('failed')
      return response.writeHead(error.code === 'malformed_body' ? 400 : 401).end(error.code)
    },
  )
})

async function handle(request: IncomingMessage): Promise<void> {
  const { messages } = await verify<{ id: number; total_price: number }>(
    await readBody(request),
    request.headers,
    secrets,
  )
  for (const message of messages) {
    // Somebody tries the webhook: there is no such order.
    if (message.metadata.test) continue
    const isNew = invoices.write(message)
    console.log(`order ${message.record.id}: ${isNew ? 'invoice written' : 'has its invoice'}`)
  }
}

/** The bytes as they came: parsed and printed again they would have another signature. */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Error(`more than ${BODY_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening at http://127.0.0.1:${port}/hooks/orders`)
})
process.once('SIGTERM', () => {
  server.close(() => invoices.close())
  server.closeIdleConnections()
})

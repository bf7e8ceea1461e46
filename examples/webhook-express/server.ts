// A webhook with Express. See examples/README.md for how to point a consumer at it.
//
//   WEBHOOK_SECRETS=whsec_… PORT=3000 node examples/webhook-express/server.ts invoices.sqlite
import type { AddressInfo } from 'node:net'
import process from 'node:process'

import { verify, WebhookVerificationError } from '@millrace/client'
import express, { type NextFunction, type Request, type Response } from 'express'

import { openInvoices } from '../webhook-invoices.ts'

/** The new one and the old one, while one replaces the other. */
const secrets = (process.env['WEBHOOK_SECRETS'] ?? '').split(' ')
const invoices = openInvoices(process.argv[2] ?? 'invoices.sqlite')
const app = express()

// `raw`, not `json`: parsed and printed again the body would have another signature.
const rawBody = express.raw({ type: 'application/json', limit: '10mb' })

app.post('/hooks/orders', rawBody, async (request: Request<object, unknown, Buffer>, response) => {
  const { messages } = await verify<{ id: number; total_price: number }>(
    request.body,
    request.headers,
    secrets,
  )
  for (const message of messages) {
    // Somebody tries the webhook: there is no such order.
    if (message.metadata.test) continue
    const isNew = invoices.write(message)
    console.log(`order ${message.record.id}: ${isNew ? 'invoice written' : 'has its invoice'}`)
  }
  response.status(204).end()
})

// Anything but a 2xx brings the message again. Express tells it by its four parameters.
app.use((error: Error, _request: Request, response: Response, _next: NextFunction) => {
  console.error(error.message)
  if (!(error instanceof WebhookVerificationError)) return void response.status(500).end('failed')
  response.status(error.code === 'malformed_body' ? 400 : 401).end(error.code)
})

const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  console.log(`listening at http://127.0.0.1:${port}/hooks/orders`)
})
process.once('SIGTERM', () => {
  server.close(() => invoices.close())
  server.closeIdleConnections()
})

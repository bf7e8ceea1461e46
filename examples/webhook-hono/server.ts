// A webhook with Hono. See examples/README.md for how to point a consumer at it.
//
//   WEBHOOK_SECRETS=whsec_… PORT=3000 node examples/webhook-hono/server.ts invoices.sqlite
import process from 'node:process'

import { serve } from '@hono/node-server'
import { verify, WebhookVerificationError } from '@millrace/client'
import { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'

import { openInvoices } from '../webhook-invoices.ts'

/** The new one and the old one, while one replaces the other. */
const secrets = (process.env['WEBHOOK_SECRETS'] ?? '').split(' ')
const invoices = openInvoices(process.argv[2] ?? 'invoices.sqlite')
const app = new Hono()

app.post('/hooks/orders', bodyLimit({ maxSize: 10 * 2 ** 20 }), async (c) => {
  // The bytes as they came: parsed and printed again they would have another signature.
  const body = new Uint8Array(await c.req.raw.arrayBuffer())
  const { messages } = await verify<{ id: number; total_price: number }>(
    body,
    c.req.raw.headers,
    secrets,
  )
  for (const message of messages) {
    // Somebody tries the webhook: there is no such order.
    if (message.metadata.test) continue
    const isNew = invoices.write(message)
    console.log(`order ${message.record.id}: ${isNew ? 'invoice written' : 'has its invoice'}`)
  }
  return c.body(null, 204)
})

// Anything but a 2xx brings the message again.
app.onError((error, c) => {
  console.error(error.message)
  if (!(error instanceof WebhookVerificationError)) return c.text('failed', 500)
  return c.text(error.code, error.code === 'malformed_body' ? 400 : 401)
})

const server = serve(
  { fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env['PORT'] ?? 3000) },
  ({ port }) => console.log(`listening at http://127.0.0.1:${port}/hooks/orders`),
)
process.once('SIGTERM', () => server.close(() => invoices.close()))

import { createHmac } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { describe, expect, onTestFinished } from 'vitest'

import { test } from './shop-of-examples.ts'

const CONSUMER = { source: 'shop', tables: ['public.orders'], actions: ['insert' as const] }

/** A request as somebody would send it who knows the secret, or does not. */
function forge(url: string, secret: string, sentAt = Date.now()): Promise<Response> {
  const body = JSON.stringify({ record: { id: 666, total_price: 1 }, metadata: {} })
  const timestamp = String(Math.floor(sentAt / 1000))
  const key = Buffer.from(secret.replace('whsec_', ''), 'base64')
  const signed = createHmac('sha256', key).update(`forged.${timestamp}.${body}`).digest('base64')
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': 'forged',
      'webhook-timestamp': timestamp,
      'webhook-signature': `v1,${signed}`,
    },
    body,
  })
}

describe.for(['hono', 'express', 'node'])('the webhook with %s', (framework) => {
  test('writes one invoice an order, whatever is sent twice, and for nobody else', async ({
    example,
    server,
  }) => {
    const { consumers } = server.client
    const directory = await mkdtemp(join(tmpdir(), 'millrace-webhook-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const file = join(directory, 'invoices.sqlite')
    // The secret is there before the address is: it comes with the first URL, whatever that is.
    const { push_secret: secret = '' } = await consumers.put('invoicing', {
      ...CONSUMER,
      push: { url: 'https://invoicing.invalid/' },
    })
    const webhook = example.run(['node', `webhook-${framework}/server.ts`, file], {
      WEBHOOK_SECRETS: secret,
      PORT: '0',
    })
    const [line = ''] = await webhook.waitForLines(/^listening at /)
    const url = line.replace('listening at ', '')
    await consumers.patch('invoicing', { mode: 'push', push: { url } })

    const tried = await consumers.testPush('invoicing')
    await example.placeOrders(5)
    await webhook.waitForLines(/^order [1-5]: invoice written$/, 5)
    await consumers.rotateSecret('invoicing')
    await example.placeOrders(1)
    await webhook.waitForLines(/^order 6: invoice written$/)
    await consumers.replay('invoicing', { from: 'earliest' })
    await webhook.waitForLines(/^order \d: has its invoice$/, 6)

    const strangers = `whsec_${Buffer.alloc(32, 1).toString('base64')}`
    const forged = await forge(url, strangers)
    const old = await forge(url, secret, Date.now() - 600_000)
    expect([await forged.text(), forged.status]).toEqual(['no_matching_signature', 401])
    expect([await old.text(), old.status]).toEqual(['timestamp_out_of_tolerance', 401])
    expect(tried).toMatchObject({ success: true, status: 204 })
    await expect
      .poll(() => consumers.stats('invoicing'), { timeout: 120_000 })
      .toMatchObject({ backlog: 0, leased: 0, retrying: 0, dead: 0 })
    expect(await webhook.stop()).toBe(0)
    const database = new DatabaseSync(file, { readOnly: true })
    onTestFinished(() => database.close())
    const rows = database.prepare('select order_id, total from invoice order by order_id').all()
    expect(rows).toEqual([1, 2, 3, 4, 5, 6].map((order_id) => ({ order_id, total: 99.9 })))
  })
})

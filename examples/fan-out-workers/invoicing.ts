// Writes invoices in batches, as a bookkeeping system likes them.
import process from 'node:process'

import { createClient, createWorker } from '@millrace/client'

import type { Order } from './order.ts'

const worker = createWorker<Order>(createClient(), {
  consumer: 'invoicing',
  batchSize: 100,
  handleBatch(messages) {
    const orders = messages.flatMap(({ action, record }) => (action === 'insert' ? [record] : []))
    for (const { id, customer_id, total_price } of orders) {
      console.log(`order ${id}: ${total_price.toFixed(2)} to customer ${customer_id}`)
    }
  },
})

process.once('SIGTERM', () => void worker.stop())
await worker.run()

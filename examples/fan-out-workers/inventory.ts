// Reserves stock. A database of its own would keep it; here it is a map.
import process from 'node:process'

import { createClient, createWorker } from '@millrace/client'

import type { Order } from './order.ts'

const stock = new Map<number, number>()
/** What was done already: a message may come twice. */
const done = new Set<string>()

const worker = createWorker<Order>(createClient(), {
  consumer: 'inventory',
  handle({ action, record, metadata }) {
    if (action !== 'insert' || done.has(metadata.idempotency_key)) return
    const left = (stock.get(record.product_id) ?? 100) - record.quantity
    stock.set(record.product_id, left)
    done.add(metadata.idempotency_key)
    console.log(`order ${record.id}: ${left} of product ${record.product_id} left`)
  },
})

process.once('SIGTERM', () => void worker.stop())
await worker.run()

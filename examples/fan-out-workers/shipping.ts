// Schedules shipments. The carrier is slow and fails now and then: that is nobody else's concern.
import process from 'node:process'
import { setTimeout as delay } from 'node:timers/promises'

import { createClient, createWorker, PermanentError, RetryLater } from '@millrace/client'

import type { Order } from './order.ts'

const worker = createWorker<Order>(createClient(), {
  consumer: 'shipping',
  concurrency: 20,
  async handle({ action, record, metadata, delivery }, { signal }) {
    if (action !== 'insert') return
    // Trying again would not help: a dead letter, which people see and can redrive.
    if (record.shipping_address.trim() === '') throw new PermanentError('no address')
    await scheduleShipment(record, {
      idempotencyKey: metadata.idempotency_key,
      attempt: delivery.attempt,
      signal,
    })
    console.log(`order ${record.id}: on its way to ${record.shipping_address}`)
  },
})

/** Stands in for the carrier's API: busy at the first attempt of every third order. */
async function scheduleShipment(
  order: Order,
  { attempt, signal }: { idempotencyKey: string; attempt: number; signal: AbortSignal },
): Promise<void> {
  await delay(50, undefined, { signal })
  if (order.id % 3 === 0 && attempt === 1) throw new RetryLater('1s', { reason: 'carrier is busy' })
}

process.once('SIGTERM', () => void worker.stop())
await worker.run()

import { setTimeout as delay } from 'node:timers/promises'

import { createWorker, type Client, type Message, type Worker } from '@millrace/client'

import type { Order } from './demo-shop.ts'

interface DemoService {
  /** Also the name of its consumer. */
  readonly name: string
  /** Simulated, so that the services are seen to keep their own pace. */
  readonly workMs: number
  /** What it did with a new order, in words. */
  readonly describe: (order: Order) => string
}

export const DEMO_SERVICES: readonly DemoService[] = [
  {
    name: 'inventory',
    workMs: 20,
    describe: ({ quantity, product_id }) =>
      `took ${quantity} × product ${product_id} off the shelf`,
  },
  {
    name: 'shipping',
    workMs: 120,
    describe: ({ shipping_address }) => `sends it to ${shipping_address}`,
  },
  {
    name: 'invoicing',
    workMs: 60,
    describe: ({ customer_id, total_price }) =>
      `billed ${total_price.toFixed(2)} to customer ${customer_id}`,
  },
]

/**
 * One of the three small services: receives its orders, works, and acks by
 * returning. What it prints is what was done; the ack follows at once.
 */
export function createDemoWorker(
  client: Client,
  service: DemoService,
  print: (service: string, orderId: number, text: string) => void,
): Worker<Order> {
  return createWorker<Order>(client, {
    consumer: service.name,
    concurrency: 4,
    name: `${service.name} demo`,
    async handle(message, { signal }) {
      await delay(service.workMs, undefined, { signal })
      print(service.name, message.record.id as number, describe(service, message))
    },
  })
}

function describe(service: DemoService, { action, record }: Message<Order>): string {
  const order = record as Order
  if (action === 'insert' || action === 'read') return service.describe(order)
  if (action === 'update') return `noted that it is ${order.status}`
  return 'noted that it is gone'
}

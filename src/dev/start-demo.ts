import pg from 'pg'

import type { Client } from '@millrace/client'

import type { DevOptions } from './dev.ts'
import { createDemoWorker, DEMO_SERVICES } from './demo-services.ts'
import { createOrders, DemoShop } from './demo-shop.ts'
import { connectSource, createConsumer } from './set-up.ts'

const CONNECTIONS_MAX = 2
const ORDER_EVERY_MS = 1000
/** Of the two seconds that stopping may take. */
const WORKER_GRACE_MS = 300

type DemoOptions = Pick<DevOptions, 'logger' | 'signal' | 'progress' | 'onOrder' | 'onFailure'>

/**
 * A shop in the database, captured, its three services, and customers. How to end what
 * was started goes to `stops`, to be done in the opposite order.
 */
export async function startDemo(
  client: Client,
  { name: source, url }: { name: string; url: string },
  options: DemoOptions,
  stops: (() => Promise<void>)[],
): Promise<void> {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'demo shop',
    max: CONNECTIONS_MAX,
  })
  pool.on('error', () => {})
  stops.push(() => pool.end())
  const { signal } = options
  await options.progress('setting up the shop', async () => {
    await createOrders(pool)
    await connectSource(client, source, url, signal)
    const settings = { source, tables: ['public.orders'] }
    for (const { name } of DEMO_SERVICES) await createConsumer(client, name, settings, signal)
  })
  const workers = DEMO_SERVICES.map((service) => createDemoWorker(client, service, options.onOrder))
  stops.push(async () => {
    await Promise.all(workers.map((worker) => worker.stop({ graceMs: WORKER_GRACE_MS })))
  })
  for (const worker of workers) {
    worker
      .run()
      .catch((error: unknown) => options.onFailure(`a demo service ended: ${String(error)}`))
  }
  const shop = new DemoShop({
    pool,
    everyMs: ORDER_EVERY_MS,
    onError: (error) => options.logger.warn('an order could not be placed', { error }),
  })
  stops.push(() => shop.stop())
  shop.start()
}

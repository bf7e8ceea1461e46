import { spawnSync } from 'node:child_process'

import { test as base } from '../support/live-server.ts'
import { runExample, type RunningExample } from './run-example.ts'

interface ExampleShop {
  /** Runs an example with address and token in its environment. */
  run(commandLine: readonly string[], environment?: Record<string, string>): RunningExample
  /** Places so many orders. */
  placeOrders(count: number): Promise<void>
}

/** The table of the README, captured, and a way to run examples against it. */
export const test = base.extend<{ example: ExampleShop }>({
  example: async ({ server, shop }, use) => {
    await shop.query(`create table orders (
      id bigint generated always as identity primary key, customer_id int not null,
      product_id int not null, quantity int not null, total_price numeric(10, 2) not null,
      shipping_address text not null, status text not null default 'placed',
      order_date timestamptz not null default now())`)
    await server.connectShop(['public.orders'])
    await use({
      run: (commandLine, environment) =>
        runExample(commandLine, {
          MILLRACE_URL: server.url,
          MILLRACE_TOKEN: server.token,
          ...environment,
        }),
      async placeOrders(count) {
        await shop.query(
          `insert into orders (customer_id, product_id, quantity, total_price, shipping_address)
           select 42, 123, 2, 99.90, '123 Main St' from generate_series(1, $1)`,
          [count],
        )
      },
    })
  },
})

/** Whether these programs are installed; says which are not. */
export function areInstalled(...programs: string[]): boolean {
  const missing = programs.filter((name) => spawnSync(name, ['--version']).status !== 0)
  if (missing.length > 0) console.warn(`not run here, for want of: ${missing.join(', ')}`)
  return missing.length === 0
}

import { expect } from 'vitest'

import { test } from './shop-of-examples.ts'

test('the fan-out workers handle every order once each, and stop when told to', async ({
  example,
  server,
  shop,
}) => {
  const set = example.run(['node', 'fan-out-workers/consumers.ts'])
  expect(await set.ended).toBe(0)
  const services = ['inventory', 'shipping', 'invoicing']
  const running = services.map((name) => example.run(['node', `fan-out-workers/${name}.ts`]))

  await example.placeOrders(4)
  await shop.query(
    `insert into orders (customer_id, product_id, quantity, total_price, shipping_address)
     values (42, 123, 2, 99.90, '')`,
  )
  const [inventory, shipping, invoicing] = await Promise.all(
    // Shipping refuses the one without an address.
    running.map((service, index) => service.waitForLines(/^order/, [5, 4, 5][index])),
  )
  // The one that shipping refuses says nothing.
  const deadOf = async () => (await server.client.consumers.stats('shipping')).dead
  await expect.poll(deadOf, { timeout: 120_000 }).toBe(1)
  const codes = await Promise.all(running.map((service) => service.stop()))

  expect(codes).toEqual([0, 0, 0])
  expect(inventory).toContain('order 5: 90 of product 123 left')
  expect(shipping!.toSorted()).toEqual(
    [1, 2, 3, 4].map((id) => `order ${id}: on its way to 123 Main St`),
  )
  expect(invoicing).toContain('order 1: 99.90 to customer 42')
  for (const name of services) {
    expect(await server.client.consumers.stats(name)).toMatchObject({ backlog: 0, leased: 0 })
  }
  const { data } = await server.client.consumers.messages('shipping', { state: 'dead' })
  expect(data).toMatchObject([{ record: { id: 5 }, reason: 'no address' }])
})

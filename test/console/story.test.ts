import { afterAll, describe, expect } from 'vitest'

import { ADMIN_TOKEN, closeBrowser, test } from './console.ts'

afterAll(closeBrowser)

const ORDERS = `create table orders (
  id bigint generated always as identity primary key,
  customer_id int not null,
  product_id int not null,
  quantity int not null,
  total_price numeric(10, 2) not null,
  shipping_address text not null,
  order_date timestamptz not null default now()
)`

const CONSUMERS = ['inventory', 'shipping', 'invoicing']

describe('the order fan-out', () => {
  test(
    'is set up, followed and mended by clicks alone',
    { timeout: 180_000 },
    async ({ web, shop }) => {
      const { page, client, address } = web
      await shop.query(ORDERS)

      // Sign in.
      await page.goto(address)
      await page.getByLabel('Token').fill('not a token')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('unknown, revoked or expired').waitFor()
      await page.getByLabel('Token').fill(ADMIN_TOKEN)
      await page.getByRole('button', { name: 'Sign in' }).click()

      // Connect the database.
      await page.getByRole('main').getByRole('link', { name: 'Connect a database' }).click()
      await page.getByLabel('Connection string').fill(shop.url)
      await page.getByLabel('Name').fill('shop')
      await page.getByLabel('Tables').fill('public.orders')
      await page.getByRole('button', { name: 'Check' }).click()
      await page.getByRole('heading', { name: 'Ready to connect' }).waitFor()
      await page.getByRole('button', { name: 'Connect shop' }).click()
      await page.getByRole('heading', { name: 'shop' }).waitFor()
      await page.getByText('Healthy').first().waitFor()

      // Three consumers.
      for (const name of CONSUMERS) {
        await page.getByRole('link', { name: 'Create a consumer' }).first().click()
        await page.getByRole('textbox', { name: 'Name' }).fill(name)
        await page.getByRole('checkbox', { name: 'orders' }).check()
        await page.getByRole('button', { name: `Create ${name}` }).click()
        await page.getByRole('heading', { name }).waitFor()
      }

      // An order, by SQL.
      await shop.query(
        `insert into orders (customer_id, product_id, quantity, total_price, shipping_address)
       values (42, 123, 2, 99.99, '123 Main St, Anytown, USA')`,
      )

      // Two services do their work; the third gives up.
      for (const name of CONSUMERS) {
        const { data } = await client.receive(name, { worker: `${name} of a test` })
        const ids = data.map(({ ack_id: id }) => id)
        expect(ids).toHaveLength(1)
        if (name === 'invoicing') {
          await client.nack(name, ids, { deadLetter: true, reason: 'the tax service said no' })
        } else await client.ack(name, ids)
      }

      // It is seen, found, and redelivered.
      await page.getByRole('link', { name: 'Overview' }).click()
      await page.getByText('invoicing has 1 dead letter.').waitFor()
      await page.getByRole('link', { name: 'Mend' }).click()
      await page.getByRole('cell', { name: 'the tax service said no' }).click()
      const drawer = page.getByRole('complementary', { name: 'Message 1' })
      await drawer.getByText('the tax service said no').first().waitFor()
      await drawer.getByText('123 Main St, Anytown, USA').waitFor()
      await drawer.getByRole('link', { name: 'Its way to every consumer' }).click()

      const row = (name: string) =>
        page.getByRole('listitem').filter({ has: page.getByRole('link', { name, exact: true }) })
      await row('inventory').getByText('Acked').waitFor()
      await row('shipping').getByText('Acked').waitFor()
      await row('invoicing').getByText('Dead', { exact: true }).waitFor()

      await row('invoicing').getByRole('link', { name: 'invoicing' }).click()
      await drawer.getByRole('button', { name: 'Redeliver' }).click()
      await drawer.getByText('Retrying').waitFor()
      const { data } = await client.receive('invoicing')
      expect(data.map(({ record }) => record['id'])).toEqual([1])
      await client.ack(
        'invoicing',
        data.map(({ ack_id: id }) => id),
      )
      await drawer.getByText('Acked').first().waitFor()
      expect(web.faults).toEqual([])
    },
  )
})

import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'

import { afterAll, describe, expect } from 'vitest'

import { uniqueName } from '../support/database.ts'
import { closeBrowser, test } from './console.ts'

afterAll(closeBrowser)

const TABLES = `
  create table orders (id int primary key, status text not null, total numeric not null);
  create table customers (id int primary key);
  create schema billing;
  create table billing.invoices (id int primary key);
  create table billing.payments (id int primary key);
  create table billing.refunds (id int primary key);
  create table billing.taxes (id int primary key)`

describe('somebody who creates a consumer', () => {
  test(
    'tries the filter on recent changes while typing, and gets snippets that work',
    { timeout: 120_000 },
    async ({ web, shop }) => {
      const { page, client } = web
      await shop.query(TABLES)
      await client.sources.create({ name: 'shop', url: shop.url, slot: uniqueName('slot') })
      await client.consumers.create({ name: 'all', source: 'shop', tables: ['*'] })
      await shop.query(
        `insert into orders values (1, 'open', 10), (2, 'open', 250), (3, 'paid', 300)`,
      )
      const seen = await client.receive('all', { waitFor: '20s' })
      expect(seen.data).not.toEqual([])

      await web.open('/consumers/new')
      await page.getByRole('textbox', { name: 'Name' }).fill('large')

      // The tree of tables, searched.
      await page.getByLabel('Search tables').fill('inv')
      await page.getByRole('checkbox', { name: 'invoices' }).waitFor()
      expect(await page.getByRole('checkbox', { name: 'orders' }).count()).toBe(0)
      await page.getByLabel('Search tables').fill('orders')
      await page.getByRole('checkbox', { name: 'orders' }).check()

      // A filter that is wrong says where.
      const filter = page.getByLabel('Filter')
      const preview = page.getByRole('region', { name: 'Preview' })
      await filter.fill('record.totl > 100.0')
      await page.getByText("Line 1, column 8: No selected table has a column 'totl'").waitFor()
      await filter.fill('record.total >')
      await page.getByText('Line 1, column 15').waitFor()

      // One that is right shows what passes.
      await filter.fill('record.total > 100.0')
      await preview.getByText('Of the newest 3 changes 2 pass, 1 does not').waitFor()
      await preview.getByRole('button', { name: 'Filtered out' }).click()
      expect(await preview.getByRole('listitem').allInnerTexts()).toEqual([
        expect.stringContaining('"total": 10'),
      ])
      // One that fails on some says why.
      await filter.fill('100 / (int(record.total) - 10) > 0')
      await preview.getByText('1 failure').waitFor()
      await preview.getByRole('button', { name: 'Fails' }).click()
      await preview.getByText('The filter failed at line 1').waitFor()

      await filter.fill('record.total > 100.0')
      await page.getByRole('button', { name: 'Create large' }).click()
      const snippet = page.getByRole('region', { name: 'Example in TypeScript' })
      const token = /mr_\w+/.exec(await snippet.innerText())?.[0]
      await page.getByText('it is shown this once').waitFor()

      await shop.query(`insert into orders values (4, 'open', 20), (5, 'open', 500)`)
      const answer = await fetch(`${web.address}/v1/consumers/large/receive`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: '{"wait_for":"20s"}',
      })
      const { data } = (await answer.json()) as { data: { record: { id: number } }[] }
      expect(data.map(({ record }) => record.id)).toEqual([5])
      expect(web.faults).toEqual([])
    },
  )

  test(
    'tries its webhook, and makes a new secret for it',
    { timeout: 120_000 },
    async ({ web, shop }) => {
      const { page, client } = web
      const requests: string[] = []
      const endpoint = createServer((request, response) => {
        request.setEncoding('utf8')
        let body = ''
        request.on('data', (chunk: string) => (body += chunk))
        request.on('end', () => {
          requests.push(body)
          response.writeHead(requests.length === 1 ? 202 : 500).end('noted <b>down</b>')
        })
      })
      endpoint.listen(0, '127.0.0.1')
      await once(endpoint, 'listening')
      const { port } = endpoint.address() as AddressInfo
      await shop.query(TABLES)
      await client.sources.create({ name: 'shop', url: shop.url, slot: uniqueName('slot') })

      await web.open('/consumers/new')
      await page.getByRole('textbox', { name: 'Name' }).fill('hook')
      await page.getByRole('checkbox', { name: 'All tables' }).check()
      await page.getByRole('radio', { name: 'Push' }).check()
      await page.getByLabel('URL').fill(`http://127.0.0.1:${port}/hook`)
      await page.getByRole('checkbox', { name: 'Plain http is meant' }).check()
      // Before there is anything of it.
      await page.getByRole('button', { name: 'Send a test' }).click()
      await page.getByText('It works: 202').waitFor()
      expect(await client.consumers.list()).toMatchObject({ data: [] })
      requests.length = 0
      await page.getByRole('button', { name: 'Create hook' }).click()
      await page
        .getByRole('region', { name: 'The secret' })
        .getByText(/^whsec_/)
        .waitFor()
      await page.getByRole('button', { name: 'I have it' }).click()

      await page.getByRole('link', { name: 'Settings' }).click()
      await page.getByRole('button', { name: 'Send a test' }).click()
      await page.getByText('It works: 202').waitFor()
      await page
        .getByRole('region', { name: 'The beginning of the answer' })
        .getByText('<b>')
        .waitFor()
      expect(JSON.parse(requests[0]!)).toMatchObject({ metadata: { test: true } })
      await page.getByRole('button', { name: 'Send a test' }).click()
      await page.getByText('It failed: 500').waitFor()

      await page.getByRole('button', { name: 'New secret …' }).click()
      await page.getByRole('button', { name: 'Make a new one' }).click()
      await page
        .getByRole('region', { name: 'The secret' })
        .getByText(/^whsec_/)
        .waitFor()
      endpoint.close()
      expect(web.faults).toEqual([])
    },
  )

  test(
    'changes its tables, columns and limits later',
    { timeout: 120_000 },
    async ({ web, shop }) => {
      const { page, client } = web
      await shop.query(TABLES)
      await client.sources.create({ name: 'shop', url: shop.url, slot: uniqueName('slot') })
      await client.consumers.create({ name: 'all', source: 'shop', tables: ['public.orders'] })

      await web.open('/consumers/all/settings')
      expect(await page.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true)
      await page.getByRole('checkbox', { name: 'customers' }).check()
      await page.getByRole('checkbox', { name: 'Deletes' }).uncheck()
      await page.getByRole('radio', { name: 'All but some' }).check()
      await page.getByLabel('Columns that are left out').fill('total, status')
      await page.getByLabel('Waiting calls at most').fill('7')
      await page.getByLabel('Deliveries at most').fill('0')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.locator('.note.bad').waitFor()
      await page.getByLabel('Deliveries at most').fill('5')
      await page.getByRole('button', { name: 'Save' }).click()
      await page.getByText('Saved.').waitFor()

      expect(await client.consumers.get('all')).toMatchObject({
        tables: ['public.orders', 'public.customers'],
        actions: ['insert', 'update'],
        columns: { exclude: ['total', 'status'] },
        max_waiting: 7,
        max_deliveries: 5,
        filter: null,
      })
      expect(web.faults).toEqual([])
    },
  )
})

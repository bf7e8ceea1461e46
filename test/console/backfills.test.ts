import { afterAll, expect } from 'vitest'

import { uniqueName } from '../support/database.ts'
import { closeBrowser, test } from './console.ts'

afterAll(closeBrowser)

test(
  'rows that exist are brought by a consumer of rows, and once more by hand',
  {
    timeout: 120_000,
  },
  async ({ web, shop }) => {
    const { page, client } = web
    await shop.query(`
    create table orders (id int primary key, total numeric not null);
    insert into orders select i, i from generate_series(1, 3000) as i`)
    await client.sources.create({ name: 'shop', url: shop.url, slot: uniqueName('slot') })

    await web.open('/consumers/new')
    await page.getByRole('textbox', { name: 'Name' }).fill('cache')
    await page.getByRole('radio', { name: /^Rows/ }).check()
    await page.getByRole('checkbox', { name: 'orders' }).check()
    await page.getByRole('button', { name: 'Create cache' }).click()
    await page.getByRole('link', { name: 'Backfills' }).click()
    const first = page.getByRole('listitem').filter({ hasText: 'public.orders' })
    await first.getByText('Done', { exact: true }).waitFor()
    await first.getByText('3,000 rows looked at, 3,000 delivered').waitFor()

    await page.getByRole('button', { name: 'Read existing rows …' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Where').fill('total >')
    await dialog.getByRole('button', { name: 'Start' }).click()
    await dialog.getByRole('alert').waitFor()
    await dialog.getByLabel('Where').fill('total > 2990')
    await dialog.getByRole('button', { name: 'Start' }).click()
    await page.getByText('1 backfill asked for.').waitFor()
    await page.getByText(/rows looked at, 10 delivered/).waitFor()

    await page.goto(`${web.address}/sources/shop/backfills`)
    await page.getByText('for cache').nth(1).waitFor()
    const { data } = await client.receive('cache', { batchSize: 10, waitFor: '20s' })
    expect(data.map(({ action }) => action)).toEqual(Array.from({ length: 10 }, () => 'read'))
    expect(web.faults).toEqual([])
  },
)

import { afterAll, describe, expect } from 'vitest'

import { runAdmin, uniqueName } from '../support/database.ts'
import { closeBrowser, test } from './console.ts'

afterAll(closeBrowser)

describe('somebody who connects a database', () => {
  test(
    'sees a check pass once the SQL beside it was run, and connects',
    { timeout: 120_000 },
    async ({ web, shop, onTestFinished }) => {
      const { page, client } = web
      const role = uniqueName('role')
      await runAdmin(`create role ${role} login password 'secret'`)
      onTestFinished(async () => {
        await shop.query(`reassign owned by ${role} to current_user`).catch(() => undefined)
        await shop.query(`drop owned by ${role}`).catch(() => undefined)
      })
      await shop.query(`create table orders (id int primary key)`)
      await shop.query(`grant select on orders to ${role}`)
      const url = new URL(shop.url)
      url.username = role
      url.password = 'secret'

      await web.open('/sources/new')
      await page.getByLabel('Connection string').fill(url.href)
      await page.getByLabel('Name').fill('shop')
      await page.getByLabel('Tables').fill('public.orders')
      // Enter is enough.
      await page.getByLabel('Tables').press('Enter')
      const checks = page.getByRole('region', { name: /failed/ })
      await checks.waitFor()

      // What is shown is all there is to do: nobody presses anything in the page.
      for (;;) {
        const shown = await page.locator('.checks li.fail .code pre').allInnerTexts()
        if (shown.length === 0) break
        for (const sql of shown) await shop.query(sql)
        await page
          .locator('.checks li.fail .code pre')
          .filter({ hasText: shown[0]! })
          .waitFor({ state: 'detached' })
      }
      await page.getByRole('heading', { name: 'Ready to connect' }).waitFor()
      await page.getByRole('button', { name: 'Connect shop' }).click()
      await page.getByText('Healthy').first().waitFor()
      expect(await client.sources.get('shop')).toMatchObject({ user: role })
      expect(web.faults).toEqual([])
    },
  )
})

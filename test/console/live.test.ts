import type { Page } from 'playwright-core'
import { afterAll, describe, expect } from 'vitest'

import { closeBrowser, test } from './console.ts'
import { givenShop } from './given-shop.ts'

afterAll(closeBrowser)

const HIDE = `Object.defineProperty(document, 'hidden', { configurable: true, get: () => window.isHidden === true })`
const setHidden = (isHidden: boolean): string =>
  `window.isHidden = ${isHidden}; document.dispatchEvent(new Event('visibilitychange'))`

/** How many moments the line of a consumer has. */
async function countPoints(page: Page): Promise<number> {
  const path = page.getByRole('row', { name: /shipping/ }).locator('path[stroke="var(--accent)"]')
  return ((await path.getAttribute('d')) ?? '').split('L').length
}

describe('what is shown live', () => {
  test('leaves what somebody types alone', async ({ storage, web }) => {
    const { page, client } = web
    await givenShop(storage, web)
    await web.open('/consumers/inventory/dead-letters')
    await page.getByRole('link', { name: 'Dead letters 1' }).waitFor()
    await page.getByRole('searchbox', { name: 'Key' }).pressSequentially('4')

    await client.consumers.discard('inventory', { all: true })
    await page.getByRole('link', { name: 'Dead letters 1' }).waitFor({ state: 'detached' })

    expect(await page.getByRole('searchbox', { name: 'Key' }).inputValue()).toBe('4')
  })

  test('says when it is no longer up to date', async ({ storage, web }) => {
    const { page } = web
    await page.clock.install()
    await givenShop(storage, web)
    await web.open('/')
    const side = page.locator('.side-foot')
    await side.getByText('Live', { exact: true }).waitFor()

    // The overview can no longer be read; the stream stays open.
    const blocker = await storage.pool.connect()
    try {
      await blocker.query('begin')
      await blocker.query('lock table millrace.source in access exclusive mode')
      // An overview that was on its way has arrived by then.
      await blocker.query('select')
      await page.clock.runFor(31_000)
      await side.getByText('Out of date').waitFor()
      await blocker.query('rollback')
    } finally {
      blocker.release(true)
    }
    await side.getByText('Live', { exact: true }).waitFor()
  })

  test(
    'takes no connection while nobody looks, and has its past again afterwards',
    { timeout: 240_000 },
    async ({ storage, web }) => {
      const { page } = web
      await page.clock.install()
      await page.addInitScript(HIDE)
      await givenShop(storage, web)
      await web.open('/')
      await page.getByRole('row', { name: /shipping/ }).waitFor()
      await expect.poll(() => countPoints(page), { timeout: 120_000 }).toBeGreaterThan(2)
      const before = await countPoints(page)

      const ended = page.waitForEvent('requestfailed', (request) =>
        request.url().endsWith('/v1/events'),
      )
      await page.evaluate(setHidden(true))
      await page.clock.runFor(11_000)
      await ended

      const begun = page.waitForRequest((request) => request.url().endsWith('/v1/events'))
      await page.evaluate(setHidden(false))
      await begun
      await page.locator('.side-foot').getByText('Live', { exact: true }).waitFor()
      expect(await countPoints(page)).toBeGreaterThanOrEqual(before)
    },
  )
})

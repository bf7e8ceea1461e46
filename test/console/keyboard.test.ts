import { afterAll, describe, expect } from 'vitest'

import { findPlaces } from '../../console/src/find-places.ts'
import { closeBrowser, test } from './console.ts'
import { givenShop } from './given-shop.ts'

afterAll(closeBrowser)

describe('by keys alone', () => {
  test('somebody goes through messages', async ({ storage, web }) => {
    const { page } = web
    await givenShop(storage, web)
    await web.open('/consumers/shipping')
    await page.getByRole('cell', { name: '1 insert orders' }).waitFor()
    await page.keyboard.press('j')
    await page.locator('.is-current').waitFor()
    await page.keyboard.press('j')
    await page.keyboard.press('Enter')
    await page.getByRole('complementary', { name: 'Message 2' }).waitFor()
    await page.keyboard.press('j')
    await page.getByRole('complementary', { name: 'Message 3' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('complementary').waitFor({ state: 'detached' })
    await page.keyboard.press('/')
    await page.keyboard.type('orders')
    expect(await page.getByLabel('Table').inputValue()).toBe('orders')
    await page.keyboard.press('Tab')
    await page.evaluate('document.activeElement.blur()')
    await page.keyboard.press('g')
    await page.keyboard.press('o')
    await page.getByRole('heading', { name: 'Overview' }).waitFor()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  test('somebody goes anywhere by its name', async ({ storage, web }) => {
    const { page } = web
    await givenShop(storage, web)
    await web.open('/about')
    await page.getByRole('link', { name: 'inventory' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.keyboard.type('inv dead')
    await page.getByRole('option', { name: 'Dead letters inventory' }).waitFor()
    await page.keyboard.press('Enter')
    await page.getByRole('cell', { name: '1 insert orders' }).waitFor()
    expect(page.url()).toBe(`${web.address}/consumers/inventory/dead-letters`)

    await page.keyboard.press('Control+k')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Live tail' }).waitFor()
    await page.keyboard.press('Control+k')
    await page.keyboard.type('nowhere')
    await page.getByText('Nothing has this in its name.').waitFor()
    expect(web.faults).toEqual([])
  })

  test('somebody confirms with Enter', async ({ storage, web }) => {
    const { page } = web
    await givenShop(storage, web)
    await web.open('/consumers/inventory')
    await page.getByRole('button', { name: 'More' }).press('Enter')
    // A key that comes before the menu has the focus goes elsewhere.
    await page.locator('[role=menuitem]:focus').waitFor()
    await page.keyboard.press('End')
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Purge inventory?' })
    await dialog.locator('input:focus').waitFor()
    await page.keyboard.type('inventor')
    // What is not confirmed yet is not done.
    await page.keyboard.press('Enter')
    await page.keyboard.type('y')
    await page.keyboard.press('Enter')
    await page.getByText('messages purged.').waitFor()
    expect(await web.client.consumers.stats('inventory')).toMatchObject({ dead: 0 })
  })
})

describe('findPlaces', () => {
  const places = [
    { text: 'Overview' },
    { text: 'orders', of: 'source' },
    { text: 'billing', of: 'consumer of orders' },
    { text: 'Dead letters', of: 'billing' },
  ]

  test.each([
    ['', ['Overview', 'orders', 'billing', 'Dead letters']],
    ['bill', ['billing', 'Dead letters']],
    ['bill dead', ['Dead letters']],
    ['ORDERS', ['orders', 'billing']],
    ['dead over', []],
  ])('finds for %j %j', (search, found) => {
    expect(findPlaces(places, search).map(({ text }) => text)).toEqual(found)
  })
})

import { AxeBuilder } from '@axe-core/playwright'
import type { Locator, Page } from 'playwright-core'
import { afterAll, describe, expect } from 'vitest'

import { closeBrowser, test } from './console.ts'
import { givenShop, givenTrouble, PAGES } from './given-shop.ts'

afterAll(closeBrowser)

async function settle(page: Page): Promise<void> {
  await page.locator('main h1, main h2, main .note').first().waitFor()
  // Until nothing is asked for any more; the stream of events never ends and does not count.
  await page.locator('[aria-label=Loading]').first().waitFor({ state: 'detached' })
}

/** What axe holds against the page as it is shown, one line for each element. */
async function findSerious(page: Page, rules?: string[]): Promise<string> {
  const builder = new AxeBuilder({ page })
  const { violations } = await (rules ? builder.withRules(rules) : builder).analyze()
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${page.url()}: ${id}: ${node.failureSummary} in ${node.html}`),
    )
    .join('\n')
}

/** The same in both themes: in the dark nothing but the colours is another. */
async function findSeriousInBoth(page: Page): Promise<string> {
  await page.emulateMedia({ colorScheme: 'light' })
  const light = await findSerious(page)
  await page.emulateMedia({ colorScheme: 'dark' })
  return light + (await findSerious(page, ['color-contrast']))
}

/** What moves, or would when it changes; of pages for somebody who asked for less motion. */
async function findMotion(page: Page): Promise<unknown> {
  return page.evaluate(`Array.from(document.querySelectorAll('*')).flatMap((element) => {
    const { transitionDuration, animationName } = getComputedStyle(element)
    const isStill = transitionDuration === '0s' && animationName === 'none'
    return isStill ? [] : [element.tagName + ' ' + transitionDuration + ' ' + animationName]
  })`)
}

/** What opens above a page: where, and how. */
const DIALOGS: [path: string, open: (page: Page) => Promise<void>][] = [
  ['/', (page) => page.keyboard.press('?')],
  ['/', (page) => page.keyboard.press('Control+k')],
  ['/consumers/inventory', (page) => page.getByRole('button', { name: 'Pause' }).click()],
  ['/consumers/inventory', chooseSeek],
  ['/consumers/inventory', (page) => chooseMore(page, 'Replay …')],
  ['/consumers/inventory', (page) => chooseMore(page, 'Purge …')],
  ['/consumers/inventory', (page) => chooseMore(page, 'Delete …')],
  [
    '/consumers/inventory/dead-letters',
    (page) => page.getByRole('button', { name: 'Redeliver all' }).click(),
  ],
  [
    '/consumers/inventory/dead-letters',
    (page) => page.getByRole('button', { name: 'Discard all' }).click(),
  ],
  [
    '/consumers/inventory/backfills',
    (page) => page.getByRole('button', { name: 'Read existing rows …' }).click(),
  ],
  ['/sources/shop', (page) => chooseMore(page, 'Delete …')],
  ['/tokens', (page) => page.getByRole('button', { name: 'Make a token' }).first().click()],
  ['/tokens', makeToken],
]

async function chooseMore(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'More' }).click()
  await page.getByRole('menuitem', { name }).click()
}

async function chooseSeek(page: Page): Promise<void> {
  await chooseMore(page, 'Seek …')
  await page.getByLabel('To', { exact: true }).selectOption('A time')
  await page.getByRole('slider').waitFor()
  await page.getByText('will be delivered again').waitFor()
}

async function makeToken(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Make a token' }).first().click()
  await page.getByRole('textbox', { name: 'Name' }).fill('viewer')
  await page.keyboard.press('Enter')
  await page.getByText('it is shown this once').waitFor()
}

function openDialog(page: Page): Locator {
  return page.locator('dialog[open]')
}

describe('every page', () => {
  test(
    'is free of serious faults for people who see, hear or move otherwise',
    { timeout: 480_000 },
    async ({ storage, web }) => {
      await givenShop(storage, web)
      await givenTrouble(storage)
      await web.open('/')
      for (const path of PAGES) {
        await web.page.goto(web.address + path)
        await settle(web.page)
        expect(await findSeriousInBoth(web.page)).toBe('')
        expect(await findMotion(web.page)).toEqual([])
      }
      await web.page.getByRole('button', { name: 'Sign out' }).click()
      await web.page.getByLabel('Token').waitFor()
      expect(await findSeriousInBoth(web.page)).toBe('')
      expect(web.faults).toEqual([])
    },
  )

  test('fits on a screen 375 pixels wide', { timeout: 180_000 }, async ({ storage, web }) => {
    await givenShop(storage, web)
    await givenTrouble(storage)
    await web.page.setViewportSize({ width: 375, height: 800 })
    await web.open('/')
    for (const path of PAGES) {
      await web.page.goto(web.address + path)
      await settle(web.page)
      const width = await web.page.evaluate('document.documentElement.scrollWidth')
      expect([path, width]).toEqual([path, 375])
    }
    await web.page.getByRole('button', { name: 'Menu' }).click()
    await web.page.getByRole('link', { name: 'Live tail' }).click()
    await web.page.getByRole('heading', { name: 'Live tail' }).waitFor()
  })
})

describe('every dialog', () => {
  test(
    'is free of such faults, closes with Escape, and gives the focus back',
    { timeout: 480_000 },
    async ({ storage, web }) => {
      const { page } = web
      await givenShop(storage, web)
      await web.open('/')
      for (const [path, open] of DIALOGS) {
        await page.goto(web.address + path)
        await settle(page)
        await open(page)
        await openDialog(page).waitFor()
        expect(await findSeriousInBoth(page)).toBe('')
        await page.keyboard.press('Escape')
        await openDialog(page).waitFor({ state: 'detached' })
        // Where a button opened it, that button has the focus again.
        const focused = await page.evaluate('document.activeElement.outerHTML')
        if (path !== '/') expect([path, focused]).toEqual([path, expect.stringMatching(/^<button/)])
      }
      expect(web.faults).toEqual([])
    },
  )
})

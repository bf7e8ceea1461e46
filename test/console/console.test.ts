import { readdir, readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'

import { afterAll, describe, expect } from 'vitest'

import { givenSource, moveClock, orders } from '../support/given.ts'
import { closeBrowser, test } from './console.ts'
import { givenShop, givenTrouble, SCRIPT } from './given-shop.ts'

afterAll(closeBrowser)

const DIST = new URL('../../console/dist/', import.meta.url)
describe('what records hold', () => {
  test('is shown as text and never run', async ({ storage, web }) => {
    await givenShop(storage, web)
    await web.open('/consumers/inventory/dead-letters?message=1')
    const drawer = web.page.getByRole('complementary', { name: 'Message 1' })
    await drawer.getByText(SCRIPT).first().waitFor()
    await drawer.getByText('"note": ').waitFor()
    for (const path of ['/sources/shop', '/sources/shop/changes/1', '/tail']) {
      await web.page.goto(web.address + path)
      await web.page.getByText('window.wasRun').first().waitFor()
    }
    expect(await web.page.evaluate('window.wasRun')).toBeUndefined()
    expect(await web.page.locator('main img, main script').count()).toBe(0)
  })
})

describe('a source in trouble', () => {
  test('says what mends it, and from where to where changes are missing', async ({
    storage,
    web,
  }) => {
    await givenTrouble(storage)
    const { page } = web
    await web.open('/')
    await page.getByText('broken needs you: the publication is gone').waitFor()
    await page.getByRole('link', { name: 'Look' }).click()
    const remedy = page.getByRole('region', { name: 'What mends broken' })
    await remedy.getByText('create publication millrace_broken for table orders').waitFor()
    await page.getByRole('alert').getByRole('button', { name: 'Copy', exact: true }).click()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(
      'create publication millrace_broken for table orders',
    )
    await page.getByText('Changes are missing from 0/15D3C70 to 0/2A00000').waitFor()
    await page.getByRole('button', { name: 'Copy the LSNs' }).click()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe('0/15D3C70..0/2A00000')
  })
})

describe('what waits too long', () => {
  test('is told with its reason: a pause, a webhook that takes nothing, nobody', async ({
    storage,
    web,
  }) => {
    const { page, client } = web
    const source = await givenSource(storage)
    await source.append(orders(3))
    const from = { source: 'shop', tables: ['*'], start_from: 'earliest' }
    await client.consumers.create({ name: 'archive', ...from })
    await client.consumers.pause('archive')
    await client.consumers.create({ name: 'forgotten', ...from })
    const push = { url: 'http://127.0.0.1:1/', allow_http: true }
    await client.consumers.create({ name: 'hook', ...from, mode: 'push', push })

    await web.open('/')
    // Not yet: all of it may be as it should be.
    await page.getByRole('row', { name: /forgotten/ }).waitFor()
    expect(await page.getByText('Needs attention').count()).toBe(0)
    await moveClock(storage, 10 * 60_000)

    await page.getByText('archive is paused, and its oldest message has waited').waitFor()
    await page.getByText(/^The webhook of hook takes nothing: \d messages? (is|are)/).waitFor()
    await page.getByText('The oldest message of forgotten has waited').waitFor()
    await page.getByText('and nobody receives').waitFor()
  })
})

describe('copying', () => {
  test('works where the browser has no clipboard for the page, as under plain http', async ({
    storage,
    web,
  }) => {
    const { page } = web
    await givenTrouble(storage)
    await page.addInitScript(
      `Object.defineProperty(Navigator.prototype, 'clipboard', { get: () => undefined })`,
    )
    await web.open('/sources/broken/health')
    await page.getByRole('button', { name: 'Copy the LSNs' }).click()
    await page.getByRole('button', { name: 'Copied' }).waitFor()
    await page.goto(`${web.address}/tail`)
    await page.getByRole('searchbox', { name: 'Table' }).focus()
    await page.keyboard.press('Control+v')
    expect(await page.getByRole('searchbox', { name: 'Table' }).inputValue()).toBe(
      '0/15D3C70..0/2A00000',
    )
  })
})

describe('a change', () => {
  test('is shown on its way to everybody, with times', async ({ storage, web }) => {
    await givenShop(storage, web)
    await web.client.consumers.create({ name: 'late', source: 'shop', tables: ['*'] })
    await web.open('/sources/shop/changes/3')
    const way = web.page.getByRole('region', { name: 'Its way to every consumer' })
    await way.getByText('1 of 2 consumers acked it').waitFor()
    const row = (name: string) =>
      way.getByRole('listitem').filter({ has: web.page.getByRole('link', { name, exact: true }) })
    await row('inventory').getByText('Worked on for').waitFor()
    await row('inventory')
      .getByTitle(/^Acked .* after the commit$/)
      .waitFor()
    await row('shipping').getByText('Not reached yet').waitFor()
    await row('late').getByText('It began after this change').waitFor()

    await web.page.goto(`${web.address}/sources/shop/changes/2`)
    await row('inventory').getByText('After one delivery, again in').waitFor()
    await row('inventory').getByText('1 event').click()
    await row('inventory').getByText('Given back').waitFor()
  })
})

describe('an operator', () => {
  test(
    'pauses, moves, replays and purges a consumer',
    { timeout: 120_000 },
    async ({ storage, web }) => {
      const { page, client } = web
      await givenShop(storage, web)
      await web.open('/consumers/inventory')
      const choose = async (name: string): Promise<void> => {
        await page.getByRole('button', { name: 'More' }).click()
        await page.getByRole('menuitem', { name }).click()
      }

      await page.getByRole('button', { name: 'Pause' }).click()
      await page.getByLabel('Why').fill('stocktaking')
      await page.getByRole('dialog').getByRole('button', { name: 'Pause' }).click()
      await page.getByText('until somebody resumes it: stocktaking').waitFor()
      await page.getByRole('button', { name: 'Resume' }).click()
      await page.getByRole('button', { name: 'Pause' }).waitFor()

      await choose('Replay …')
      await page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click()
      await page.getByText('The replay has begun: 3 messages at most.').waitFor()

      await choose('Seek …')
      await page.getByLabel('To', { exact: true }).selectOption('A time')
      const slider = page.getByRole('slider')
      await slider.press('End')
      await page.getByText('will be delivered again').waitFor()
      await slider.press('Home')
      await page.getByText('3 messages will be delivered again').waitFor()
      await page.getByRole('button', { name: 'Move it' }).click()
      await page.getByText('3 come again').waitFor()
      expect(await client.consumers.stats('inventory')).toMatchObject({ backlog: 3 })

      await choose('Purge …')
      expect(await page.getByRole('button', { name: 'Purge it' }).isDisabled()).toBe(true)
      await page.getByLabel('Type inventory to confirm').fill('inventory')
      await page.getByRole('button', { name: 'Purge it' }).click()
      await page.getByText('3 messages purged.').waitFor()
      expect(await client.consumers.stats('inventory')).toMatchObject({ backlog: 0, dead: 0 })
      expect(web.faults).toEqual([])
    },
  )
})

describe('the files', () => {
  test('of the first page are below 150 kB on the wire', async () => {
    const html = await readFile(new URL('index.html', DIST), 'utf8')
    const paths = [...html.matchAll(/(?:src|href)="\/([^"]+)"/g)].map((match) => match[1]!)
    expect(paths.length).toBeGreaterThan(2)
    // The overview is among them; other pages come when they are opened.
    const contents = await Promise.all(paths.map((path) => readFile(new URL(path, DIST))))
    const bytes = contents.reduce((sum, content) => sum + gzipSync(content).length, 0)
    expect(bytes).toBeLessThan(150 * 1024)
  })

  test('are kept for ever where their name has a hash, and never take anything from elsewhere', async ({
    web,
  }) => {
    const page = await fetch(web.address)
    expect(page.headers.get('cache-control')).toBe('no-cache')
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe')
    const [name] = await readdir(new URL('assets/', DIST))
    const asset = await fetch(`${web.address}/assets/${name}`)
    expect(asset.headers.get('cache-control')).toBe('public, max-age=31536000, immutable')
    expect(asset.headers.get('content-encoding')).toBe('gzip')
    await asset.arrayBuffer()
    const missing = await fetch(`${web.address}/assets/..%2Findex.html`)
    expect(missing.status).toBe(404)
  })
})

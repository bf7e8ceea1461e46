import { readdir, readFile } from 'node:fs/promises'
import { gzipSync } from 'node:zlib'

import { AxeBuilder } from '@axe-core/playwright'
import type { Page } from 'playwright-core'
import { afterAll, describe, expect } from 'vitest'

import { givenConsumer, givenSource } from '../support/given.ts'
import type { Database } from '../../src/storage/database.ts'
import { closeBrowser, test, type Console } from './console.ts'

afterAll(closeBrowser)

const DIST = new URL('../../console/dist/', import.meta.url)
const SCRIPT = '<script>window.wasRun = true</script><img src=x onerror="window.wasRun = true">'

/** Three orders; of each consumer's, one is acked, one is retried and one is dead. */
async function givenShop(storage: Database, { client }: Console): Promise<void> {
  const source = await givenSource(storage)
  await givenConsumer(storage, source.sourceNo, { name: 'inventory' })
  await givenConsumer(storage, source.sourceNo, { name: 'shipping' })
  await source.append([
    { id: 1, record: { note: SCRIPT, total: 12.5 } },
    { id: 2, record: { note: 'plain' } },
    { id: 3, record: { note: 'plain' } },
  ])
  const { data } = await client.receive('inventory', { worker: SCRIPT })
  const [first, second, third] = data.map(({ ack_id: id }) => id)
  await client.nack('inventory', [first!], { deadLetter: true, reason: SCRIPT })
  await client.nack('inventory', [second!], { delay: '1h', reason: 'not yet' })
  await client.ack('inventory', [third!])
}

/** A source that nobody reads, and of which changes are missing. */
async function givenTrouble(storage: Database): Promise<void> {
  const { sourceNo } = await givenSource(storage, 'broken')
  // Whoever removes a source reads it no more: its state stays what is written here.
  await storage.pool.query(`update millrace.source set phase = 'removing' where source_no = $1`, [
    sourceNo,
  ])
  const gap = { from: '0/15D3C70', to: '0/2A00000', reason: 'the slot was dropped', at: new Date() }
  await storage.pool.query(
    `insert into millrace.reader (source_no, state, state_reason, state_remedy, gaps)
     values ($1, 'needs_attention', 'the publication is gone',
       'create publication millrace_broken for table orders', $2)`,
    [sourceNo, JSON.stringify([gap])],
  )
}

const PAGES = [
  '/',
  '/consumers/inventory',
  '/consumers/inventory/dead-letters?message=1',
  '/consumers/inventory/tail',
  '/consumers/inventory/backfills',
  '/consumers/inventory/settings',
  '/consumers/inventory/use',
  '/consumers/new',
  '/sources',
  '/sources/shop',
  '/sources/shop/health',
  '/sources/shop/tables',
  '/sources/shop/backfills',
  '/sources/shop/changes/1',
  '/sources/broken/health',
  '/sources/new',
  '/tail',
  '/tail?consumer=inventory',
  '/tokens',
  '/about',
  '/consumers/nobody',
]

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

/** What moves, or would when it changes; of pages for somebody who asked for less motion. */
async function findMotion(page: Page): Promise<unknown> {
  return page.evaluate(`Array.from(document.querySelectorAll('*')).flatMap((element) => {
    const { transitionDuration, animationName } = getComputedStyle(element)
    const isStill = transitionDuration === '0s' && animationName === 'none'
    return isStill ? [] : [element.tagName + ' ' + transitionDuration + ' ' + animationName]
  })`)
}

describe('every page', () => {
  test(
    'is free of serious faults for people who see, hear or move otherwise',
    {
      timeout: 480_000,
    },
    async ({ storage, web }) => {
      await givenShop(storage, web)
      await givenTrouble(storage)
      await web.open('/')
      for (const path of PAGES) {
        await web.page.emulateMedia({ colorScheme: 'light' })
        await web.page.goto(web.address + path)
        await settle(web.page)
        expect(await findSerious(web.page)).toBe('')
        expect(await findMotion(web.page)).toEqual([])
        // Of the same page in the dark nothing but the colours is another.
        await web.page.emulateMedia({ colorScheme: 'dark' })
        expect(await findSerious(web.page, ['color-contrast'])).toBe('')
      }
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

describe('a token', () => {
  test('that may only read is offered nothing that changes anything', async ({ storage, web }) => {
    await givenShop(storage, web)
    const { token } = await web.client.tokens.create({ name: 'viewer', scopes: ['read'] })
    await web.page.goto(`${web.address}/#token=${token}`)
    await web.page.getByText('inventory has 1 dead letter.').waitFor()
    const names = ['Create a consumer', 'Connect a database', 'Tokens']
    for (const name of names) expect(await web.page.getByRole('link', { name }).count()).toBe(0)

    await web.page.goto(`${web.address}/consumers/inventory/settings`)
    await web.page.getByText('needs a token with the scope admin').waitFor()
    for (const name of ['Save', 'Send a test', 'New secret']) {
      expect(await web.page.getByRole('button', { name }).count()).toBe(0)
    }
    expect(await web.page.getByRole('main').getByRole('textbox').count()).toBe(0)

    await web.page.goto(`${web.address}/consumers/inventory/dead-letters?message=1`)
    await web.page.getByText('Given up').waitFor()
    for (const name of ['Redeliver', 'Discard', 'Pause', 'More']) {
      expect(await web.page.getByRole('button', { name }).count()).toBe(0)
    }
  })

  test('bound to a consumer is shown that one alone', async ({ storage, web }) => {
    await givenShop(storage, web)
    const { token } = await web.client.tokens.create({
      name: 'viewer',
      scopes: ['read'],
      consumers: ['shipping'],
    })
    await web.page.goto(`${web.address}/#token=${token}`)
    await web.page.getByRole('row', { name: /shipping/ }).waitFor()
    expect(await web.page.getByText('inventory').count()).toBe(0)
    expect(await web.page.getByRole('link', { name: 'Sources' }).count()).toBe(0)
    await web.page.getByRole('link', { name: 'Live tail' }).click()
    await web.page.getByText('Waiting for a change').waitFor()
    expect(
      await web.page.getByLabel('Of', { exact: true }).locator('option').allInnerTexts(),
    ).toEqual(['What shipping gets'])
  })

  test('in a link signs in and leaves no trace in the address', async ({ web }) => {
    await web.open('/about')
    expect(web.page.url()).toBe(`${web.address}/about`)
    await web.page.getByRole('button', { name: 'Sign out' }).click()
    await web.page.getByLabel('Token').waitFor()
    await web.page.reload()
    await web.page.getByLabel('Token').waitFor()
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

  test('goes through messages by keys alone', async ({ storage, web }) => {
    const { page } = web
    await givenShop(storage, web)
    await web.open('/consumers/shipping')
    await page.getByRole('cell', { name: '1 insert orders' }).waitFor()
    await page.keyboard.press('j')
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

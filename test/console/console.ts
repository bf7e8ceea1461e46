import { randomBytes } from 'node:crypto'

import chromium from '@sparticuz/chromium'
import { chromium as playwright, type Browser, type Page } from 'playwright-core'

import { createClient, type Client } from '@millrace/client'

import { readConfig } from '../../src/config.ts'
import { startServer } from '../../src/main.ts'
import { test as base } from '../support/database.ts'
import { silentLogger } from '../support/given.ts'

export const ADMIN_TOKEN = 'admin-token-of-a-test'

export interface Console {
  /** Of the server. */
  readonly address: string
  /** The API, for what happens beside the browser. */
  readonly client: Client
  /** A browser's window that is not signed in. */
  readonly page: Page
  /** What went wrong in it so far: errors, and requests to other hosts. */
  readonly faults: readonly string[]
  /** Opens a page as somebody who is signed in. */
  open(path: string): Promise<void>
}

let browser: Promise<Browser> | undefined

const UNWANTED = new Set(['--single-process', '--no-zygote', '--disable-web-security'])

async function launchBrowser(): Promise<Browser> {
  return playwright.launch({
    executablePath: await chromium.executablePath(),
    // Its list is made for places that allow one process alone, and switches checks of origins off.
    args: chromium.args.filter((arg) => !UNWANTED.has(arg)),
    headless: true,
  })
}

/** A test with the whole server, a database to connect, and a real browser. */
export const test = base.extend<{ web: Console }>({
  web: async ({ storage }, use) => {
    const config = readConfig({
      MILLRACE_STORAGE_URL: storage.url,
      MILLRACE_SECRET_KEY: randomBytes(32).toString('base64'),
      MILLRACE_ADMIN_TOKEN: ADMIN_TOKEN,
      MILLRACE_PORT: '0',
      MILLRACE_PUSH_ALLOW: '127.0.0.0/8',
    })
    const server = await startServer(config, silentLogger, { graceMs: 100 })
    const address = server.address
    browser ??= launchBrowser()
    const context = await (
      await browser
    ).newContext({
      viewport: { width: 1280, height: 900 },
      reducedMotion: 'reduce',
      // Of itself this build of Chromium names a language that its own Intl refuses.
      locale: 'en-US',
    })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const page = await context.newPage()
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(`error: ${error.message}`))
    page.on('console', (message) => {
      // A refusal that the page asked for is logged by the browser as well.
      const isRefusal = message.text().startsWith('Failed to load resource')
      if (message.type() === 'error' && !isRefusal) faults.push(`console: ${message.text()}`)
    })
    page.on('request', (request) => {
      const isOurs = request.url().startsWith(address) || request.url().startsWith('data:')
      if (!isOurs) faults.push(`request: ${request.url()}`)
    })
    await use({
      address,
      client: createClient({ baseUrl: address, token: ADMIN_TOKEN }),
      page,
      faults,
      async open(path) {
        await page.goto(`${address}${path}#token=${ADMIN_TOKEN}`)
        await page.locator('main h1, main h2').first().waitFor()
      },
    })
    await context.close()
    await server.stop()
  },
})

/** Ends the browser that the tests of a file share. */
export async function closeBrowser(): Promise<void> {
  await (await browser)?.close()
  browser = undefined
}

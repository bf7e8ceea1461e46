import { readFile } from 'node:fs/promises'

import { afterAll, describe, expect } from 'vitest'
import { parse } from 'yaml'

import { closeBrowser, test } from './console.ts'
import { givenShop, PAGES } from './given-shop.ts'

afterAll(closeBrowser)

/** What changes nothing: choosing what is shown, going on, copying. */
const HARMLESS = [
  /^(Copy|Copied)/,
  /^SQL to capture it$/,
  /^(Hold|Go on|Previous|Next|Close|Try again)$/,
  /^(Ahead|In flight|Retrying|Waiting|Dead|Acked)$/,
  /^(TypeScript|curl|Python)$/,
  // A message's number opens it.
  /^\d+$/,
]

interface Operation {
  method: string
  path: string
}

/** Everything that the API offers and that may change something. */
async function listChanging(): Promise<Operation[]> {
  const text = await readFile(new URL('../../openapi.yaml', import.meta.url), 'utf8')
  const { paths } = parse(text) as { paths: Record<string, Record<string, unknown>> }
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path })),
  )
  return operations.filter(({ method }) => ['POST', 'PUT', 'PATCH', 'DELETE'].includes(method))
}

/** It tries a filter on what the token may read anyway. */
const READS = ['POST /v1/sources/{source}/filter/preview']

describe('a token that may only read', () => {
  test(
    'is offered nothing that changes anything, on any page',
    { timeout: 240_000 },
    async ({ storage, web }) => {
      const { page } = web
      await givenShop(storage, web)
      const { token } = await web.client.tokens.create({ name: 'viewer', scopes: ['read'] })
      await page.goto(`${web.address}/#token=${token}`)
      await page.getByText('inventory has 1 dead letter.').waitFor()
      const seen: string[] = []
      for (const path of PAGES) {
        await page.goto(web.address + path)
        await page.locator('main h1, main h2, main .note').first().waitFor()
        await page.locator('[aria-label=Loading]').first().waitFor({ state: 'detached' })
        const names = (await page.evaluate(`Array.from(
          document.querySelectorAll('main button, main a.button, aside.drawer button'),
          (element) => element.getAttribute('aria-label') ?? element.textContent.trim())`)) as string[]
        seen.push(...names.map((name) => `${path}: ${name}`))
      }
      const forbidden = seen.filter((each) => {
        const name = each.slice(each.indexOf(': ') + 2)
        return !HARMLESS.some((pattern) => pattern.test(name)) && !isLink(name)
      })
      expect(forbidden).toEqual([])
      expect(seen.length).toBeGreaterThan(20)
      const names = ['Create a consumer', 'Connect a database', 'Tokens']
      for (const name of names) expect(await page.getByRole('link', { name }).count()).toBe(0)
    },
  )

  test('is refused by the server whatever its page may send', async ({ storage, web }) => {
    await givenShop(storage, web)
    const { token } = await web.client.tokens.create({ name: 'viewer', scopes: ['read'] })
    await web.page.goto(`${web.address}/#token=${token}`)
    await web.page.getByText('inventory has 1 dead letter.').waitFor()
    const operations = await listChanging()
    expect(operations.length).toBeGreaterThan(30)
    const refused = operations.filter(({ method, path }) => !READS.includes(`${method} ${path}`))
    for (const { method, path } of refused) {
      const status = await web.page.evaluate(
        async ([verb, address]) => {
          const answer = await fetch(address!, {
            method: verb!,
            headers: { 'x-millrace-console': '1', 'content-type': 'application/json' },
            body: '{}',
          })
          return answer.status
        },
        [method, path.replaceAll(/\{(\w+)\}/g, (_, name: string) => NAMES[name] ?? '1')],
      )
      expect([method, path, status]).toEqual([method, path, 403])
    }
    expect(await web.client.consumers.stats('inventory')).toMatchObject({ dead: 1, retrying: 1 })
  })

  test('shows settings as they are, and no form', async ({ storage, web }) => {
    await givenShop(storage, web)
    const { token } = await web.client.tokens.create({ name: 'viewer', scopes: ['read'] })
    await web.page.goto(`${web.address}/#token=${token}`)
    await web.page.getByText('inventory has 1 dead letter.').waitFor()
    await web.page.goto(`${web.address}/consumers/inventory/settings`)
    await web.page.getByText('needs a token with the scope admin').waitFor()
    expect(await web.page.getByRole('main').getByRole('textbox').count()).toBe(0)
  })
})

const NAMES: Record<string, string> = { consumer: 'inventory', source: 'shop' }

/** Links that look like buttons and lead to what may be seen. */
function isLink(name: string): boolean {
  return /^(All changes of shop|Look|Mend|Its way to every consumer|\d+ events?)$/.test(name)
}

describe('a token', () => {
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

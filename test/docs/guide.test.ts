import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

import { describe, expect } from 'vitest'

import { test } from '../support/live-server.ts'
import { runMillrace } from '../support/run-millrace.ts'
import { compileTypeScript } from '../support/compile-typescript.ts'
import { CHECKOUT, findBlocks, listDocuments, readDocument } from './documents.ts'

/** Every command is a program that starts: some seconds each on a busy machine. */
const GUIDE_MS_MAX = 240_000

describe('the guide through the fan-out', () => {
  test(
    'has commands that work as they are',
    { timeout: GUIDE_MS_MAX },
    async ({ server, shop }) => {
      await shop.query(`create table orders (
      id bigint generated always as identity primary key, customer_id int, product_id int,
      quantity int, total_price numeric(10, 2), shipping_address text)`)
      const guide = await readDocument('docs/guide-fan-out.md')
      const [, part = ''] = /<!-- commands[^]*?-->([^]*)<!-- \/commands -->/.exec(guide) ?? []
      // Slots belong to the whole cluster: the source has a name that no other test has.
      const source = `shop-${randomBytes(4).toString('hex')}`
      const commands = findBlocks(part, 'sh')
        .join('\n')
        .replaceAll(/\bshop\b/g, source)
      const [tail = '', tailArguments = ''] = /^millrace (tail .*)$/m.exec(commands) ?? []
      const script = commands
        .replace(tail, '')
        // Nobody is asked who is not on this machine.
        .replace('https://invoicing.example', 'https://127.0.0.1:9')
      const environment = { MILLRACE_URL: server.url, MILLRACE_TOKEN: server.token }

      const { stdout } = await promisify(execFile)(
        'bash',
        [
          '--norc',
          '-euo',
          'pipefail',
          '-c',
          `millrace() { ${process.execPath} ${CHECKOUT}/bin/millrace.js "$@"; }
         psql() { ${process.execPath} --input-type=module -e '
           import pg from "pg"
           const client = new pg.Client(process.argv[1])
           await client.connect()
           await client.query(process.argv[2])
           await client.end()' "$1" "$3"; }
         ${script}`,
        ],
        { cwd: CHECKOUT, env: { ...process.env, ...environment, DATABASE_URL: shop.url } },
      )

      expect(stdout).toMatch(/^reachable +pass/m)
      expect(stdout.match(/^mr_/gm)).toHaveLength(3)
      expect(stdout).toMatch(/^shipping +[01]/m)
      expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
        record: { customer_id: 42, total_price: 99.99 },
        metadata: { consumer: { name: 'shipping' } },
      })
      expect(await server.client.consumers.get('invoicing')).toMatchObject({ mode: 'push' })
      const following = runMillrace(tailArguments.split(' '), { environment })
      await following.waitForLine(/"customer_id":42/)
      following.child.kill('SIGINT')
      expect(await following.ended).toBe(0)
    },
  )
})

describe('code in the documents', () => {
  test('compiles', async () => {
    const files: Record<string, string> = {}
    for (const path of (await listDocuments()).filter((each) => each.startsWith('docs/'))) {
      const blocks = findBlocks(await readDocument(path), 'ts')
      for (const [index, code] of blocks.entries()) {
        files[`${path.replaceAll(/\W/g, '-')}-${index}.ts`] = code
      }
    }
    expect(Object.keys(files).length).toBeGreaterThan(1)

    expect(await compileTypeScript(files)).toBe('')
  })

  test('takes effect once, however often a message comes', async ({ shop }) => {
    const concepts = await readDocument('docs/concepts.md')
    const statement = findBlocks(concepts, 'sql').find((code) => code.includes('handled'))
    await shop.query(`
      create table handled (idempotency_key text primary key);
      create table stock (product_id int primary key, quantity int not null);
      insert into stock values (123, 10)`)

    for (const key of ['a', 'a', 'b', 'a']) await shop.query(statement!, [key, 2, 123])

    expect((await shop.query('select quantity from stock')).rows).toEqual([{ quantity: 6 }])
  })
})

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

import { expect, onTestFinished } from 'vitest'

import { test } from './shop-of-examples.ts'

test('the cache forgets a row that anybody changed, and takes its consumer along', async ({
  example,
  server,
  shop,
}) => {
  await example.placeOrders(1)
  const cache = example.run(['node', 'cache-invalidation.ts'], { DATABASE_URL: shop.url })
  const [url = ''] = await cache.waitForLines(/^http/)
  const read = async () => (await fetch(url)).json()

  expect(await read()).toEqual({ from: 'database', order: { id: '1', status: 'placed' } })
  expect(await read()).toMatchObject({ from: 'cache' })
  await shop.query(`update orders set status = 'paid'`)
  await cache.waitForLines(/^invalidated order 1$/)
  expect(await read()).toEqual({ from: 'database', order: { id: '1', status: 'paid' } })

  expect(await cache.stop()).toBe(0)
  expect((await server.client.consumers.list()).data).toEqual([])
})

test('the audit log has every change once, with who and from what, also after a replay', async ({
  example,
  server,
  shop,
}) => {
  await shop.query('alter table orders replica identity full')
  const audit = example.run(['node', 'audit-log.ts'], { AUDIT_URL: shop.url })
  await expect
    .poll(async () => (await server.client.consumers.list()).data.length, { timeout: 120_000 })
    .toBe(1)
  await shop.query(`
    begin;
    select pg_logical_emit_message(true, 'millrace.annotate', '{"user": "ada"}');
    insert into orders (customer_id, product_id, quantity, total_price, shipping_address)
      values (42, 123, 2, 99.90, '123 Main St');
    update orders set status = 'paid';
    commit;
    delete from orders`)
  const countLines = async () =>
    Number((await shop.query('select count(*) from audit_log')).rows[0].count)
  await expect.poll(countLines, { timeout: 120_000 }).toBe(3)

  await server.client.consumers.seek('audit-log', { to: 'earliest' })
  await audit.waitForLines(/^0 of \d+ written down$/)
  const backlogOf = async () => (await server.client.consumers.stats('audit-log')).backlog
  await expect.poll(backlogOf, { timeout: 120_000 }).toBe(0)

  expect(await audit.stop()).toBe(0)
  const { rows } = await shop.query(
    `select action, changes, annotations from audit_log order by committed_at, idempotency_key`,
  )
  expect(rows).toEqual([
    { action: 'insert', changes: null, annotations: '{"user":"ada"}' },
    { action: 'update', changes: '{"status":"placed"}', annotations: '{"user":"ada"}' },
    { action: 'delete', changes: null, annotations: null },
  ])
})

test('the search index holds the newest state of each row, also after a replay', async ({
  example,
  server,
  shop,
}) => {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-index-'))
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  const file = join(directory, 'orders.sqlite')
  await example.placeOrders(3)
  const indexer = example.run(['node', 'search-index.ts', file])
  await shop.query(`update orders set shipping_address = '7 Mill Lane' where id = 2`)
  await shop.query('delete from orders where id = 3')
  const waitUntilIdle = async () => {
    await expect
      .poll(
        async () => {
          const stats = await server.client.consumers.stats('search-index').catch(() => undefined)
          return stats && stats.backlog + stats.leased
        },
        { timeout: 120_000 },
      )
      .toBe(0)
  }
  const search = (words: string) => {
    const index = new DatabaseSync(file, { readOnly: true })
    try {
      return index.prepare('select id from orders where orders match ? order by id').all(words)
    } finally {
      index.close()
    }
  }

  await indexer.waitForLines(/^indexed/)
  await waitUntilIdle()
  expect([search('lane'), search('main')]).toEqual([[{ id: 2 }], [{ id: 1 }]])

  const before = indexer.lines.length
  await server.client.consumers.replay('search-index', { from: 'earliest' })
  await indexer.waitForLines(/^indexed/, before + 1)
  await waitUntilIdle()
  expect([search('lane'), search('main')]).toEqual([[{ id: 2 }], [{ id: 1 }]])
  expect(await indexer.stop()).toBe(0)
})

import { expect } from 'vitest'

import { test } from '../support/database.ts'
import { Capture, makeSource, ORDERS, until } from './capture-harness.ts'

test('one change of an idle source is a flush of its own', async ({ storage, shop }) => {
  await shop.query(ORDERS)
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  await until(() => capture.reader.state === 'healthy')
  for (let count = 1; count <= 3; count++) {
    await shop.query('insert into orders default values')
    await capture.waitFor(count)
    expect(capture.reader.metrics).toMatchObject({ changes: count, flushes: count })
  }
})

test('a transaction of 100,000 rows goes through in pieces of bounded size', async ({
  storage,
  shop,
}) => {
  await shop.query(ORDERS)
  const source = await makeSource(storage, shop)
  await shop.query(`insert into orders (shipping_address)
    select repeat('x', 200) from generate_series(1, 100000)`)
  let entriesMax = 0
  let bytesMax = 0
  let seen = 0
  await using capture = new Capture(storage, source, {
    onAppend: (_sourceNo, entries) => {
      seen += entries.length
      entriesMax = Math.max(entriesMax, entries.length)
      bytesMax = Math.max(
        bytesMax,
        entries.reduce((sum, { size }) => sum + size, 0),
      )
    },
  })
  await until(() => seen === 100_000)
  // The limit, and what one chunk of the socket may add to it.
  expect(entriesMax).toBeLessThanOrEqual(6_000)
  expect(bytesMax).toBeLessThanOrEqual(2.5 * 1024 * 1024)
  const { rows } = await storage.pool.query<{ rows: string; transactions: string; last: string }>(
    `select count(*) as rows, count(distinct commit_lsn) as transactions, max(commit_idx) as last
     from millrace.log where source_no = $1`,
    [source.sourceNo],
  )
  expect(rows[0]).toEqual({ rows: '100000', transactions: '1', last: 100000 })
  expect(capture.reader.metrics.failures).toBe(0)
})

test('a storage that stands still is waited for, with what is in memory bounded', async ({
  storage,
  shop,
}) => {
  await shop.query(ORDERS)
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  await shop.query('insert into orders default values')
  await capture.waitFor(1)
  const blocker = await storage.pool.connect()
  await blocker.query('begin; lock table millrace.position in share mode')
  await shop.query(`insert into orders (shipping_address)
    select repeat('y', 1000) from generate_series(1, 50000)`)
  await until(async () => {
    const { rowCount } = await blocker.query(
      `select from pg_locks where relation = 'millrace.position'::regclass and not granted`,
    )
    return rowCount! > 0
  })
  // 50 MB wait on the source; two batches of 2 MB at most were taken from it.
  const heap = process.memoryUsage()
  expect(heap.arrayBuffers).toBeLessThan(50_000_000)
  expect(capture.entries).toHaveLength(1)
  await blocker.query('rollback')
  blocker.release()
  await capture.waitFor(50_001)
})

test('rows of several megabytes arrive whole', async ({ storage, shop }) => {
  await shop.query('create table t (id int primary key, s text)')
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  await shop.query(`insert into t select n, repeat('ü"', 4000000) from generate_series(1, 3) n`)
  const entries = await capture.waitFor(3)
  for (const [index, { record, size }] of entries.entries()) {
    expect(record.length).toBe(`{"id":1,"s":""}`.length + 3 * 4_000_000)
    expect(size).toBe(Buffer.byteLength(record))
    expect(JSON.parse(record)).toMatchObject({ id: index + 1 })
  }
})

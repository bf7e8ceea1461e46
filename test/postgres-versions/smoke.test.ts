import { randomBytes } from 'node:crypto'

import { expect, inject } from 'vitest'

import { createSource } from '../../src/capture/create-source.ts'
import { deleteSource } from '../../src/capture/delete-source.ts'
import { readSourceSettings } from '../../src/capture/source.ts'
import { Capture, connectionOf, ORDERS } from '../capture/capture-harness.ts'
import { test, uniqueName } from '../support/database.ts'
import { givenConsumer } from '../support/given.ts'
import { startProcess } from '../support/queues.ts'

const keys = { secretKey: randomBytes(32) }
const ACTIONS = ['insert', 'update', 'delete', 'truncate']

function describeMessage(json: string): string {
  const { action, metadata } = JSON.parse(json) as {
    action: string
    metadata: { table_name: string }
  }
  return `${action} ${metadata.table_name}`
}

test('the server is of the major that is meant', async ({ storage, shop }) => {
  const major = inject('major')
  const ofStorage = await storage.pool.query<{ version: string }>('show server_version_num')
  const ofShop = await shop.query<{ version: string }>('show server_version_num')
  for (const { rows } of [ofStorage, ofShop]) {
    expect(Math.trunc(Number(Object.values(rows[0]!)[0]) / 10_000)).toBe(major)
  }
})

test('changes go from a source to an ack, and a restart neither loses nor doubles one', async ({
  storage,
  shop,
}) => {
  await shop.query(`${ORDERS};
    create table part (id int primary key) partition by range (id);
    create table part_0 partition of part for values from (0) to (10)`)
  const name = uniqueName('s')
  const source = await createSource(storage, { name, connection: connectionOf(shop) }, keys)
  expect(source).toMatchObject({ phase: 'ready', madeSlot: true, madePublication: true })
  const settings = (await readSourceSettings(storage.db, source.sourceNo, keys.secretKey))!
  const consumer = await givenConsumer(storage, source.sourceNo, { actions: ACTIONS })
  {
    await using capture = new Capture(storage, settings)
    await shop.query(`insert into orders (customer_id, total_price) values (42, 99.90)`)
    await shop.query('update orders set quantity = 2')
    await shop.query('insert into part values (1)')
    await capture.waitFor(3)
  }
  await shop.query('update orders set id = 7; delete from orders')
  {
    await using capture = new Capture(storage, settings)
    await shop.query('truncate orders')
    const entries = await capture.waitFor(3)
    expect(entries.map(({ seq, action, key, oldKey }) => [seq, action, key, oldKey])).toEqual([
      [4, 'update', '7', '1'],
      [5, 'delete', '7', null],
      [6, 'truncate', null, null],
    ])
    expect(capture.reader.metrics.failures).toBe(0)
  }
  const server = await startProcess(storage)
  try {
    const settled: string[] = []
    const actions: string[] = []
    // Changes of one row may share a lease; those of a changed key wait for it.
    while (settled.length < 6) {
      const { messages } = await server.receive(consumer, { waitMs: 5_000 })
      actions.push(...messages.map((message) => describeMessage(message.toJson())))
      settled.push(...(await server.ack(consumer, messages)))
    }
    expect(actions.toSorted()).toEqual([
      'delete orders',
      'insert orders',
      'insert part',
      'truncate orders',
      'update orders',
      'update orders',
    ])
    expect(new Set(settled)).toEqual(new Set(['acked']))
    expect((await server.receive(consumer)).messages).toEqual([])
  } finally {
    await server.stop()
  }
  await storage.pool.query('delete from millrace.consumer')
  await deleteSource(storage, name, keys)
})

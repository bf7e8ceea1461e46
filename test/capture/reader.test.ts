import { describe, expect } from 'vitest'

import { test } from '../support/database.ts'
import { Capture, makeSource, ORDERS, readLog } from './capture-harness.ts'

describe('reader', () => {
  test('writes inserts, updates and deletes in commit order', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)

    await shop.query(`insert into orders (customer_id, product_id, quantity, total_price,
      shipping_address, order_date)
      values (42, 123, 2, 99.99, '123 Main St, Anytown, USA', '2023-10-15 14:30:00+00')`)
    await shop.query('update orders set quantity = 3 where id = 1')
    await shop.query('delete from orders where id = 1')

    const [insert, update, del] = await capture.waitFor(3)
    expect(JSON.parse(insert!.record)).toEqual({
      id: 1,
      customer_id: 42,
      product_id: 123,
      quantity: 2,
      total_price: 99.99,
      shipping_address: '123 Main St, Anytown, USA',
      order_date: '2023-10-15T14:30:00Z',
    })
    expect(insert).toMatchObject({
      seq: 1,
      action: 'insert',
      key: '1',
      changes: null,
      commitIdx: 1,
    })
    expect(JSON.parse(update!.record)).toMatchObject({ id: 1, quantity: 3 })
    expect(update).toMatchObject({
      seq: 2,
      action: 'update',
      key: '1',
      oldKey: null,
      changes: '{}',
    })
    expect(del).toMatchObject({ seq: 3, action: 'delete', key: '1', record: '{"id":1}' })
    expect(await readLog(storage, source)).toHaveLength(3)
  })
})

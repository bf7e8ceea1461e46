import pg from 'pg'
import { describe, expect } from 'vitest'

import { test } from '../support/database.ts'
import { Capture, makeSource, ORDERS, readLog, until } from './capture-harness.ts'

describe('changes', () => {
  test('are written in commit order, with record, key and action', async ({ storage, shop }) => {
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
      relation: { schema: 'public', table: 'orders', keyColumns: ['id'] },
    })
    expect(JSON.parse(update!.record)).toMatchObject({ id: 1, quantity: 3 })
    expect(update).toMatchObject({ action: 'update', key: '1', oldKey: null, changes: '{}' })
    expect(del).toMatchObject({ seq: 3, action: 'delete', key: '1', record: '{"id":1}' })
    const stored = await readLog(storage, source)
    expect(stored.map(({ seq, action }) => [seq, action])).toEqual([
      ['1', 'i'],
      ['2', 'u'],
      ['3', 'd'],
    ])
    expect(stored[0]!.record).toBe(insert!.record)
  })

  test('of a primary key carry the old one', async ({ storage, shop }) => {
    await shop.query('create table t (a int, b text, c int, primary key (a, b))')
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query(`insert into t values (1, 'x', 5)`)
    await shop.query(`update t set b = 'y"', c = 6`)
    const [, update] = await capture.waitFor(2)
    expect(update).toMatchObject({
      key: '1,"y\\""',
      oldKey: '1,"x"',
      changes: '{"b":"x"}',
      record: '{"a":1,"b":"y\\"","c":6}',
    })
  })

  test('under replica identity full carry what changed, and the real primary key', async ({
    storage,
    shop,
  }) => {
    await shop.query(`
      create table t (id int primary key, n numeric, s text, big text);
      alter table t replica identity full;
      alter table t alter column big set storage external;
      create table bare (a int); alter table bare replica identity full`)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query(`insert into t values (1, 1.50, null, repeat('x', 5000))`)
    await shop.query(`update t set n = 2.50, s = 'new'`)
    await shop.query(`delete from t`)
    await shop.query(`insert into bare values (1)`)
    const [, update, del, bare] = await capture.waitFor(4)
    expect(update).toMatchObject({
      key: '1',
      oldKey: null,
      changes: '{"n":1.50,"s":null}',
      extra: null,
    })
    expect(JSON.parse(update!.record)).toMatchObject({ big: 'x'.repeat(5000), s: 'new' })
    expect(del).toMatchObject({ key: '1' })
    expect(JSON.parse(del!.record)).toMatchObject({ id: 1, n: 2.5, s: 'new' })
    expect(bare).toMatchObject({ key: null, relation: { keyColumns: [] } })
  })

  test('name TOAST values that did not change, and leave them out', async ({ storage, shop }) => {
    await shop.query(`create table t (id int primary key, "the ""big""" text, n int);
      alter table t alter column "the ""big""" set storage external`)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query(`insert into t values (1, repeat('x', 5000), 1)`)
    await shop.query(`update t set n = 2`)
    const [, update] = await capture.waitFor(2)
    expect(update!.record).toBe('{"id":1,"n":2}')
    expect(JSON.parse(`{${update!.extra}}`)).toEqual({ unchanged_columns: ['the "big"'] })
  })

  test('of truncate are one for each table', async ({ storage, shop }) => {
    await shop.query(`create table a (id int primary key); create table b (id int primary key)`)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query('truncate a, b')
    const entries = await capture.waitFor(2)
    expect(entries.map((entry) => [entry.relation.table, entry.action, entry.commitIdx])).toEqual([
      ['a', 'truncate', 1],
      ['b', 'truncate', 2],
    ])
    expect(entries[0]).toMatchObject({ key: null, record: '{}', changes: null })
  })

  test('that were rolled back, whole or to a savepoint, are not written', async ({
    storage,
    shop,
  }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query('begin; insert into orders (id) values (1); rollback')
    await shop.query(`begin; insert into orders (id) values (2); savepoint s;
      insert into orders (id) values (3); rollback to s; insert into orders (id) values (4); commit`)
    await shop.query('insert into orders (id) values (5)')
    const entries = await capture.waitFor(3)
    expect(entries.map(({ key, commitIdx }) => [key, commitIdx])).toEqual([
      ['2', 1],
      ['4', 2],
      ['5', 1],
    ])
  })

  test('of old rows keep the old shape when the table changes within a transaction', async ({
    storage,
    shop,
  }) => {
    await shop.query('create table t (id int primary key, a int)')
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query(`begin; insert into t values (1, 1);
      alter table t rename a to "B"; alter table t add c text; insert into t values (2, 2, 'c');
      alter table t rename to u; alter table u drop "B"; insert into u values (3, 'c'); commit`)
    const entries = await capture.waitFor(3)
    expect(entries.map(({ record }) => record)).toEqual([
      '{"id":1,"a":1}',
      '{"id":2,"B":2,"c":"c"}',
      '{"id":3,"c":"c"}',
    ])
    expect(entries.map(({ relation }) => [relation.relationNo, relation.table])).toEqual([
      [1, 't'],
      [2, 't'],
      [3, 'u'],
    ])
  })

  test('of partitions go by the name of their root', async ({ storage, shop }) => {
    await shop.query(`create table p (id int primary key, x text) partition by range (id);
      create table p1 (x text, id int not null); alter table p attach partition p1 for values from (0) to (10)`)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query(`insert into p values (1, 'one')`)
    const [entry] = await capture.waitFor(1)
    expect(entry).toMatchObject({ record: '{"id":1,"x":"one"}', relation: { table: 'p' } })
  })

  test('carry the annotations of their transaction, and of no other', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query(`begin; insert into orders (id) values (1);
      select pg_logical_emit_message(true, 'millrace.annotate', '{"trace": "a"}');
      insert into orders (id) values (2);
      select pg_logical_emit_message(true, 'millrace.annotate', '{"user": 7}');
      select pg_logical_emit_message(true, 'millrace.annotate', 'not json');
      select pg_logical_emit_message(true, 'other', '{"x": 1}');
      insert into orders (id) values (3); commit`)
    await shop.query('insert into orders (id) values (4)')
    const entries = await capture.waitFor(4)
    expect(entries.map(({ extra }) => extra)).toEqual([
      null,
      '"transaction_annotations":{"trace":"a"}',
      '"transaction_annotations":{"trace":"a","user":7}',
      null,
    ])
  })

  test('get seqs without a gap over many partitions of work', async ({ storage, shop }) => {
    await shop.query(ORDERS)
    const source = await makeSource(storage, shop)
    await using capture = new Capture(storage, source)
    await shop.query(`do $$ begin for i in 1..300 loop
      insert into orders (quantity) select i from generate_series(1, 1 + i % 7); end loop; end $$`)
    await shop.query('insert into orders (quantity) values (0)')
    const total = (await shop.query('select from orders')).rowCount!
    const entries = await capture.waitFor(total)
    expect(entries.every((entry, index) => entry.seq === index + 1)).toBe(true)
    const stored = await readLog(storage, source)
    expect(stored.map(({ key }) => Number(key))).toEqual([...Array(total).keys()].map((n) => n + 1))
  })
})

test('what cannot be decoded is kept aside, and the stream goes on', async ({ storage, shop }) => {
  // Under SQL_ASCII the server checks nothing, and hands on what it was given.
  await shop.query(`update pg_database set encoding = 0 where datname = current_database()`)
  const source = await makeSource(storage, shop)
  await using capture = new Capture(storage, source)
  const ascii = new pg.Client({ connectionString: shop.url })
  await ascii.connect()
  await ascii.query(
    `set client_encoding = 'SQL_ASCII'; create table t (id int primary key, s text)`,
  )
  await ascii.query(`insert into t select 1, convert_from('\\xff'::bytea, 'SQL_ASCII')`)
  await ascii.query(`insert into t values (2, 'fine')`)
  await ascii.end()

  await until(() => capture.reader.metrics.undecodable === 1)
  const [entry] = await capture.waitFor(1)
  expect(entry).toMatchObject({ seq: 1, key: '2' })
  const { rows } = await storage.pool.query<{ error: string; bytes: Buffer }>(
    'select error, bytes from millrace.undecodable where source_no = $1',
    [source.sourceNo],
  )
  expect(rows).toHaveLength(1)
  expect(rows[0]!.error).toMatch(/message "I", offset \d+: text is not UTF-8/)
  expect(rows[0]!.bytes.includes(0xff)).toBe(true)
})

test('how far the slot holds back the vacuum of its source is looked at again and again', async ({
  storage,
  shop,
}) => {
  const source = await makeSource(storage, shop)
  // A transaction that stays open holds back the slot, and the slot the vacuum of the catalogues.
  const holder = new pg.Client({ connectionString: shop.url })
  await holder.connect()
  await holder.query('begin; select pg_current_xact_id()')
  await using capture = new Capture(storage, source)
  await until(() => capture.reader.state === 'healthy')
  const before = capture.reader.metrics.catalogXminAge
  for (let count = 0; count < 30; count++) await shop.query('select pg_current_xact_id()')
  await until(() => capture.reader.metrics.catalogXminAge >= before + 30)
  await holder.end()
})
